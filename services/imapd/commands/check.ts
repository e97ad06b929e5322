/** CHECK (RFC 3501 §6.4.1): all that was acknowledged is on disk already, so it is NOOP of the selected state. */
import { define, SELECTED } from '../command.js'

export const check = define({
  name: 'CHECK',
  states: SELECTED,
  tellsExpunged: true,
  parse: (args) => args.end(),
  async run() {
    return undefined
  },
})
