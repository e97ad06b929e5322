/** sync_server: the replica's end of Cyrus replication (csync.md), many sessions a process. */
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { Config } from '../../lib/config/config.js'
import { Connection } from '../../lib/net/connection.js'
import { runService } from '../../lib/process/service.js'
import { passwordMethods } from '../../lib/sasl/check_password.js'
import { MailStore } from '../../lib/store/store.js'
import { serveReplication } from '../../lib/sync/server/session.js'

const USAGE = `usage: sync_server [-C imapd.conf] [-p ssf] [-U uses] [-T seconds] [-D] [-X]
Started by master as a service: replicas take what sync_client of another server sends.
  -C file   configuration, /etc/imapd.conf otherwise
  -p ssf    the connection is protected by other means, of this strength
  -f        accepted
See sync_server(8).
`

/** @throws {ConfigError} naming the option whose file cannot be used */
function tlsContext(config: Config): SecureContext | undefined {
  const cert = config.string('tls_server_cert')
  if (!cert || cert === 'disabled') return undefined
  const key = config.string('tls_server_key') || cert
  try {
    return createSecureContext({ cert: readFileSync(cert), key: readFileSync(key), minVersion: 'TLSv1.2' })
  } catch (error) {
    throw config.error('tls_server_cert', `cannot use ${cert} and ${key}: ${(error as Error).message}`)
  }
}

runService({
  program: 'sync_server',
  usage: USAGE,
  options: 'p:f',
  async start({ config, log, options, onStop }) {
    passwordMethods(config) // a wrong setting is told now, not to each client
    const store = await MailStore.open(config, log, { replica: true })
    onStop(() => store.close())
    const tls = tlsContext(config)
    const idleTimeout = Math.max(3, config.duration('sync_timeout'))
    const protectedOutside = Number(options.get('p') ?? 0) > 1
    return (socket, session) =>
      serveReplication(new Connection(socket, { idleTimeout }), {
        config,
        store,
        log,
        protectedOutside,
        tls,
        setUser: (user) => session.setUser(user),
        stopping: session.stopping,
      })
  },
})
