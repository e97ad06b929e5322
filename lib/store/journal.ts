/**
 * What has changed that is not a mailbox's messages: names and rights, subscriptions, annotations. The last of these changes are kept in the
 * order in which they were committed, so that who watches (NOTIFY, RFC 5465) learns what happened and not only that something did. It is a memory for
 * those who are connected, not a log: who comes too late for an entry has to look for himself.
 */
import type { Tables } from './database.js'
import type { Granted } from './granted.js'

/** One change. */
export type JournalEntry =
  /** a mailbox has come (no `before`), gone (no `after`), or has another name or ACL */
  | {
      readonly kind: 'mailbox'
      readonly id: number
      readonly mbtype: string
      readonly before: Granted | undefined
      readonly after: Granted | undefined
    }
  /** @property name internal; there need not be such a mailbox */
  | { readonly kind: 'subscription'; readonly userid: string; readonly name: string }
  /** @property id of the mailbox, 0 for the server  @property userid '' for the shared value */
  | { readonly kind: 'annotation'; readonly id: number; readonly entry: string; readonly userid: string }

/** Entries kept. */
export const JOURNAL_KEPT = 1024

/** Number of the last entry; 0 when there was none yet. */
export function journalEnd({ journal }: Tables): number {
  for (const sequence of journal.getKeys({ start: Number.MAX_SAFE_INTEGER, reverse: true, limit: 1 })) return sequence
  return 0
}

/** Inside a transaction: adds an entry and forgets the oldest. @param end number of the last one  @returns that of the new one */
export function addToJournal({ journal }: Tables, entry: JournalEntry, end: number): number {
  journal.put(end + 1, entry)
  if (end >= JOURNAL_KEPT) journal.remove(end + 1 - JOURNAL_KEPT)
  return end + 1
}

/** @returns the entries behind a number, oldest first; undefined when some of them are forgotten */
export function journalAfter({ journal }: Tables, sequence: number): JournalEntry[] | undefined {
  const found: JournalEntry[] = []
  let expected = sequence + 1
  for (const { key, value } of journal.getRange({ start: expected })) {
    if (key !== expected) return undefined
    expected += 1
    found.push(value)
  }
  return found
}
