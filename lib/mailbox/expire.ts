/** Giving back the space of what was expunged or deleted long enough ago, with `expunge_mode: delayed` and `delete_mode: delayed`. */
import { Flag, type MailboxHeader, type MailStore } from '../store/store.js'
import { deleteMailbox } from './folders.js'
import { deletedName, isDeleted } from './names.js'
import { inSlices } from './slices.js'

const SLICE = 256

/**
 * Removes records and files of messages expunged before a time. A replica that has not heard of an expunge by then needs a full comparison of
 * the mailbox, which sync_client makes by itself.
 * @param before unix seconds
 * @returns how many messages
 */
export async function expireExpunged(store: MailStore, mailbox: MailboxHeader, before: number): Promise<number> {
  const index = store.index(mailbox.id)
  if (index === undefined || index.header.expunged === 0) return 0
  const uids: number[] = []
  for (let row = 0; row < index.length; row++) {
    if (index.isExpunged(row) && index.record(row).lastUpdated < before) uids.push(index.uid(row))
  }
  const removed = await inSlices(uids, SLICE, (slice) =>
    store.write((txn) => {
      const writer = txn.mailbox(mailbox.id)
      if (writer === undefined) return []
      // one may have been brought back since
      const still = slice.filter((uid) => (writer.record(uid)?.flags ?? 0) & Flag.Expunged)
      for (const uid of still) writer.unlink(uid)
      return still
    }),
  )
  return removed.length
}

/** When a mailbox below DELETED was deleted, unix seconds; undefined for other mailboxes. */
export function deletedAt(name: string): number | undefined {
  const time = /\.([0-9A-F]{8})$/.exec(name)?.[1]
  return isDeleted(name) && time !== undefined ? Number.parseInt(time, 16) : undefined
}

/**
 * Removes mailboxes deleted before a time, for good.
 * @param prefix internal name at and below which to look; '' for all
 * @returns their names
 */
export async function expireDeleted(store: MailStore, prefix: string, before: number): Promise<string[]> {
  // those of domains are each below a DELETED of their own
  const root = prefix === '' ? '' : deletedName(prefix)
  const names = [...store.mailboxes(root)]
    .map(({ name }) => name)
    .filter((name) => (deletedAt(name) ?? Infinity) < before)
  for (const name of names) await deleteMailbox(store, name)
  return names
}
