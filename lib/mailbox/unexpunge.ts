/** Bringing back what was expunged and not yet removed for good (`expunge_mode: delayed`), as new messages at the mailbox's end. */
import { Flag, type MailboxHeader, type MailStore, type MessageRecord, now, syncLogLine } from '../store/store.js'
import { inSlices } from './slices.js'

const SLICE = 128

/** Expunged messages whose bytes are still there, in UID order. */
export function* expungedMessages(store: MailStore, mailbox: MailboxHeader): Iterable<MessageRecord> {
  const index = store.index(mailbox.id)
  if (index === undefined || index.header.expunged === 0) return
  for (let row = 0; row < index.length; row++) {
    const flags = index.flags(row)
    if (flags & Flag.Expunged && !(flags & Flag.Unlinked)) yield index.record(row)
  }
}

/** What else is done with a message that comes back. */
export interface RestoreOptions {
  /** \Deleted goes */
  readonly undelete: boolean
  /** a keyword that it gets */
  readonly keyword?: string
}

/**
 * Brings messages back. Each gets a new UID, since clients were told that the old one is gone for good (RFC 3501 §2.3.1.1).
 * @param uids ascending; those that are not there to be brought back are passed over
 * @returns old and new UIDs
 * @throws {MailboxGoneError}; {TooManyFlagsError}
 */
export function restoreExpunged(
  store: MailStore,
  mailbox: MailboxHeader,
  uids: readonly number[],
  { undelete, keyword }: RestoreOptions,
): Promise<(readonly [old: number, restored: number])[]> {
  return inSlices(uids, SLICE, (slice) =>
    store.write((txn) => {
      const writer = txn.mustMailbox(mailbox.id)
      const restored: (readonly [number, number])[] = []
      const time = now()
      const bits = writer.flagBits(keyword === undefined ? [] : [keyword])
      for (const uid of slice) {
        const record = writer.record(uid)
        if (record === undefined || !(record.flags & Flag.Expunged) || record.flags & Flag.Unlinked) continue
        const newUid = writer.header.lastUid + 1
        const modseq = writer.nextModseq()
        const annotations = writer.messageAnnotations(uid)
        writer.append(
          {
            ...record,
            uid: newUid,
            modseq,
            createdModseq: modseq,
            lastUpdated: time,
            flags: record.flags & ~(Flag.Expunged | (undelete ? Flag.Deleted : 0)),
            userFlags: record.userFlags.map((word, n) => word | bits[n]!),
          },
          store.messagePath(writer.header, uid),
          txn.cacheOf(writer, uid),
          annotations.map((each) => ({ ...each, modseq })),
        )
        // its bytes stand under the new name now, and it must not come back twice
        writer.update({ ...record, flags: record.flags | Flag.Unlinked, modseq, lastUpdated: time }, [])
        writer.removeFile(uid)
        restored.push([uid, newUid])
      }
      if (restored.length > 0) {
        writer.header.lastAppendDate = time
        txn.log(syncLogLine('APPEND', writer.header.name))
        txn.log(syncLogLine('MAILBOX', writer.header.name))
      }
      return restored
    }),
  )
}
