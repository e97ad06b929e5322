/**
 * Message flags as bits of a record. The five system flags of RFC 3501 §2.3.2 (\Recent is a matter of sessions, not of records)
 * and two states of our own; names and order are those in which Cyrus' replication writes them (csync.md §6.4).
 */
export const Flag = {
  Answered: 1,
  Flagged: 2,
  Deleted: 4,
  Draft: 8,
  Seen: 16,
  /** expunged: no client sees it; kept for replication, QRESYNC and unexpunge until it is unlinked */
  Expunged: 1 << 30,
  /** expunged and its file is gone */
  Unlinked: 1 << 29,
} as const

/** The bits that a client may set. */
export const SYSTEM_FLAGS = Flag.Answered | Flag.Flagged | Flag.Deleted | Flag.Draft | Flag.Seen

/** Wire names in the order in which replication writes them; `\Expunged` stands before `\Seen`. */
export const FLAG_NAMES: readonly (readonly [name: string, bit: number])[] = [
  ['\\Deleted', Flag.Deleted],
  ['\\Answered', Flag.Answered],
  ['\\Flagged', Flag.Flagged],
  ['\\Draft', Flag.Draft],
  ['\\Expunged', Flag.Expunged],
  ['\\Seen', Flag.Seen],
]

/** Most keywords that a mailbox can have, as in Cyrus. */
export const MAX_USER_FLAGS = 128
