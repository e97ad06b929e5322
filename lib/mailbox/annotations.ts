/**
 * Changing annotations of the server, of mailboxes and of messages, each as one durable change with the replication log line that Cyrus
 * writes for it (csync.md §10.2). Who may change what is the caller's matter (annotation_access.ts); what an entry's values are is
 * annotation_entries.ts'. Reading is the store's: `store.annotations(id)`, `store.messageAnnotations(id, uid)`.
 */
import { parseDateTime } from '../imap/date_time.js'
import {
  type Annotation,
  Flag,
  type MailboxHeader,
  type MailboxWriter,
  type MailStore,
  now,
  type StoreTransaction,
  syncLogLine,
  VENDOR,
} from '../store/store.js'
import { checkAnnotationQuota } from './quota.js'
import { inSlices } from './slices.js'

/** One value to be set. */
export interface AnnotationChange {
  /** `/comment`, lower case */
  readonly entry: string
  /** '' for the shared value, else the user whose private value it is */
  readonly userid: string
  /** empty or undefined: the annotation goes */
  readonly value: Buffer | undefined
}

const NOTHING = Buffer.alloc(0)
const SLICE = 256

/** The options of a mailbox that clients set as annotations, with their letters in the header. */
export const OPTION_ENTRIES: ReadonlyMap<string, string> = new Map([
  [`${VENDOR}sharedseen`, 'S'],
  [`${VENDOR}pop3newuidl`, 'P'],
  [`${VENDOR}duplicatedeliver`, 'D'],
])
const SHOW_AFTER = `${VENDOR}pop3showafter`

/** An annotation's value among those of one thing. @param userid '' for the shared one */
export function annotationValue(annotations: readonly Annotation[], entry: string, userid: string): Buffer | undefined {
  return annotations.find((each) => each.entry === entry && each.userid === userid)?.value
}

/**
 * Inside a transaction: sets annotations of a mailbox. Values that are fields of the mailbox go there. Raises its modseq if anything changes.
 * @param changes values as `canonicalValue` gives them
 */
export function annotateMailbox(
  txn: StoreTransaction,
  writer: MailboxWriter,
  changes: readonly AnnotationChange[],
): void {
  const { header } = writer
  let changed = false
  for (const { entry, userid, value = NOTHING } of changes) {
    const option = OPTION_ENTRIES.get(entry)
    if (option !== undefined) {
      const without = header.options.replace(option, '')
      const options = value.toString() === 'true' ? without + option : without
      if (options.length === header.options.length) continue
      changed = true
      header.options = options
      txn.note({ kind: 'annotation', id: header.id, entry, userid })
    } else if (entry === SHOW_AFTER) {
      const time = parseDateTime(value.toString()) ?? 0
      if (time === header.pop3ShowAfter) continue
      changed = true
      header.pop3ShowAfter = time
      txn.note({ kind: 'annotation', id: header.id, entry, userid })
    } else {
      const before = annotationValue(txn.annotations(header.id), entry, userid) ?? NOTHING
      if (before.equals(value)) continue
      changed = true
      txn.setAnnotation(header.id, { entry, userid, value, modseq: 0 })
    }
  }
  if (!changed) return
  header.folderModseq = writer.nextModseq()
  txn.log(syncLogLine('MAILBOX', header.name))
}

/**
 * Sets annotations of a mailbox.
 * @throws {MailboxGoneError}; {OverQuotaError} when it would grow above the X-ANNOTATION-STORAGE of its root
 */
export async function setMailboxAnnotations(
  store: MailStore,
  mailbox: MailboxHeader,
  changes: readonly AnnotationChange[],
): Promise<void> {
  const before = store.annotations(mailbox.id)
  checkGrowth(store, mailbox, growth(before, changes))
  await store.write((txn) => annotateMailbox(txn, txn.mustMailbox(mailbox.id), changes))
}

/** Sets annotations of the server. */
export async function setServerAnnotations(store: MailStore, changes: readonly AnnotationChange[]): Promise<void> {
  await store.write((txn) => {
    for (const { entry, userid, value = NOTHING } of changes) {
      const before = annotationValue(txn.annotations(0), entry, userid) ?? NOTHING
      if (before.equals(value)) continue
      txn.setAnnotation(0, { entry, userid, value, modseq: 0 })
      txn.log(syncLogLine('ANNOTATION', ''))
    }
  })
}

/**
 * Sets annotations of messages, in as many slices as it takes. Messages that are gone, or have these values already, are left alone.
 * @param uids ascending
 * @param unchangedSince messages with a higher mod-sequence are left alone, too (RFC 7162 §3.1.3)
 * @returns UIDs whose annotations changed, whose records have a new mod-sequence; and those that had changed since
 * @throws {MailboxGoneError}; {OverQuotaError}
 */
export async function setMessageAnnotations(
  store: MailStore,
  mailbox: MailboxHeader,
  uids: readonly number[],
  changes: readonly AnnotationChange[],
  unchangedSince?: number,
): Promise<{ uids: number[]; modified: number[] }> {
  let grown = 0
  for (const uid of uids) grown += growth(store.messageAnnotations(mailbox.id, uid), changes)
  checkGrowth(store, mailbox, grown)
  const modified: number[] = []
  const changed = await inSlices(uids, SLICE, (slice) =>
    store.write((txn) => {
      const writer = txn.mustMailbox(mailbox.id)
      const done: number[] = []
      let modseq: number | undefined
      for (const uid of slice) {
        const record = writer.record(uid)
        if (record === undefined || record.flags & Flag.Expunged) continue
        if (unchangedSince !== undefined && record.modseq > unchangedSince) {
          modified.push(uid)
          continue
        }
        const before = writer.messageAnnotations(uid)
        if (!differs(before, changes)) continue
        modseq ??= writer.nextModseq()
        writer.update({ ...record, modseq, lastUpdated: now() }, annotationsAfter(before, changes, modseq))
        done.push(uid)
      }
      if (done.length > 0) txn.log(syncLogLine('MAILBOX', writer.header.name))
      return done
    }),
  )
  return { uids: changed, modified }
}

/** Annotations of a message after changes; pure. @param modseq of those that change */
export function annotationsAfter(
  before: readonly Annotation[],
  changes: readonly AnnotationChange[],
  modseq: number,
): Annotation[] {
  const after = before.filter(
    (each) => !changes.some(({ entry, userid }) => entry === each.entry && userid === each.userid),
  )
  for (const { entry, userid, value = NOTHING } of changes) {
    if (value.length > 0) after.push({ entry, userid, value, modseq })
  }
  return after
}

function differs(before: readonly Annotation[], changes: readonly AnnotationChange[]): boolean {
  return changes.some(
    ({ entry, userid, value = NOTHING }) => !(annotationValue(before, entry, userid) ?? NOTHING).equals(value),
  )
}

/** Bytes by which values grow. */
function growth(before: readonly Annotation[], changes: readonly AnnotationChange[]): number {
  let bytes = 0
  for (const { entry, userid, value = NOTHING } of changes) {
    if (OPTION_ENTRIES.has(entry) || entry === SHOW_AFTER) continue
    bytes += value.length - (annotationValue(before, entry, userid)?.length ?? 0)
  }
  return bytes
}

/** What shrinks is always allowed. @throws {OverQuotaError} */
function checkGrowth(store: MailStore, mailbox: MailboxHeader, bytes: number): void {
  if (bytes > 0) checkAnnotationQuota(store, mailbox.name, bytes)
}
