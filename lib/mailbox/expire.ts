/** Giving back the space of what was expunged or deleted long enough ago, with `expunge_mode: delayed` and `delete_mode: delayed`. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Flag, type MailboxHeader, type MailStore } from '../store/store.js'
import { deleteMailbox } from './folders.js'
import { isDeleted } from './names.js'

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
  let removed = 0
  for (let at = 0; at < uids.length; at += SLICE) {
    if (at > 0) await nextTurn()
    removed += await store.write((txn) => {
      const writer = txn.mailbox(mailbox.id)
      if (writer === undefined) return 0
      let count = 0
      for (const uid of uids.slice(at, at + SLICE)) {
        // it may have been brought back since
        if (!((writer.record(uid)?.flags ?? 0) & Flag.Expunged)) continue
        writer.unlink(uid)
        count++
      }
      return count
    })
  }
  return removed
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
  const root = prefix === '' ? 'DELETED' : `DELETED.${prefix}`
  const names = [...store.mailboxes(root)]
    .map(({ name }) => name)
    .filter((name) => (deletedAt(name) ?? Infinity) < before)
  for (const name of names) await deleteMailbox(store, name)
  return names
}
