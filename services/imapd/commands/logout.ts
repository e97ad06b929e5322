/** LOGOUT (RFC 3501 §6.1.3). */
import { ANY, define } from '../command.js'

export const logout = define({
  name: 'LOGOUT',
  states: ANY,
  parse: (args) => args.end(),
  async run({ session }) {
    session.deselect()
    session.reply.untagged('BYE LOGOUT received')
    session.finished = true
    return undefined
  },
})
