/**
 * Adding, flagging, copying, expunging messages: rules over the store's records, with the replication log lines that go with them.
 * Each function resolves when the change is durable. Large changes are made in slices, so that neither the event loop nor other writers
 * wait for more than some milliseconds.
 */
import { summarize } from '../message/summary.js'
import {
  Flag,
  MailboxGoneError,
  type MailboxHeader,
  type MailStore,
  type MessageRecord,
  NULL_THRID,
  NULL_UUID,
  now,
  type Staged,
  type StoreTransaction,
  SYSTEM_FLAGS,
  syncLogLine,
} from '../store/store.js'
import { type AnnotationChange, annotationsAfter } from './annotations.js'
import { changeGuestSeen, guestSeen, hasInternalSeen } from './seen.js'
import { inSlices } from './slices.js'
import { contains } from './uid_set.js'

/** Records changed in one transaction: a few milliseconds' work. */
const SLICE = 256
/** Records whose flags are changed in one transaction. */
const FLAG_SLICE = 1024
/** Files linked in one transaction. */
const LINK_SLICE = 128

/** A message to be added. */
export interface NewMessage {
  staged: Staged
  /** bits of Flag; \Seen is the caller's own, see `userid` */
  flags: number
  keywords: readonly string[]
  /** unix seconds; now if absent */
  internaldate?: number
  /** 24 hex digits, if the service makes message UUIDs */
  uuid?: string
  /** RFC 5257 §4.5; their modseq becomes the message's */
  annotations?: readonly AnnotationChange[]
}

/** What APPENDUID and COPYUID tell (RFC 4315). */
export interface Added {
  uidvalidity: number
  uids: number[]
}

/**
 * Adds messages to a mailbox, all or none.
 * @param options userid: who adds: \Seen then counts for them; the owner if absent. replaces: a message that is expunged in the
 *   same transaction; if it is gone meanwhile the new ones are added all the same
 * @throws {MailboxGoneError}; {TooManyFlagsError}; the file system's error when full
 */
export async function appendMessages(
  store: MailStore,
  mailbox: MailboxHeader,
  messages: readonly NewMessage[],
  { userid, replaces }: { userid?: string; replaces?: { mailbox: MailboxHeader; uid: number } } = {},
): Promise<Added> {
  const prepared = messages.map((message) => ({ message, summary: summaryOf(store, message.staged) }))
  const immediate = store.config.string('expunge_mode') === 'immediate'
  return store.write((txn) => {
    const writer = txn.mustMailbox(mailbox.id)
    const internal = userid === undefined || hasInternalSeen(writer.header, userid)
    const time = now()
    const uids: number[] = []
    const read: number[] = []
    for (const { message, summary } of prepared) {
      const { staged } = message
      const uid = writer.header.lastUid + 1
      const modseq = writer.nextModseq()
      let flags = message.flags & SYSTEM_FLAGS
      if (!internal && flags & Flag.Seen) {
        flags &= ~Flag.Seen
        read.push(uid)
      }
      const record: MessageRecord = {
        uid,
        modseq,
        createdModseq: modseq,
        lastUpdated: time,
        internaldate: message.internaldate ?? time,
        sentdate: summary.sentdate,
        savedate: time,
        size: staged.size,
        headerSize: summary.headerSize,
        guid: staged.guid,
        uuid: message.uuid ?? NULL_UUID,
        thrid: NULL_THRID,
        flags,
        userFlags: writer.flagBits(message.keywords),
      }
      writer.append(record, staged.path, summary.cache, annotationsAfter([], message.annotations ?? [], modseq))
      uids.push(uid)
    }
    writer.header.lastAppendDate = time
    logAppend(txn, writer.header.name)
    if (read.length > 0) changeGuestSeen(txn, writer.header, userid!, read, true)
    if (replaces) expungeSlice(txn, replaces.mailbox.id, [replaces.uid], false, immediate)
    return { uidvalidity: writer.header.uidvalidity, uids }
  })
}

/** A message delivered to many is parsed once. */
const summaries = new WeakMap<Staged, ReturnType<typeof summarize>>()

function summaryOf(store: MailStore, staged: Staged): ReturnType<typeof summarize> {
  let summary = summaries.get(staged)
  if (summary === undefined) {
    summary = summarize(store.readStaged(staged))
    summaries.set(staged, summary)
  }
  return summary
}

