/** UNSELECT (RFC 3691): leaves the mailbox and expunges nothing. */
import { define, SELECTED } from '../command.js'

export const unselect = define({
  name: 'UNSELECT',
  states: SELECTED,
  leaves: true,
  parse: (args) => args.end(),
  async run({ session }) {
    session.deselect()
    return undefined
  },
})
