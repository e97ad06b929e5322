/** LIST (RFC 3501 §6.3.8) with children attributes (RFC 3348). */
import { ListPattern } from '../../../lib/imap/list_pattern.js'
import { inboxOf } from '../../../lib/mailbox/names.js'
import { define, LOGGED_IN } from '../command.js'
import { answerNames, parseListArguments, patternOf } from '../listing.js'
import { visible } from '../mailboxes.js'
import { type Pace, pauseIfLong } from '../pace.js'
import type { Session } from '../session.js'

/** External names of all mailboxes that the user may see and the pattern may reach; the user's own tree first. */
async function visibleNames(session: Session, pattern: ListPattern): Promise<string[]> {
  const { store } = session.imapd
  const namespace = session.namespace!
  const own = inboxOf(session.user!)
  const names: string[] = []
  for (const header of store.mailboxes(own)) if (visible(session, header)) names.push(namespace.toExternal(header.name))
  const { prefix } = pattern
  const { personalPrefix } = namespace
  if (prefix === 'INBOX' || (personalPrefix !== '' && prefix.startsWith(personalPrefix))) return names
  const pace: Pace = { since: performance.now() }
  for (const header of store.mailboxes()) {
    const pause = pauseIfLong(session.connection, pace)
    if (pause) await pause
    if (header.name === own || header.name.startsWith(`${own}.`)) continue
    const external = namespace.toExternal(header.name)
    if (external.startsWith(prefix) && visible(session, header)) names.push(external)
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
