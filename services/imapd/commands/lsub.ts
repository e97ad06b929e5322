/** LSUB (RFC 3501 §6.3.9): subscribed mailboxes that exist; with `%` at the end also the levels above others. */
import { define, LOGGED_IN } from '../command.js'
import { answerNames, isBelow, ListPatterns, parseListArguments, subscribedNames, useAttributes } from '../listing.js'

export const lsub = define<{ reference: string; pattern: string }>({
  name: 'LSUB',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: parseListArguments,
  async run({ session }, { reference, pattern }) {
    const { separator } = session.namespace!
    const names = subscribedNames(session).filter(({ found }) => found !== undefined)
    const always = session.imapd.config.switch('specialusealways')
    await answerNames(session, names, {
      word: 'LSUB',
      patterns: new ListPatterns(session, reference, [pattern]),
      missing: '\\Noselect',
      attributes: (name) => (always ? useAttributes(session, name) : []),
      // what is subscribed below, and nothing where that is nothing
      hasChildren: (name, next) => isBelow(next, name, separator) || undefined,
    })
    return undefined
  },
})
