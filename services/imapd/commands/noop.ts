/** NOOP (RFC 3501 §6.1.2): a moment to tell of changes. */
import { ANY, define } from '../command.js'

export const noop = define({
  name: 'NOOP',
  states: ANY,
  tellsExpunged: true,
  parse: (args) => args.end(),
  async run() {
    return undefined
  },
})
