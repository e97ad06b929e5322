/** LOGIN (RFC 3501 §6.2.3). */
import { isEncrypted } from '../../../lib/net/channel.js'
import { checkPassword } from '../../../lib/sasl/check_password.js'
import { ANONYMOUS, allowsAnonymous } from '../../../lib/sasl/server_anonymous.js'
import { allowsPlaintext } from '../../../lib/sasl/server_mechanism.js'
import { admit } from '../admission.js'
import { ANSWERED, define } from '../command.js'
import { Bad, No } from '../errors.js'
import type { Session } from '../session.js'

/** The text of OK once somebody is in: capabilities, and the session's id by which the log can be searched. */
export function loggedInText(session: Session, text: string): string {
  return `[CAPABILITY ${session.imapd.capabilities(session)}] ${text} SESSIONID=<${session.service.id}>`
}

export const login = define<{ user: string; password: string }>({
  name: 'LOGIN',
  states: ['not authenticated'],
  parse(args) {
    args.space()
    const user = args.astring().toString('utf8')
    args.space()
    const password = args.astring().toString('utf8')
    args.end()
    return { user, password }
  },
  async run({ session }, { user, password }) {
    const { config } = session.imapd
    const { log } = session.service
    if (session.user !== undefined) throw new Bad('Already logged in')
    const { channel } = session
    if (!allowsPlaintext(config, channel)) throw new No('[PRIVACYREQUIRED] Login only available under a layer')
    // with allowanonymouslogin any password will do (Cyrus)
    const checked =
      user.toLowerCase() === ANONYMOUS && allowsAnonymous(config, channel)
        ? ({ ok: true, user: ANONYMOUS } as const)
        : await checkPassword(config, 'imap', user, password, channel.remote)
    if (!checked.ok) {
      log.notice(
        `badlogin: ${session.connection.remote} plaintext ${JSON.stringify(user.slice(0, 80))} ${checked.reason}`,
      )
      throw new No('[AUTHENTICATIONFAILED] Login failed: authentication failure')
    }
    if (!(await admit(session, checked.user))) return ANSWERED
    log.notice(
      `login: ${session.connection.remote} ${checked.user} plaintext${isEncrypted(channel) ? '+TLS' : ''} User logged in SESSIONID=<${session.service.id}>`,
    )
    return loggedInText(session, 'User logged in')
  },
})
