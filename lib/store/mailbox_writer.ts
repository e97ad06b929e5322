/**
 * One mailbox inside a transaction: its header, and its records read and changed block by block. Counters and checksums follow every
 * change of a record. What it has collected reaches the tables at the transaction's end.
 */

import { TooManyFlagsError } from './errors.js'
import { Flag, MAX_USER_FLAGS } from './flags.js'
import { type Granted, updateGranted } from './granted.js'
import type { MailboxHeader } from './header.js'
import { packHeader } from './header.js'
import type { MessageSource } from './in_memory.js'
import { uidKey } from './keys.js'
import { readMessageAnnotations } from './lookups.js'
import { FlagFields, type MessageRecord, packRecord, RECORD_SIZE, unpackRecord } from './record.js'
import { lastUidOf, RecordBlocks } from './record_blocks.js'
import { type Annotation, annotationCrc, basicCrc, haveSameAnnotations } from './sync_crc.js'
import { now } from './time.js'
import type { StoreTransaction } from './transaction.js'

/** Changes remembered in a header, so that a snapshot can be brought up to date block by block. */
const CHANGES_KEPT = 32

const SEEN_CHANGED: readonly [lastChange: number, ahead: string] = [-1, '']

/** Used by one change of flags after the other. */
const FLAG_FIELDS = new FlagFields()
const KEYWORDS = new Uint32Array(4)

/** Bits after a change. @param mask those that `replace` may take away */
function combined(mode: 'add' | 'remove' | 'replace', before: number, bits: number, mask: number): number {
  return mode === 'add' ? before | bits : mode === 'remove' ? before & ~bits : (before & ~mask) | bits
}

/** A mailbox inside a transaction. `header`'s fields may be set; call `touch` when nothing else marks the mailbox as changed. */
export class MailboxWriter {
  header: MailboxHeader
  removed = false
  /** as who may see it was last written down; undefined for a new mailbox */
  grantedAs: Granted | undefined
  #touched = false
  readonly #blocks: RecordBlocks

  constructor(
    readonly transaction: StoreTransaction,
    header: MailboxHeader,
  ) {
    this.header = header
    this.#blocks = new RecordBlocks(transaction.tables, header.id)
    this.grantedAs = { name: header.name, acl: header.acl }
  }

  /** Marks the mailbox as changed. */
  touch(): void {
    this.#touched = true
  }

  /** Raises HIGHESTMODSEQ by one and returns it, for the records about to be changed. */
  nextModseq(): number {
    this.touch()
    return ++this.header.highestModseq
  }

  record(uid: number): MessageRecord | undefined {
    const found = this.#blocks.locate(uid)
    return found === undefined ? undefined : unpackRecord(found.block.data, found.at)
  }

  /** All records in UID order, expunged ones included; they may be updated while iterating. */
  *records(): Iterable<MessageRecord> {
    const { id } = this.header
    this.#blocks.write()
    const blocks = [...this.transaction.tables.blocks.getRange({ start: uidKey(id, 0), end: uidKey(id + 1, 0) })]
    for (const { value } of blocks) {
      for (let at = 0; at < value.length; at += RECORD_SIZE) yield unpackRecord(value, at)
    }
  }

  /**
   * Adds a message behind all others.
   * @param record its uid must be above header.lastUid, which it becomes
   * @param source the staged file, another mailbox's message file on the same partition, or the bytes; undefined for a record without content (expunged on the peer)
   * @param cache lib/message's summary
   */
  append(
    record: MessageRecord,
    source: MessageSource | undefined,
    cache: Buffer | undefined,
    annotations: readonly Annotation[] = [],
  ): void {
    if (record.uid <= this.header.lastUid)
      throw new RangeError(`${this.header.name}: UID ${record.uid} is not above ${this.header.lastUid}`)
    this.#addLast(record, source, cache, annotations)
  }

  /**
   * A message under a UID that a peer of the 2.3 generation dictates: behind all others, between them, or in the place of one that has the
   * UID, whose content it then takes over. As `append` otherwise; header.lastUid is raised if need be.
   */
  put(record: MessageRecord, source: MessageSource | undefined, cache: Buffer | undefined): void {
    const { header, transaction } = this
    let last = this.#blocks.last()
    if (last?.data.length === 0) {
      this.#blocks.write()
      last = this.#blocks.last()
    }
    if (last === undefined || record.uid > lastUidOf(last)) {
      this.#addLast(record, source, cache, [])
      return
    }
    if (source !== undefined) transaction.linkMessage(header, record.uid, source)
    const found = this.#blocks.locate(record.uid)
    if (found !== undefined) {
      const annotations = this.messageAnnotations(record.uid)
      const before = unpackRecord(found.block.data, found.at)
      this.#noteSeen(before.flags, record.flags)
      this.#count(before, annotations, -1)
      this.#storeAnnotations(record.uid, annotations, [])
      packRecord(record, found.block.data, found.at)
      this.#blocks.touch(found.block)
    } else {
      this.#noteSeen(0, record.flags)
      this.#blocks.insert(record)
    }
    if (cache !== undefined) transaction.tables.caches.put(uidKey(header.id, record.uid), cache)
    this.#count(record, [], 1)
  }

