/** The items of STATUS, with SIZE (RFC 8438) and HIGHESTMODSEQ (RFC 7162 §3.1.7), for that command and for LIST's STATUS option (RFC 5819). */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { astring } from '../../lib/imap/wire_text.js'
import { countUnseen, recentUid, seenUids } from '../../lib/mailbox/seen.js'
import type { MailboxHeader, MailStore } from '../../lib/store/store.js'
import { enableCondstore } from './features.js'
import type { Session } from './session.js'
import { lowerBound, visibleUids } from './views.js'

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

/** `(MESSAGES UIDNEXT …)`. @throws {ImapSyntaxError} */
export function parseStatusItems(args: ArgumentReader): ReadonlySet<string> {
  if (args.peek() !== '(') args.fail('Bad status string')
  const items = args.list(() => {
    const item = args.keyword()
    if (!(item in ITEMS)) args.fail(`Invalid Status attributes ${item.toLowerCase().slice(0, 40)}`)
    return item
  })
  if (items.length === 0) args.fail('Bad status string')
  return new Set(items)
}

/** Answers for one mailbox, which the user may read. */
export function tellStatus(session: Session, header: MailboxHeader, items: ReadonlySet<string>): void {
  if (items.has('HIGHESTMODSEQ')) enableCondstore(session, 'STATUS')
  const answers = Object.entries(ITEMS)
    .filter(([item]) => items.has(item))
    .map(([item, count]) => `${item} ${count(session.imapd.store, header, session.user!)}`)
  session.reply.untagged(`STATUS ${astring(session.namespace!.toExternal(header.name))} (${answers.join(' ')})`)
}
