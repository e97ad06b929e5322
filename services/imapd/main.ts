/** The IMAP service (docs/imapd.8.md): started by master, many connections a process. */
import { Connection } from '../../lib/net/connection.js'
import { runService } from '../../lib/process/service.js'
import { passwordMethods } from '../../lib/sasl/check_password.js'
import { MailStore } from '../../lib/store/store.js'
import { Imapd } from './imapd.js'
import { Session } from './session.js'

const USAGE = `usage: imapd [-C imapd.conf] [-s] [-U uses] [-T seconds] [-D] [-X] [-p bits]

IMAP4rev1 server, started by master from cyrus.conf.

  -C FILE  configuration, /etc/imapd.conf unless given
  -s       TLS from the first byte (imaps)
  -U N     end after N connections
  -T N     end after N seconds without a connection
  -p N     the connection is protected by something outside of this program (N: strength in bits)
  -X       one conversation over standard input and output
  -D       runs debug_command first

docs/imapd.8.md tells more.`

/** Before login a silent client is dropped sooner. */
const LOGIN_SECONDS = 180

runService({
  program: 'imapd',
  usage: USAGE,
  options: 'sp:',
  connections: 500,
  async start({ config, log, service: entry, options, uuids, onStop }) {
    passwordMethods(config) // a wrong setting is told now, not to each client
    const store = await MailStore.open(config, log, { acknowledges: true })
    onStop(() => store.close())
    const imapd = new Imapd(config, log, store, uuids, entry)
    onStop(async () => imapd.indexer?.stop())
    if (options.has('s') && !imapd.tls)
      throw config.error('tls_server_cert', 'imapd -s needs tls_server_cert and tls_server_key')
    const outside = Number(options.get('p') ?? 0)
    return async (socket, service) => {
      const connection = new Connection(socket, { idleTimeout: LOGIN_SECONDS })
      const session = new Session(imapd, connection, service, outside)
      if (options.has('s')) {
        try {
          await connection.startTls(imapd.tls!.settings, 'server')
        } catch (error) {
          service.log.info(`imaps: ${connection.remote}: ${(error as Error).message}`)
          return
        }
      }
      await session.run()
    }
  },
})
