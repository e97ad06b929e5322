/**
 * Who has read what, as the 2.3 generation tells it – for each user and mailbox the UIDs read, owner or not – against how the store keeps it: the
 * owner's \Seen in the records, others' as such a set (lib/mailbox/seen.ts).
 *
 * A 2.3 master may tell what its user has read before it sends the message. So what is told of UIDs that are not here yet waits in the header
 * (`ownerSeen`) for the message to come.
 */
import { hasInternalSeen } from '../../mailbox/seen.js'
import { contains, difference, formatUidSet, parseUidSet, type UidRanges } from '../../mailbox/uid_set.js'
import {
  Flag,
  type MailboxHeader,
  type MailboxIndex,
  type MailboxWriter,
  type MailStore,
  type SeenEntry,
  type StoreTransaction,
  syncLogLine,
} from '../../store/store.js'

/** Records changed in one transaction: a few milliseconds' work. */
const SLICE = 256

/**
 * What a user has read in a mailbox, as it is told; its lastChange is when any record changed last, where nothing better is known.
 * @returns undefined if nothing is known of it
 */
export function seenEntryOf(store: MailStore, mailbox: MailboxHeader, userid: string): SeenEntry | undefined {
  if (!hasInternalSeen(mailbox, userid)) return store.seen(userid, mailbox.uniqueid)
  const index = store.index(mailbox.id)
  return index && ownerEntry(index)
}

function ownerEntry(index: MailboxIndex): SeenEntry | undefined {
  const { recentTime, recentUid, ownerSeen } = index.header
  // a range goes on to the next message that is not read, as 2.3 writes it
  const seen: UidRanges = []
  let open = false
  let changed = 0
  for (let row = 0; row < index.length; row++) {
    const flags = index.flags(row)
    changed = Math.max(changed, index.lastUpdated(row))
    if (flags & Flag.Expunged) continue
    const uid = index.uid(row)
    const last = seen.at(-1)
    if (flags & Flag.Seen) {
      if (open) last![1] = uid
      else seen.push([uid, uid])
    } else if (open) last![1] = uid - 1
    open = (flags & Flag.Seen) !== 0
  }
  if (recentTime === 0 && seen.length === 0 && ownerSeen === 0) return undefined
  const [told, ahead] = ownerSeen || [-1, '']
  const seenUids = formatUidSet([...seen, ...parseUidSet(ahead)])
  // what a master has told stands until something changes here (mailbox_writer.ts)
  const lastChange = told >= 0 ? told : changed
  return { lastRead: recentTime, lastUid: recentUid, lastChange, seenUids }
}

/** Sets what a user has read in a mailbox, to the last UID. Durable when it resolves. @throws {MailboxGoneError} */
export async function setSeenEntry(
  store: MailStore,
  mailbox: MailboxHeader,
  userid: string,
  entry: SeenEntry,
): Promise<void> {
  if (!hasInternalSeen(mailbox, userid)) {
    await store.write((txn) => setGuestEntry(txn, userid, mailbox.uniqueid, entry))
    return
  }
  const seen = parseUidSet(entry.seenUids)
  const index = store.index(mailbox.id)
  const changed: number[] = []
  for (let row = 0; row < (index?.length ?? 0); row++) {
    const flags = index!.flags(row)
    const uid = index!.uid(row)
    if (!(flags & Flag.Expunged) && ((flags & Flag.Seen) !== 0) !== contains(seen, uid)) changed.push(uid)
  }
  const last = index === undefined || index.length === 0 ? 0 : index.uid(index.length - 1)
  for (let at = 0; at === 0 || at < changed.length; at += SLICE) {
    await store.write((txn) => {
      const writer = txn.mustMailbox(mailbox.id)
      setOwnerFlags(writer, changed.slice(at, at + SLICE), seen, entry.lastChange)
      if (at + SLICE < changed.length) return
      const { header } = writer
      header.recentTime = entry.lastRead
      header.recentUid = entry.lastUid
      header.ownerSeen = [entry.lastChange, formatUidSet(difference(seen, [[0, last]]))]
      writer.touch()
      txn.log(syncLogLine('SEEN', userid, header.name))
      txn.log(syncLogLine('MAILBOX', header.name))
    })
  }
}

function setOwnerFlags(
  writer: MailboxWriter,
  uids: readonly number[],
  seen: ReturnType<typeof parseUidSet>,
  time: number,
): void {
  let modseq = 0
  for (const uid of uids) {
    const record = writer.record(uid)
    if (record === undefined) continue
    const flags = contains(seen, uid) ? record.flags | Flag.Seen : record.flags & ~Flag.Seen
    if (flags === record.flags) continue
    modseq ||= writer.nextModseq()
    writer.update({ ...record, flags, modseq, lastUpdated: Math.max(record.lastUpdated, time) })
  }
}

/** Inside a transaction: what a guest has read. */
export function setGuestEntry(txn: StoreTransaction, userid: string, uniqueid: string, entry: SeenEntry): void {
  txn.setSeen(userid, uniqueid, entry)
  txn.log(syncLogLine('SEEN', userid, uniqueid))
}

/**
 * Whether an entry that is told takes the place of one that is here (csync-2.3.md §4.11). Of two from one second the later told counts, which 2.3.8
 * leaves out.
 */
export function isNewer(told: SeenEntry, here: SeenEntry | undefined): boolean {
  if (here === undefined || told.lastUid > here.lastUid || told.lastChange > here.lastChange) return true
  return told.lastUid === here.lastUid && told.lastChange === here.lastChange
}