  #addLast(
    record: MessageRecord,
    source: MessageSource | undefined,
    cache: Buffer | undefined,
    annotations: readonly Annotation[],
  ): void {
    const { header, transaction } = this
    if (source !== undefined) {
      transaction.linkMessage(header, record.uid, source)
    }
    header.lastUid = Math.max(header.lastUid, record.uid)
    this.#noteSeen(0, record.flags)
    this.#blocks.append(record)
    if (cache !== undefined) transaction.tables.caches.put(uidKey(header.id, record.uid), cache)
    if (annotations.length > 0) this.#storeAnnotations(record.uid, [], annotations)
    this.#count(record, annotations, 1)
  }

  /** Replaces a record. Its modseq is taken as it is: raise it with `nextModseq` unless a replication peer dictates it. */
  update(record: MessageRecord, annotations?: readonly Annotation[]): void {
    const found = this.#blocks.locate(record.uid)
    if (found === undefined) throw new RangeError(`${this.header.name}: no UID ${record.uid}`)
    const before = unpackRecord(found.block.data, found.at)
    this.#noteSeen(before.flags, record.flags)
    const same = annotations === undefined && haveSameAnnotations(before, record)
    const stored = same ? undefined : this.messageAnnotations(record.uid)
    this.#count(before, stored, -1)
    packRecord(record, found.block.data, found.at)
    this.#blocks.touch(found.block)
    if (annotations !== undefined) this.#storeAnnotations(record.uid, stored!, annotations)
    this.#count(record, annotations ?? stored, 1)
  }

  /**
   * Changes the flags of a message that is not expunged, with a new modseq if that changes anything. Does what `update` of the changed record
   * does, in place.
   * @param change mask: system flags that `replace` may take away; keywords: as flagBits gives them
   * @param time unix seconds
   * @returns whether anything changed
   */
  changeFlags(
    uid: number,
    change: { mode: 'add' | 'remove' | 'replace'; flags: number; mask: number; keywords: Uint32Array },
    time: number,
  ): boolean {
    const found = this.#blocks.locate(uid)
    if (found === undefined) return false
    const { header } = this
    const { data } = found.block
    const fields = FLAG_FIELDS
    fields.read(data, found.at)
    if (fields.flags & Flag.Expunged) return false
    const before = fields.flags
    const after = combined(change.mode, before, change.flags, change.mask)
    let same = after === before
    for (let word = 0; word < 4; word++) {
      const bits = fields.userFlags[word]!
      KEYWORDS[word] = combined(change.mode, bits, change.keywords[word]!, -1)
      same &&= KEYWORDS[word] === bits
    }
    if (same) return false
    const crc = basicCrc(fields, header.userFlags)
    fields.flags = after
    fields.userFlags.set(KEYWORDS)
    fields.modseq = this.nextModseq()
    fields.lastUpdated = time
    fields.write(data, found.at)
    this.#blocks.touch(found.block)
    this.#noteSeen(before, after)
    const gained = (flag: number): number => (after & flag ? 1 : 0) - (before & flag ? 1 : 0)
    header.unseen -= gained(Flag.Seen)
    header.answered += gained(Flag.Answered)
    header.flagged += gained(Flag.Flagged)
    header.deleted += gained(Flag.Deleted)
    header.crcBasic = (header.crcBasic ^ crc ^ basicCrc(fields, header.userFlags)) >>> 0
    return true
  }

  /** Removes an expunged record for good, and its file. A peer that has not seen its expunge will need a full comparison. */
  unlink(uid: number): void {
    const found = this.#blocks.locate(uid)
    if (found === undefined) return
    const { block, at } = found
    const record = unpackRecord(block.data, at)
    const annotations = this.messageAnnotations(uid)
    this.#count(record, annotations, -1)
    this.#storeAnnotations(uid, annotations, [])
    this.header.deletedModseq = Math.max(this.header.deletedModseq, record.modseq)
    block.data = Buffer.concat([block.data.subarray(0, at), block.data.subarray(at + RECORD_SIZE)])
    this.#blocks.touch(block)
    this.transaction.tables.caches.remove(uidKey(this.header.id, uid))
    this.transaction.intent.remove.push(this.transaction.spool.messagePath(this.header, uid))
  }

  /** The bytes of an expunged message go, its record stays. */
  removeFile(uid: number): void {
    this.transaction.tables.caches.remove(uidKey(this.header.id, uid))
    this.transaction.intent.remove.push(this.transaction.spool.messagePath(this.header, uid))
  }

  messageAnnotations(uid: number): Annotation[] {
    return this.header.annotated === 0 ? [] : readMessageAnnotations(this.transaction.tables, this.header.id, uid)
  }

  /**
   * Number of a keyword, new ones being added; compared without case, kept as first written.
   * @throws {TooManyFlagsError} beyond 128
   */
  flagSlot(name: string): number {
    const lower = name.toLowerCase()
    const known = this.header.userFlags.findIndex((flag) => flag?.toLowerCase() === lower)
    if (known >= 0) return known
    const free = this.header.userFlags.indexOf(null)
    const slot = free >= 0 ? free : this.header.userFlags.length
    if (slot >= MAX_USER_FLAGS) throw new TooManyFlagsError(`${this.header.name}: more than ${MAX_USER_FLAGS} keywords`)
    const names = [...this.header.userFlags]
    names[slot] = name
    this.header.userFlags = names
    this.touch()
    return slot
  }

  /** Bits of a list of keywords. @throws {TooManyFlagsError} */
  flagBits(names: Iterable<string>): Uint32Array {
    const bits = new Uint32Array(4)
    for (const name of names) {
      const slot = this.flagSlot(name)
      bits[slot >>> 5]! |= 1 << (slot & 31)
    }
    return bits
  }

  /** Removes all records, caches, annotations of messages. */
  clear(): void {
    const { tables } = this.transaction
    const { id } = this.header
    this.#blocks.write()
    this.#blocks.forget()
    const range = { start: uidKey(id, 0), end: uidKey(id + 1, 0) }
    for (const key of [...tables.blocks.getKeys(range)]) tables.blocks.remove(key)
    for (const key of [...tables.caches.getKeys(range)]) tables.caches.remove(key)
    for (const key of [...tables.messageAnnotations.getKeys({ start: [id, 0, '', ''], end: [id + 1, 0, '', ''] })]) {
      tables.messageAnnotations.remove(key)
    }
    this.touch()
  }

  flush(): void {
    if (this.removed) return
    const blocksChanged = this.#blocks.write()
    if (!this.#touched && !blocksChanged) return
    const { header, transaction } = this
    header.version++
    header.changedAt = now()
    if (this.#blocks.changed.size > CHANGES_KEPT) {
      header.changes = []
      header.changesSince = header.version
    } else {
      const changes = [...header.changes]
      for (const firstUid of this.#blocks.changed) changes.push(header.version, firstUid)
      const excess = changes.length - 2 * CHANGES_KEPT
      if (excess > 0) {
        header.changesSince = changes[excess - 2]!
        changes.splice(0, excess)
      }
      header.changes = changes
    }
    transaction.tables.headers.put(header.id, packHeader(header))
    const { name, acl } = header
    if (this.grantedAs?.name !== name || this.grantedAs.acl !== acl) {
      updateGranted(transaction.tables, header.id, this.grantedAs, { name, acl })
      const { id, mbtype } = header
      transaction.note({ kind: 'mailbox', id, mbtype, before: this.grantedAs, after: { name, acl } })
      this.grantedAs = { name, acl }
    }
    transaction.changed.add(header.id)
    this.#touched = false
    this.#blocks.changed.clear()
  }

  /** What a peer has told of the owner's reading no longer holds when that changes; who dictates the change sets it again. */
  #noteSeen(before: number, after: number): void {
    if ((before ^ after) & Flag.Seen) this.header.ownerSeen = SEEN_CHANGED
  }

  /** @param annotations undefined: their share of the checksum stays as it is */
  #count(record: MessageRecord, annotations: readonly Annotation[] | undefined, sign: 1 | -1): void {
    const { header } = this
    this.touch()
    if (sign === 1 && record.uid === header.lastUid) this.#blocks.lastRecordUid = record.uid
    if (record.flags & Flag.Expunged) {
      header.expunged += sign
      return
    }
    header.exists += sign
    header.octets += sign * record.size
    if (!(record.flags & Flag.Seen)) header.unseen += sign
    if (record.flags & Flag.Answered) header.answered += sign
    if (record.flags & Flag.Flagged) header.flagged += sign
    if (record.flags & Flag.Deleted) header.deleted += sign
    header.crcBasic = (header.crcBasic ^ basicCrc(record, header.userFlags)) >>> 0
    if (annotations !== undefined) header.crcAnnot = (header.crcAnnot ^ annotationCrc(record, annotations)) >>> 0
  }

  #storeAnnotations(uid: number, before: readonly Annotation[], after: readonly Annotation[]): void {
    const { messageAnnotations } = this.transaction.tables
    const { id } = this.header
    let octets = this.header.annotationOctets
    for (const { entry, userid, value } of before) {
      messageAnnotations.remove([id, uid, entry, userid])
      octets -= value.length
    }
    this.header.annotated -= before.length
    for (const { entry, userid, value, modseq } of after) {
      if (value.length === 0) continue
      messageAnnotations.put([id, uid, entry, userid], { value, modseq })
      this.header.annotated++
      octets += value.length
    }
    this.header.annotationOctets = Math.max(0, octets)
  }
}
