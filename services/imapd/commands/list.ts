/** LIST (RFC 3501 §6.3.8) with children attributes (RFC 3348). */
import { ListPattern } from '../../../lib/imap/list_pattern.js'
import { inboxOf } from '../../../lib/mailbox/names.js'
import { define, LOGGED_IN } from '../command.js'
import { answerNames, parseListArguments, patternOf } from '../listing.js'
import { lookUp } from '../mailboxes.js'
import type { Session } from '../session.js'

const SCAN_SLICE = 500

/** External names of all mailboxes that the user may see and the pattern may reach; the user's own tree first. */
async function visibleNames(session: Session, pattern: ListPattern): Promise<string[]> {
  const { store } = session.imapd
  const namespace = session.namespace!
  const own = inboxOf(session.user!)
  const names: string[] = []
  for (const { name } of store.mailboxes(own)) if (lookUp(session, name)) names.push(namespace.toExternal(name))
  const { prefix } = pattern
  const { personalPrefix } = namespace
  if (prefix === 'INBOX' || (personalPrefix !== '' && prefix.startsWith(personalPrefix))) return names
  let scanned = 0
  // names first: looking mailboxes up over a turn of the event loop needs no open cursor
  const others = [...store.mailboxes()].map(({ name }) => name)
  for (const name of others) {
    if (name === own || name.startsWith(`${own}.`)) continue
    const external = namespace.toExternal(name)
    if (external.startsWith(prefix) && lookUp(session, name)) names.push(external)
    scanned += 1
    if (scanned % SCAN_SLICE === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  return names
}

export const list = define<{ reference: string; pattern: string }>({
  name: 'LIST',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: parseListArguments,
  async run({ session }, { reference, pattern: text }) {
    const { separator } = session.namespace!
    if (text === '') {
      session.reply.untagged(`LIST (\\Noselect) "${separator}" ""`)
      return undefined
    }
    const pattern = new ListPattern(patternOf(reference, text, separator), separator)
    const names = await visibleNames(session, pattern)
    const parents = text.endsWith('%')
    await answerNames(session, 'LIST', names, pattern, {
      parents,
      attributes: (_, hasChildren) => (hasChildren ? '\\HasChildren' : '\\HasNoChildren'),
    })
    return undefined
  },
})
