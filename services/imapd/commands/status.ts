/** STATUS (RFC 3501 §6.3.10) with SIZE (RFC 8438) and HIGHESTMODSEQ (RFC 7162 §3.1.7). */
import { astring } from '../../../lib/imap/wire_text.js'
import { countUnseen, recentUid, seenUids } from '../../../lib/mailbox/seen.js'
import type { MailboxHeader, MailStore } from '../../../lib/store/store.js'
import { define, LOGGED_IN } from '../command.js'
import { enableCondstore } from '../features.js'
import { mustFind } from '../mailboxes.js'
import { lowerBound, visibleUids } from '../views.js'

type Item = (store: MailStore, header: MailboxHeader, userid: string) => number

/** In the order of Cyrus' answer. */
const ITEMS: Readonly<Record<string, Item>> = {
  MESSAGES: (_, header) => header.exists,
  RECENT: countRecent,
  UIDNEXT: (_, header) => header.lastUid + 1,
  UIDVALIDITY: (_, header) => header.uidvalidity,
  UNSEEN: unseen,
  SIZE: (_, header) => header.octets,
  HIGHESTMODSEQ: (_, header) => header.highestModseq,
}

function countRecent(store: MailStore, header: MailboxHeader, userid: string): number {
  const from = recentUid(store, header, userid) + 1
  if (from > header.lastUid) return 0
  const index = store.index(header.id)
  if (!index) return 0
  const uids = visibleUids(index)
  return uids.length - lowerBound(uids, from)
}

function unseen(store: MailStore, header: MailboxHeader, userid: string): number {
  const guest = seenUids(store, header, userid)
  if (!guest) return header.unseen
  const index = store.index(header.id)
  return index ? countUnseen(index, guest) : 0
}

export const status = define<{ name: string; items: ReadonlySet<string> }>({
  name: 'STATUS',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const name = args.mailbox()
    args.space()
    if (args.peek() !== '(') args.fail('Bad status string')
    const items = args.list(() => {
      const item = args.keyword()
      if (!(item in ITEMS)) args.fail(`Invalid Status attributes ${item.toLowerCase().slice(0, 40)}`)
      return item
    })
    args.end()
    if (items.length === 0) args.fail('Bad status string')
    return { name, items: new Set(items) }
  },
  async run({ session }, { name, items }) {
    const { header } = mustFind(session, name, 'r')
    if (items.has('HIGHESTMODSEQ')) enableCondstore(session, 'STATUS')
    const answers = Object.entries(ITEMS)
      .filter(([item]) => items.has(item))
      .map(([item, count]) => `${item} ${count(session.imapd.store, header, session.user!)}`)
    session.reply.untagged(`STATUS ${astring(session.namespace!.toExternal(header.name))} (${answers.join(' ')})`)
    return undefined
  },
})