function logAppend(txn: StoreTransaction, name: string): void {
  txn.log(syncLogLine('APPEND', name))
  txn.log(syncLogLine('MAILBOX', name))
}

/** A change of flags (RFC 3501 §6.4.6). */
export interface FlagChange {
  mode: 'add' | 'remove' | 'replace'
  /** system bits of Flag */
  flags: number
  keywords: readonly string[]
  /** only of messages whose mod-sequence is not above it (RFC 7162 §3.1.3) */
  unchangedSince?: number
}

/** What became of a change of flags. */
export interface FlagsStored {
  /** UIDs whose record or \Seen changed */
  changed: number[]
  /** UIDs left alone because they had changed since */
  modified: number[]
}

/**
 * Changes flags of messages. Those that are gone, or have the flags already, are left alone.
 * @param uids ascending
 * @param userid whose \Seen it is
 * @throws {MailboxGoneError}; {TooManyFlagsError}
 */
export async function storeFlags(
  store: MailStore,
  mailbox: MailboxHeader,
  uids: readonly number[],
  change: FlagChange,
  userid: string,
): Promise<FlagsStored> {
  const modified: number[] = []
  const changed = await inSlices(uids, FLAG_SLICE, async (slice) => {
    const stored = await store.write((txn) => storeSlice(txn, mailbox.id, slice, change, userid))
    modified.push(...stored.modified)
    return stored.changed
  })
  return { changed, modified }
}

function storeSlice(
  txn: StoreTransaction,
  id: number,
  uids: readonly number[],
  change: FlagChange,
  userid: string,
): FlagsStored {
  const writer = txn.mustMailbox(id)
  const internal = hasInternalSeen(writer.header, userid)
  const guest =
    internal || !(change.flags & Flag.Seen || change.mode === 'replace') ? undefined : guestSeen(txn, writer, userid)
  const seen = (change.flags & Flag.Seen) !== 0 && change.mode !== 'remove'
  const read: number[] = []
  const mask = internal ? SYSTEM_FLAGS : SYSTEM_FLAGS & ~Flag.Seen
  const flags = change.flags & mask
  // a keyword that is only removed need not be made
  const known = new Set(writer.header.userFlags.map((name) => name?.toLowerCase()))
  const keywords = writer.flagBits(
    change.mode === 'remove' ? change.keywords.filter((name) => known.has(name.toLowerCase())) : change.keywords,
  )
  const changed: number[] = []
  const modified: number[] = []
  const time = now()
  if (guest === undefined && change.unchangedSince === undefined) {
    const wanted = { mode: change.mode, flags, mask, keywords }
    for (const uid of uids) if (writer.changeFlags(uid, wanted, time)) changed.push(uid)
    if (changed.length > 0) txn.log(syncLogLine('MAILBOX', writer.header.name))
    return { changed, modified }
  }
  for (const uid of uids) {
    const record = writer.record(uid)
    if (record === undefined || record.flags & Flag.Expunged) continue
    if (record.modseq > (change.unchangedSince ?? Number.POSITIVE_INFINITY)) {
      modified.push(uid)
      continue
    }
    // what a guest reads changes no flag of the record, but its mod-sequence, as in Cyrus
    const isRead = guest !== undefined && contains(guest, uid) !== seen
    if (isRead) read.push(uid)
    const after = changedRecord(record, change.mode, flags, mask, keywords) ?? (isRead ? record : undefined)
    if (after === undefined) continue
    writer.update({ ...after, modseq: writer.nextModseq(), lastUpdated: time })
    changed.push(uid)
  }
  if (changed.length > 0) txn.log(syncLogLine('MAILBOX', writer.header.name))
  if (read.length > 0) changeGuestSeen(txn, writer.header, userid, read, seen)
  return { changed, modified }
}

function changedRecord(
  record: MessageRecord,
  mode: FlagChange['mode'],
  flags: number,
  mask: number,
  keywords: Uint32Array,
): MessageRecord | undefined {
  const before = record.flags
  const after = mode === 'add' ? before | flags : mode === 'remove' ? before & ~flags : (before & ~mask) | flags
  const userFlags = record.userFlags.map((word, n) =>
    mode === 'add' ? word | keywords[n]! : mode === 'remove' ? word & ~keywords[n]! : keywords[n]!,
  )
  if (after === before && userFlags.every((word, n) => word === record.userFlags[n])) return undefined
  return { ...record, flags: after, userFlags }
}

