/** Moving mailboxes to another partition: their messages are copied there first, then the mailbox changes its place in one commit. */
import { Flag, type MailboxHeader, type MailStore, type Staged, syncLogLine } from '../store/store.js'
import { BadNameError } from './folders.js'

/** How often it is tried again when mail has come in between. */
const ATTEMPTS = 5

/** Every message of a mailbox, staged on another partition: on disk, and not in memory. Whoever asks unstages them. */
export async function stageAll(
  store: MailStore,
  mailbox: MailboxHeader,
  partition: string,
): Promise<Map<number, Staged>> {
  const all = new Map<number, Staged>()
  const index = store.index(mailbox.id)
  try {
    for (let row = 0; row < (index?.length ?? 0); row++) {
      if (index!.flags(row) & Flag.Unlinked) continue
      const uid = index!.uid(row)
      const staged = await store.stageBuffer(partition, await store.readMessage(mailbox, uid), { synced: true })
      all.set(uid, { ...staged, message: undefined })
    }
    return all
  } catch (error) {
    for (const staged of all.values()) store.unstage(staged)
    throw error
  }
}

/**
 * Moves one mailbox.
 * @returns false if it is there already
 * @throws {BadNameError} without such a partition; {MailboxGoneError}; the file system's error when full; {Error} if messages keep coming
 */
export async function moveToPartition(store: MailStore, mailbox: MailboxHeader, partition: string): Promise<boolean> {
  if (!store.hasPartition(partition)) throw new BadNameError(`no partition "${partition}"`)
  if (mailbox.partition === partition) return false
  for (let attempt = 1; ; attempt++) {
    const staged = await stageAll(store, mailbox, partition)
    try {
      await store.write((txn) => {
        const writer = txn.mustMailbox(mailbox.id)
        txn.move(writer, partition, new Map([...staged].map(([uid, { path }]) => [uid, path])))
        writer.header.folderModseq = writer.nextModseq()
        const { name } = writer.header
        txn.log(syncLogLine('RENAME', name, name))
        txn.log(syncLogLine('MAILBOX', name))
      })
      return true
    } catch (error) {
      if (attempt === ATTEMPTS || !/was added during a move/.test((error as Error).message)) throw error
    } finally {
      for (const each of staged.values()) store.unstage(each)
    }
  }
}
