/** LSUB (RFC 3501 §6.3.9): subscribed mailboxes that exist; with `%` at the end also the levels above others. */
import { ListPattern } from '../../../lib/imap/list_pattern.js'
import { define, LOGGED_IN } from '../command.js'
import { answerNames, parseListArguments, patternOf } from '../listing.js'
import { lookUp } from '../mailboxes.js'

export const lsub = define<{ reference: string; pattern: string }>({
  name: 'LSUB',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: parseListArguments,
  async run({ session }, { reference, pattern: text }) {
    const namespace = session.namespace!
    const pattern = new ListPattern(patternOf(reference, text, namespace.separator), namespace.separator)
    const names = [...session.imapd.store.subscriptions(session.user!)]
      .filter((name) => lookUp(session, name))
      .map((name) => namespace.toExternal(name))
    await answerNames(session, 'LSUB', names, pattern, {
      parents: text.endsWith('%'),
      attributes: (_, hasChildren) => (hasChildren ? '\\HasChildren' : ''),
    })
    return undefined
  },
})
