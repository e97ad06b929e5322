/** ENABLE (RFC 5161). Nothing here needs enabling yet, so whatever is asked for is passed over, as the RFC wants it. */
import { define, LOGGED_IN } from '../command.js'

export const enable = define<string[]>({
  name: 'ENABLE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    const names: string[] = []
    do {
      args.space()
      names.push(args.atom().toUpperCase())
    } while (!args.atEnd)
    return names
  },
  async run({ session }) {
    session.reply.untagged('ENABLED')
    return undefined
  },
})
