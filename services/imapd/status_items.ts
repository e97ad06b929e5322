/**
 * The items of STATUS, with SIZE (RFC 8438), HIGHESTMODSEQ (RFC 7162 §3.1.7), MAILBOXID (RFC 8474 §4.3),
 * DELETED (RFC 9051), DELETED-STORAGE (RFC 9208), APPENDLIMIT (RFC 7889), for that command and for LIST's STATUS option (RFC 5819).
 */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { astring } from '../../lib/imap/wire_text.js'
import { countUnseen, recentUid, seenUids } from '../../lib/mailbox/seen.js'
import { Flag, type MailboxHeader, type MailStore } from '../../lib/store/store.js'
import { Bad } from './errors.js'
import { enableCondstore } from './features.js'
import type { Session } from './session.js'
import { lowerBound } from './views.js'

type Item = (store: MailStore, header: MailboxHeader, userid: string) => number | string

/** In the order of Cyrus' answer. */
const ITEMS: Readonly<Record<string, Item>> = {
  MESSAGES: (_, header) => header.exists,
  RECENT: countRecent,
  UIDNEXT: (_, header) => header.lastUid + 1,
  UIDVALIDITY: (_, header) => header.uidvalidity,
  MAILBOXID: (_, header) => `(${header.uniqueid})`,
  UNSEEN: unseen,
  SIZE: (_, header) => header.octets,
  CREATEDMODSEQ: (_, header) => header.createdModseq,
  HIGHESTMODSEQ: (_, header) => header.highestModseq,
  DELETED: (_, header) => header.deleted,
  'DELETED-STORAGE': deletedStorage,
  APPENDLIMIT: ({ config }) => config.size('maxmessagesize') || 4294967295,
}

function countRecent(store: MailStore, header: MailboxHeader, userid: string): number {
  const from = recentUid(store, header, userid) + 1
  if (from > header.lastUid) return 0
  const index = store.index(header.id)
  if (!index) return 0
  const uids = index.visibleUids
  return uids.length - lowerBound(uids, from)
}

/** Bytes of the messages with \Deleted. */
function deletedStorage(store: MailStore, header: MailboxHeader): number {
  const index = header.deleted === 0 ? undefined : store.index(header.id)
  let octets = 0
  for (let row = 0; row < (index?.length ?? 0); row += 1)
    if ((index!.flags(row) & (Flag.Deleted | Flag.Expunged)) === Flag.Deleted) octets += index!.size(row)
  return octets
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

/** Answers for one mailbox, which the user may read. @param name as the client calls it */
export function tellStatus(
  session: Session,
  header: MailboxHeader,
  items: ReadonlySet<string>,
  name = session.namespace!.toExternal(header.name),
): void {
  if (session.features.imap4rev2 && items.has('RECENT'))
    throw new Bad('Invalid Status attributes recent: IMAP4rev2 has none')
  if (items.has('HIGHESTMODSEQ')) enableCondstore(session, 'STATUS')
  writeStatus(session, header, items, name)
}

/** STATUS as asked for by no command. */
export function writeStatus(
  session: Session,
  header: MailboxHeader,
  items: ReadonlySet<string>,
  name = session.namespace!.toExternal(header.name),
): void {
  const answers = Object.entries(ITEMS)
    .filter(([item]) => items.has(item))
    .map(([item, count]) => `${item} ${count(session.imapd.store, header, session.user!)}`)
  session.reply.untagged(`STATUS ${astring(name)} (${answers.join(' ')})`)
}
