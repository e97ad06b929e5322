/**
 * A mailbox's header: identity, counters, rights. Packed as an array in the order of FIELDS; fields are only ever added at the end.
 */

/** Everything about a mailbox but its messages. A value read from the store is a snapshot and never changes. */
export interface MailboxHeader {
  /** the store's own number, for the life of the mailbox; never on a wire */
  id: number
  uniqueid: string
  /** internal name: `user.alice.Archive` */
  name: string
  /** '' for mail; else csync.md §6.2's letters: `f` sieve, `i` intermediate, `d` tombstone */
  mbtype: string
  partition: string
  /** `identifier TAB rights TAB …` */
  acl: string
  uidvalidity: number
  /** highest UID ever assigned */
  lastUid: number
  highestModseq: number
  createdModseq: number
  /** modseq of the last change of name, ACL, annotations */
  folderModseq: number
  /** highest modseq of a record that was removed for good: a peer that knows less needs a full comparison */
  deletedModseq: number
  /** messages up to this UID are no longer \Recent */
  recentUid: number
  /** unix seconds, as all times here */
  recentTime: number
  lastAppendDate: number
  pop3LastLogin: number
  pop3ShowAfter: number
  /** letters: P new POP3 UIDLs, S shared \Seen, D duplicates allowed */
  options: string
  /** keywords by number; null where one was given up */
  userFlags: readonly (string | null)[]
  /** messages that are not expunged; the counters below count among these */
  exists: number
  /** without the owner's \Seen */
  unseen: number
  answered: number
  flagged: number
  deleted: number
  octets: number
  /** SYNC_CRC and SYNC_CRC_ANNOT (csync.md §7) */
  crcBasic: number
  crcAnnot: number
  raclModseq: number
  xconvModseq: number
  /** raised by every transaction that changes the mailbox */
  version: number
  /** versions and first UIDs of the blocks they changed, oldest first: [version, firstUid, …]; see index.ts */
  changes: readonly number[]
  /** the version from which on `changes` is complete */
  changesSince: number
  /** expunged records that are still in the index */
  expunged: number
  /** stored annotations of messages; 0 spares looking for them */
  annotated: number
  /** bytes of all stored annotation values, the mailbox's own and its messages' */
  annotationOctets: number
  /** when a transaction last changed it, unix seconds */
  changedAt: number
  /**
   * the owner's reading as the 2.3 generation tells it: 0 nothing was ever read; [when it last changed, UIDs read that were not here yet] as a
   * master has told it; the time is -1 when it has changed here since
   */
  ownerSeen: readonly [lastChange: number, ahead: string] | 0
}

const FIELDS = [
  'id',
  'uniqueid',
  'name',
  'mbtype',
  'partition',
  'acl',
  'uidvalidity',
  'lastUid',
  'highestModseq',
  'createdModseq',
  'folderModseq',
  'deletedModseq',
  'recentUid',
  'recentTime',
  'lastAppendDate',
  'pop3LastLogin',
  'pop3ShowAfter',
  'options',
  'userFlags',
  'exists',
  'unseen',
  'answered',
  'flagged',
  'deleted',
  'octets',
  'crcBasic',
  'crcAnnot',
  'raclModseq',
  'xconvModseq',
  'version',
  'changes',
  'changesSince',
  'expunged',
  'annotated',
  'annotationOctets',
  'changedAt',
  'ownerSeen',
] as const satisfies readonly (keyof MailboxHeader)[]

export type PackedHeader = readonly unknown[]

export function packHeader(header: MailboxHeader): PackedHeader {
  return FIELDS.map((field) => header[field])
}

export function unpackHeader(packed: PackedHeader): MailboxHeader {
  const header: Record<string, unknown> = {}
  // a header written before its last fields were thought of lacks them
  for (let at = 0; at < FIELDS.length; at++) header[FIELDS[at]!] = packed[at] ?? 0
  return header as unknown as MailboxHeader
}