/**
 * Copies messages to another mailbox, with flags, dates and UUIDs; files are hard-linked where the partition allows it. All or none.
 * @param uids ascending; those that are gone are left out
 * @param userid whose \Seen is copied where a mailbox keeps it by user
 * @param seen tells whether that user has read a message of the source
 * @returns the UIDs copied and those they got
 * @throws {MailboxGoneError}; {MessageFileError}
 */
export async function copyMessages(
  store: MailStore,
  from: MailboxHeader,
  uids: readonly number[],
  to: MailboxHeader,
  userid: string,
  seen: (uid: number) => boolean,
): Promise<Added & { sourceUids: number[] }> {
  const { failure, ...copied } = await inLinkSlices(uids, from.partition === to.partition, (slice) =>
    copySlice(store, from, slice, to, userid, seen, false),
  )
  if (failure !== undefined) {
    if (copied.uids.length > 0) await expungeMessages(store, to, copied.uids).catch(() => {})
    throw failure
  }
  return { uidvalidity: to.uidvalidity, ...copied }
}

/**
 * Moves messages to another mailbox: each is in one of the two at any time, never in both, whenever the process dies (RFC 6851 §3.3).
 * Otherwise as `copyMessages`.
 * @returns as `copyMessages`, with the error that ended it too early
 */
export async function moveMessages(
  store: MailStore,
  from: MailboxHeader,
  uids: readonly number[],
  to: MailboxHeader,
  userid: string,
  seen: (uid: number) => boolean,
): Promise<Added & { sourceUids: number[]; failure?: unknown }> {
  const moved = await inLinkSlices(uids, from.partition === to.partition, (slice) =>
    copySlice(store, from, slice, to, userid, seen, true),
  )
  return { uidvalidity: to.uidvalidity, ...moved }
}

/**
 * Copies slice by slice. While one is brought to disk the next one is made, unless its messages must be read first.
 * @returns what was copied, also when one of the slices failed: those after it were not begun then, but for the next
 */
async function inLinkSlices(
  uids: readonly number[],
  atOnce: boolean,
  copy: (slice: readonly number[]) => Promise<Pick<Added, 'uids'> & { sourceUids: number[] }>,
): Promise<{ uids: number[]; sourceUids: number[]; failure?: unknown }> {
  const done = { uids: [] as number[], sourceUids: [] as number[] }
  const work = async (slice: readonly number[]): Promise<readonly never[]> => {
    const copied = await copy(slice)
    done.uids.push(...copied.uids)
    done.sourceUids.push(...copied.sourceUids)
    return []
  }
  try {
    if (atOnce) await inSlices(uids, LINK_SLICE, work)
    else for (let at = 0; at < uids.length; at += LINK_SLICE) await work(uids.slice(at, at + LINK_SLICE))
    return done
  } catch (failure) {
    return { ...done, failure }
  }
}

