/** UNAUTHENTICATE (RFC 8437): the conversation goes on as if nobody had logged in yet. As with Cyrus, administrators may do that. */
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'

export const unauthenticate = define({
  name: 'UNAUTHENTICATE',
  states: LOGGED_IN,
  parse: (args) => args.end(),
  async run({ session }) {
    if (!session.mayUnauthenticate) throw new No(`[NOPERM] ${DENIED}`)
    session.logOut()
    return `[CAPABILITY ${session.imapd.greetingCapabilities(session)}] Completed`
  },
})
