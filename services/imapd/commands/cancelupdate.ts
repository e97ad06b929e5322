/** CANCELUPDATE (RFC 5267 §4.3.5): results of searches are no longer kept up to date. */
import { define, SELECTED, selectedOf } from '../command.js'
import { Bad } from '../errors.js'

export const cancelupdate = define<string[]>({
  name: 'CANCELUPDATE',
  states: SELECTED,
  tellsExpunged: true,
  parse(args) {
    const tags: string[] = []
    do {
      args.space()
      tags.push(args.astring().toString('latin1'))
    } while (!args.atEnd)
    return tags
  },
  async run(context, tags) {
    const { contexts } = selectedOf(context)
    if (tags.some((tag) => !contexts.some((each) => each.tag === tag))) throw new Bad('Unknown tag')
    for (const tag of tags)
      contexts.splice(
        contexts.findIndex((each) => each.tag === tag),
        1,
      )
    return 'No further updates'
  },
})
