/** sync_server: the replica's end of Cyrus replication (csync.md), many sessions a process. */
import { Connection } from '../../lib/net/connection.js'
import { ServerTls } from '../../lib/net/server_tls.js'
import { runService } from '../../lib/process/service.js'
import { passwordMethods } from '../../lib/sasl/check_password.js'
import { MailStore } from '../../lib/store/store.js'
import { serveReplication } from '../../lib/sync/server/session.js'
import { protocolOf } from '../../lib/sync/v23/release.js'

const USAGE = `usage: sync_server [-C imapd.conf] [-p ssf] [-U uses] [-T seconds] [-D] [-X]
Started by master as a service: replicas take what sync_client of another server sends.
  -C file   configuration, /etc/imapd.conf otherwise
  -p ssf    the connection is protected by other means, of this strength
  -f        accepted
See sync_server(8).
`

runService({
  program: 'sync_server',
  usage: USAGE,
  options: 'p:f',
  async start({ config, log, options, onStop }) {
    // a wrong setting is told now, not to each client
    passwordMethods(config)
    protocolOf(config, config.string('sync_protocol'))
    const store = await MailStore.open(config, log, { replica: true })
    onStop(() => store.close())
    const tls = ServerTls.from(config, log)
    const idleTimeout = Math.max(3, config.duration('sync_timeout'))
    const protectedOutside = Number(options.get('p') ?? 0)
    return (socket, session) =>
      serveReplication(new Connection(socket, { idleTimeout }), {
        config,
        store,
        log: session.log,
        protectedOutside,
        tls,
        setUser: (user) => session.setUser(user),
        stopping: session.stopping,
      })
  },
})
