/**
 * SCAN (of UW IMAP, which Cyrus 3.6 has too; for Pine and Alpine): LIST of those mailboxes that hold a text in some message, as SEARCH TEXT
 * finds it.
 */
import { searchForm } from '../../../lib/message/search_text.js'
import { type CommandContext, define, LOGGED_IN } from '../command.js'
import { Features } from '../features.js'
import { answerNames, hasVisibleChild, type ListedName, ListPatterns, useAttributes } from '../listing.js'
import { searchMessages } from '../search/run.js'
import { Selected } from '../selected.js'
import { visibleMailboxes } from '../visible_mailboxes.js'

async function* holding(context: CommandContext, patterns: ListPatterns, text: string): AsyncIterable<ListedName> {
  const { session } = context
  const { store } = session.imapd
  for await (const { external, header, rights } of visibleMailboxes(session, patterns)) {
    if (!patterns.matches(external) || !rights.has('r') || header.exists === 0) continue
    const index = store.index(header.id)
    if (index === undefined) continue
    // looked at, not selected: nothing is claimed as \Recent
    const looked = new Selected(store, index, session.user!, session.isAdmin, true, new Features())
    const found = await searchMessages(context, looked, { type: 'text', value: text }, [])
    if (found.length > 0) yield { external, internal: header.name, found: { header, rights }, subscribed: false }
  }
}

export const scan = define<{ reference: string; pattern: string; text: string }>({
  name: 'SCAN',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const reference = args.astring().toString('latin1')
    args.space()
    const pattern = args.listMailbox().toString('latin1')
    args.space()
    const text = searchForm(args.astring().toString('utf8'))
    args.end()
    return { reference, pattern, text }
  },
  async run(context, { reference, pattern, text }) {
    const { session } = context
    const patterns = new ListPatterns(session, reference, [pattern])
    await answerNames(session, holding(context, patterns, text), {
      word: 'LIST',
      patterns,
      missing: undefined,
      attributes: (name) => useAttributes(session, name),
      hasChildren: ({ internal }) => hasVisibleChild(session, internal),
    })
    return undefined
  },
})
