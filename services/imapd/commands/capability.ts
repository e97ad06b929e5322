/** CAPABILITY (RFC 3501 §6.1.1). */
import { ANY, define } from '../command.js'

export const capability = define({
  name: 'CAPABILITY',
  states: ANY,
  tellsExpunged: true,
  parse: (args) => args.end(),
  async run({ session }) {
    session.reply.untagged(`CAPABILITY ${session.imapd.capabilities(session)}`)
    return undefined
  },
})
