/** ENABLE (RFC 5161): what is asked for and not known is passed over. */
import { define, LOGGED_IN } from '../command.js'
import { enable as switchOn } from '../features.js'

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
  async run({ session }, names) {
    session.reply.untagged(['ENABLED', ...switchOn(session, names)].join(' '))
    return undefined
  },
})
