/** NAMESPACE (RFC 2342). */
import { quotedOrLiteral } from '../../../lib/imap/wire_text.js'
import { define, LOGGED_IN } from '../command.js'

export const namespace = define({
  name: 'NAMESPACE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: (args) => args.end(),
  async run({ session }) {
    const { personalPrefix, otherPrefix, sharedPrefix, separator } = session.namespace!
    const one = (prefix: string): string => `((${quotedOrLiteral(prefix)} "${separator}"))`
    const personal = session.isAdmin ? 'NIL' : one(personalPrefix)
    session.reply.untagged(`NAMESPACE ${personal} ${one(otherPrefix)} ${one(sharedPrefix)}`)
    return undefined
  },
})
