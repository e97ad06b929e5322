/** The program `lmtpd`: takes mail for the store over LMTP, many conversations in one process. */
import { Connection } from '../../lib/net/connection.js'
import { runService } from '../../lib/process/service.js'
import { cyrusVersion } from '../../lib/process/version.js'
import { passwordMethods } from '../../lib/sasl/check_password.js'
import { MailStore } from '../../lib/store/store.js'
import { converse } from './session.js'

runService({
  program: 'lmtpd',
  usage: `usage: lmtpd [-C file] [-U uses] [-T seconds] [-D] [-a] [-X]

  -C file     imapd.conf (/etc/imapd.conf)
  -U uses     leave after so many connections
  -T seconds  leave after so long without a connection (60)
  -D          run debug_command first
  -a          take mail from TCP clients without authentication
  -X          serve stdin and stdout once, without master

Started by master; see lmtpd(8).
`,
  options: 'a',
  connections: 200,
  async start({ config, log, options, uuids, onStop }) {
    passwordMethods(config) // a wrong setting is told now, not to each client
    const store = await MailStore.open(config, log, { acknowledges: true })
    onStop(() => store.close())
    const service = { config, store, log, uuids, preauthorized: options.has('a'), version: cyrusVersion() }
    return (socket, session) => converse(service, new Connection(socket), session)
  },
})
