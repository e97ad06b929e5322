/**
 * What was worked out of messages, kept for all sessions of the process: a message never changes, so that it need be done once.
 * Tables are kept by mailbox, each by UID; when there are too many values the mailboxes used longest ago give theirs up.
 */
import type { MailboxHeader, MailStore } from '../../lib/store/store.js'

/** Tables of one mailbox: kind of value → UID → value. */
export type MemoTables = Record<string, Map<number, unknown>>

/** Values kept in a process; some 100 bytes each. */
const MOST = 400_000

const ofStore = new WeakMap<MailStore, Map<string, MemoTables>>()

/** The tables of a mailbox, which is now the one used last. */
export function memoTables(store: MailStore, header: MailboxHeader): MemoTables {
  let mailboxes = ofStore.get(store)
  if (!mailboxes) {
    mailboxes = new Map()
    ofStore.set(store, mailboxes)
  }
  const key = `${header.id} ${header.uidvalidity}`
  const tables = mailboxes.get(key) ?? {}
  mailboxes.delete(key)
  mailboxes.set(key, tables)
  let values = 0
  for (const each of mailboxes.values()) values += sizeOf(each)
  for (const [each, old] of mailboxes) {
    if (values <= MOST || old === tables) break
    values -= sizeOf(old)
    mailboxes.delete(each)
  }
  return tables
}

function sizeOf(tables: MemoTables): number {
  let values = 0
  for (const table of Object.values(tables)) values += table.size
  return values
}
