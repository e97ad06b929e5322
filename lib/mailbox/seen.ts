/**
 * Who has read what. A mailbox's owner (and everyone, in a mailbox with option S) has the \Seen flag in the records themselves;
 * others have a set of UIDs of their own, kept by user and uniqueid, as Cyrus does.
 */
import {
  Flag,
  type MailboxHeader,
  type MailboxIndex,
  type MailboxWriter,
  type MailStore,
  now,
  type StoreTransaction,
  syncLogLine,
} from '../store/store.js'
import { ownerOf } from './names.js'
import { contains, difference, formatUidSet, parseUidSet, rangesOf, type UidRanges, union } from './uid_set.js'

/** Whether a user's \Seen is the flag in the records. */
export function hasInternalSeen(mailbox: Pick<MailboxHeader, 'name' | 'options'>, userid: string): boolean {
  return mailbox.options.includes('S') || ownerOf(mailbox.name) === userid
}

/** What a user has read in a mailbox where they are a guest; undefined where the records tell. */
export function seenUids(store: MailStore, mailbox: MailboxHeader, userid: string): UidRanges | undefined {
  if (hasInternalSeen(mailbox, userid)) return undefined
  return parseUidSet(store.seen(userid, mailbox.uniqueid)?.seenUids ?? '')
}

/** Whether a row is \Seen, with `guest` as from seenUids. */
export function isSeen(index: MailboxIndex, row: number, guest: UidRanges | undefined): boolean {
  return guest === undefined ? (index.flags(row) & Flag.Seen) !== 0 : contains(guest, index.uid(row))
}

/** Messages that a user has not read. */
export function countUnseen(index: MailboxIndex, guest: UidRanges | undefined): number {
  if (guest === undefined) return index.header.unseen
  let unseen = 0
  for (let row = 0; row < index.length; row++) if (!index.isExpunged(row) && !contains(guest, index.uid(row))) unseen++
  return unseen
}

/** Inside a transaction: what a guest has read. */
export function guestSeen(txn: StoreTransaction, writer: MailboxWriter, userid: string): UidRanges {
  return parseUidSet(txn.seen(userid, writer.header.uniqueid)?.seenUids ?? '')
}

/** Inside a transaction: adds or removes UIDs from a guest's set. @param uids ascending */
export function changeGuestSeen(
  txn: StoreTransaction,
  mailbox: MailboxHeader,
  userid: string,
  uids: Iterable<number>,
  seen: boolean,
): void {
  const before = txn.seen(userid, mailbox.uniqueid)
  const old = parseUidSet(before?.seenUids ?? '')
  const changed = rangesOf(uids)
  const seenUids = formatUidSet(seen ? union(old, changed) : difference(old, changed))
  if (seenUids === (before?.seenUids ?? '')) return
  txn.setSeen(userid, mailbox.uniqueid, { lastRead: now(), lastUid: mailbox.lastUid, lastChange: now(), seenUids })
  txn.log(syncLogLine('SEEN', userid, mailbox.uniqueid))
}

/**
 * Remembers that a session has been told of all messages up to a UID, so that later ones do not call them \Recent.
 * @param userid the owner's is kept in the mailbox, a guest's with their seen state
 */
export async function markRecent(store: MailStore, mailbox: MailboxHeader, userid: string, uid: number): Promise<void> {
  if (hasInternalSeen(mailbox, userid)) {
    if (mailbox.recentUid >= uid) return
    await store.write((txn) => {
      const writer = txn.mailbox(mailbox.id)
      if (writer === undefined || writer.header.recentUid >= uid) return
      writer.header.recentUid = uid
      writer.header.recentTime = now()
      writer.touch()
      txn.log(syncLogLine('MAILBOX', writer.header.name))
    })
  } else {
    const entry = store.seen(userid, mailbox.uniqueid)
    if ((entry?.lastUid ?? 0) >= uid) return
    await store.write((txn) => {
      const current = txn.seen(userid, mailbox.uniqueid)
      txn.setSeen(userid, mailbox.uniqueid, { lastChange: 0, seenUids: '', ...current, lastRead: now(), lastUid: uid })
      txn.log(syncLogLine('SEEN', userid, mailbox.uniqueid))
    })
  }
}

/** UID up to which messages are not \Recent for a user. */
export function recentUid(store: MailStore, mailbox: MailboxHeader, userid: string): number {
  return hasInternalSeen(mailbox, userid) ? mailbox.recentUid : (store.seen(userid, mailbox.uniqueid)?.lastUid ?? 0)
}