/** @param move whether they are expunged from the source in the same commit */
async function copySlice(
  store: MailStore,
  from: MailboxHeader,
  uids: readonly number[],
  to: MailboxHeader,
  userid: string,
  seen: (uid: number) => boolean,
  move: boolean,
): Promise<{ uids: number[]; sourceUids: number[] }> {
  const immediate = store.config.string('expunge_mode') === 'immediate'
  const staged = new Map<number, Staged>()
  try {
    if (from.partition !== to.partition) {
      for (const uid of uids) {
        const index = store.index(from.id)
        const row = index?.findUid(uid) ?? -1
        if (index === undefined || row < 0 || index.isExpunged(row)) continue
        staged.set(uid, await store.stageBuffer(to.partition, await store.readMessage(from, uid)))
      }
    }
    return await store.write((txn) => {
      const source = txn.mustMailbox(from.id)
      const target = txn.mustMailbox(to.id)
      const internal = hasInternalSeen(target.header, userid)
      const time = now()
      const copied = { uids: [] as number[], sourceUids: [] as number[] }
      const read: number[] = []
      for (const uid of uids) {
        const record = source.record(uid)
        if (record === undefined || record.flags & Flag.Expunged) continue
        const newUid = target.header.lastUid + 1
        const modseq = target.nextModseq()
        let flags = record.flags & SYSTEM_FLAGS & ~Flag.Seen
        if (seen(uid)) {
          if (internal) flags |= Flag.Seen
          else read.push(newUid)
        }
        const keywords = keywordNames(record, source.header.userFlags)
        const path = staged.get(uid)?.path ?? store.messagePath(source.header, uid)
        target.append(
          {
            ...record,
            uid: newUid,
            modseq,
            createdModseq: modseq,
            lastUpdated: time,
            savedate: time,
            flags,
            userFlags: target.flagBits(keywords),
          },
          path,
          txn.cacheOf(source, uid),
          // shared annotations, and one's own (RFC 5257 §4.6)
          source
            .messageAnnotations(uid)
            .filter((each) => each.userid === '' || each.userid === userid)
            .map((each) => ({ ...each, modseq })),
        )
        copied.uids.push(newUid)
        copied.sourceUids.push(uid)
      }
      if (copied.uids.length > 0) {
        target.header.lastAppendDate = time
        txn.log(syncLogLine('DOUBLEMAILBOX', source.header.name, target.header.name))
        logAppend(txn, target.header.name)
        if (read.length > 0) changeGuestSeen(txn, target.header, userid, read, true)
        if (move) expungeSlice(txn, from.id, copied.sourceUids, false, immediate)
      }
      return copied
    })
  } finally {
    for (const each of staged.values()) store.unstage(each)
  }
}

/** Names of a record's keywords, in the mailbox's order. */
export function keywordNames(record: Pick<MessageRecord, 'userFlags'>, names: readonly (string | null)[]): string[] {
  const found: string[] = []
  for (let slot = 0; slot < names.length; slot++) {
    const name = names[slot]
    if (name != null && record.userFlags[slot >>> 5]! & (1 << (slot & 31))) found.push(name)
  }
  return found
}

/**
 * Expunges messages: those of the given UIDs, or all with \Deleted. Their records stay for replication; their files go at once with
 * `expunge_mode: immediate`.
 * @param uids ascending; with `onlyDeleted`, those among them without \Deleted stay (RFC 4315 §2.1)
 * @returns the UIDs expunged
 * @throws {MailboxGoneError}
 */
export async function expungeMessages(
  store: MailStore,
  mailbox: MailboxHeader,
  uids?: readonly number[],
  { onlyDeleted = false }: { onlyDeleted?: boolean } = {},
): Promise<number[]> {
  const wanted = uids ?? deletedUids(store, mailbox)
  const immediate = store.config.string('expunge_mode') === 'immediate'
  return inSlices(wanted, SLICE, (slice) =>
    store.write((txn) => expungeSlice(txn, mailbox.id, slice, onlyDeleted || uids === undefined, immediate)),
  )
}

function deletedUids(store: MailStore, mailbox: MailboxHeader): number[] {
  const index = store.index(mailbox.id)
  if (index === undefined) throw new MailboxGoneError(mailbox.name)
  const uids: number[] = []
  for (let row = 0; row < index.length; row++) {
    if ((index.flags(row) & (Flag.Deleted | Flag.Expunged)) === Flag.Deleted) uids.push(index.uid(row))
  }
  return uids
}

function expungeSlice(
  txn: StoreTransaction,
  id: number,
  uids: readonly number[],
  onlyDeleted: boolean,
  immediate: boolean,
): number[] {
  const writer = txn.mustMailbox(id)
  const expunged: number[] = []
  for (const uid of uids) {
    const record = writer.record(uid)
    if (record === undefined || record.flags & Flag.Expunged) continue
    if (onlyDeleted && !(record.flags & Flag.Deleted)) continue
    const flags = record.flags | Flag.Expunged | (immediate ? Flag.Unlinked : 0)
    writer.update({ ...record, flags, modseq: writer.nextModseq(), lastUpdated: now() })
    if (immediate) writer.removeFile(uid)
    expunged.push(uid)
  }
  if (expunged.length > 0) txn.log(syncLogLine('MAILBOX', writer.header.name))
  return expunged
}
