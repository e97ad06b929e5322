/**
 * What may be done inside one durable commit. A transaction sees its own writes, and those of the commits before it, of any process.
 * Its function runs synchronously while the database's one write lock is held: it reads, decides, writes, links files; it never waits.
 * If it throws, nothing of it remains. Many transactions of a process share one sync to disk.
 */
import { linkSync, mkdirSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import type {
  AnnotationValue,
  Database,
  Intent,
  NameEntry,
  QuotaRoot,
  SeenEntry,
  Tables,
  Tombstone,
} from './database.js'
import { Flag, MAX_USER_FLAGS } from './flags.js'
import { type MailboxHeader, packHeader, unpackHeader } from './header.js'
import { RECORDS_PER_BLOCK } from './index.js'
import type { Content } from './intents.js'
import { nameKey, nameOfKey, uidKey, uidOfKey } from './keys.js'
import { At, type MessageRecord, packRecord, RECORD_SIZE, unpackRecord } from './record.js'
import { isPathSafe, type Spool } from './spool.js'
import { type Annotation, annotationCrc, basicCrc, EMPTY_CRC_ANNOT, EMPTY_CRC_BASIC } from './sync_crc.js'

/** A mailbox that was to be changed is not there any more. */
export class MailboxGoneError extends Error {
  override name = 'MailboxGoneError'
  constructor(readonly mailbox: string | number) {
    super(`mailbox ${mailbox} does not exist`)
  }
}

/** A mailbox of that name, or one with that uniqueid, is already there. */
export class MailboxExistsError extends Error {
  override name = 'MailboxExistsError'
  constructor(readonly mailbox: string) {
    super(`mailbox ${mailbox} already exists`)
  }
}

/** A mailbox has its 128 keywords already. */
export class TooManyFlagsError extends Error {
  override name = 'TooManyFlagsError'
}

/** What a new mailbox is made of; the rest of its header starts at zero. */
export type NewMailbox = Pick<
  MailboxHeader,
  'uniqueid' | 'name' | 'mbtype' | 'partition' | 'acl' | 'uidvalidity' | 'options'
> &
  Partial<Pick<MailboxHeader, 'highestModseq' | 'createdModseq' | 'folderModseq'>>

/** Changes remembered in a header, so that a snapshot can be brought up to date block by block. */
const CHANGES_KEPT = 32

interface Block {
  firstUid: number
  /** packed records; its length is a multiple of RECORD_SIZE */
  data: Buffer
  dirty: boolean
}

export class StoreTransaction {
  readonly intent: Intent = { links: [], log: [], remove: [] }
  /** small messages that become durable with this commit */
  readonly contents: Content[] = []
  /** message files to be brought to disk after it */
  readonly files: string[] = []
  /** ids of the mailboxes changed */
  readonly changed = new Set<number>()
  /** directories with new names in them */
  readonly directories = new Set<string>()
  /** header files to be written again after the commit */
  readonly headerFiles = new Map<number, MailboxHeader>()
  readonly removedDirectories: { partition: string; uniqueid: string }[] = []
  readonly #mailboxes = new Map<number, MailboxWriter>()

  constructor(
    readonly database: Database,
    readonly spool: Spool,
  ) {}

  get tables(): Tables {
    return this.database.tables
  }

  /** A mailbox to be read or changed, by internal name or id; undefined if there is none (tombstones are none). */
  mailbox(which: string | number): MailboxWriter | undefined {
    const id = typeof which === 'number' ? which : this.#idOf(which)
    if (id === undefined) return undefined
    let writer = this.#mailboxes.get(id)
    if (writer === undefined) {
      const packed = this.tables.headers.get(id)
      if (packed === undefined) return undefined
      writer = new MailboxWriter(this, unpackHeader(packed))
      this.#mailboxes.set(id, writer)
    }
    return writer.removed ? undefined : writer
  }

  /** As `mailbox`. @throws {MailboxGoneError} */
  mustMailbox(which: string | number): MailboxWriter {
    const writer = this.mailbox(which)
    if (writer === undefined) throw new MailboxGoneError(which)
    return writer
  }

  mailboxByUniqueid(uniqueid: string): MailboxWriter | undefined {
    const id = this.tables.uniqueids.get(uniqueid)
    return id === undefined ? undefined : this.mailbox(id)
  }

  tombstone(name: string): Tombstone | undefined {
    const entry = this.tables.names.get(nameKey(name))
    return entry !== undefined && 'tombstone' in entry ? entry.tombstone : undefined
  }

  /**
   * Makes a mailbox.
   * @throws {MailboxExistsError} if the name or the uniqueid is taken; {UnknownPartitionError}; {Error} if the uniqueid cannot name a directory
   */
  create(fields: NewMailbox): MailboxWriter {
    const key = nameKey(fields.name)
    const existing = this.tables.names.get(key)
    if (existing !== undefined && 'id' in existing) throw new MailboxExistsError(fields.name)
    if (this.tables.uniqueids.get(fields.uniqueid) !== undefined)
      throw new MailboxExistsError(`with uniqueid ${fields.uniqueid}`)
    if (!isPathSafe(fields.uniqueid))
      throw new Error(`uniqueid ${JSON.stringify(fields.uniqueid.slice(0, 40))} cannot name a directory`)
    const id = this.tables.meta.get('nextId')!
    this.tables.meta.put('nextId', id + 1)
    const header: MailboxHeader = {
      highestModseq: 1,
      createdModseq: 1,
      folderModseq: 1,
      ...fields,
      id,
      lastUid: 0,
      deletedModseq: 0,
      recentUid: 0,
      recentTime: 0,
      lastAppendDate: 0,
      pop3LastLogin: 0,
      pop3ShowAfter: 0,
      userFlags: [],
      exists: 0,
      unseen: 0,
      answered: 0,
      flagged: 0,
      deleted: 0,
      octets: 0,
      crcBasic: EMPTY_CRC_BASIC,
      crcAnnot: EMPTY_CRC_ANNOT,
      raclModseq: 0,
      xconvModseq: 0,
      version: 0,
      changes: [],
      changesSince: 0,
      expunged: 0,
      annotated: 0,
    }
    if (!header.mbtype.includes('i')) this.spool.makeDirectory(header)
    this.tables.names.put(key, { id })
    this.tables.uniqueids.put(fields.uniqueid, id)
    const writer = new MailboxWriter(this, header)
    this.#mailboxes.set(id, writer)
    writer.touch()
    this.headerFiles.set(id, header)
    return writer
  }

  /**
   * Gives a mailbox another name; its id, uniqueid and files stay.
   * @throws {MailboxExistsError} if the new name is taken
   */
  rename(writer: MailboxWriter, newName: string): void {
    const existing = this.tables.names.get(nameKey(newName))
    if (existing !== undefined && 'id' in existing && existing.id !== writer.header.id)
      throw new MailboxExistsError(newName)
    this.tables.names.remove(nameKey(writer.header.name))
    this.tables.names.put(nameKey(newName), { id: writer.header.id })
    writer.header.name = newName
    writer.touch()
    this.headerFiles.set(writer.header.id, writer.header)
  }

  /**
   * Moves a mailbox's messages to another partition.
   * @param files UID → staged file on that partition, for every record that has content
   * @throws {Error} if one is missing: a message was added meanwhile
   */
  move(writer: MailboxWriter, partition: string, files: ReadonlyMap<number, string>): void {
    const { header } = writer
    const { uniqueid } = header
    for (const { uid, flags } of writer.records()) {
      if (!(flags & Flag.Unlinked) && !files.has(uid))
        throw new Error(`${header.name}: message ${uid} was added during a move`)
    }
    this.removedDirectories.push({ partition: header.partition, uniqueid })
    header.partition = partition
    this.spool.makeDirectory(header)
    for (const [uid, source] of files) this.linkMessage(header, uid, source)
    writer.touch()
    this.headerFiles.set(header.id, header)
  }

  /** Gives a file the name of a mailbox's message, now and again after a crash. */
  linkMessage(header: MailboxHeader, uid: number, source: string): void {
    const target = this.spool.messagePath(header, uid)
    linkFile(source, target)
    this.directories.add(dirname(target))
    this.files.push(target)
    const link = this.intent.links.push([header.id, uid, source]) - 1
    const bytes = this.spool.unsyncedBytes(source)
    if (bytes !== undefined) this.contents.push([link, bytes])
  }

  /**
   * Deletes a mailbox with its messages.
   * @param tombstone leave a memory of it under its name
   */
  remove(writer: MailboxWriter, { tombstone }: { tombstone: boolean }): void {
    const { header } = writer
    writer.clear()
    this.tables.headers.remove(header.id)
    this.tables.uniqueids.remove(header.uniqueid)
    const key = nameKey(header.name)
    if (tombstone) {
      const entry: NameEntry = {
        tombstone: {
          uniqueid: header.uniqueid,
          uidvalidity: header.uidvalidity,
          foldermodseq: header.highestModseq + 1,
          createdmodseq: header.createdModseq,
          deletedAt: now(),
        },
      }
      this.tables.names.put(key, entry)
    } else {
      this.tables.names.remove(key)
    }
    for (const { key: annotation } of this.tables.annotations.getRange({
      start: [header.id, '', ''],
      end: [header.id + 1, '', ''],
    })) {
      this.tables.annotations.remove(annotation)
    }
    writer.removed = true
    this.headerFiles.delete(header.id)
    if (!header.mbtype.includes('i'))
      this.removedDirectories.push({ partition: header.partition, uniqueid: header.uniqueid })
    this.changed.add(header.id)
  }

  /** Live mailboxes at and below an internal name, in list order; all for ''. */
  *mailboxes(prefix = ''): Iterable<MailboxWriter> {
    for (const id of mailboxIds(this.tables, prefix)) {
      const writer = this.mailbox(id)
      if (writer !== undefined) yield writer
    }
  }

  /** lib/message's summary of a message. */
  cacheOf(writer: MailboxWriter, uid: number): Buffer | undefined {
    return this.tables.caches.get(uidKey(writer.header.id, uid))
  }

  // a user's things

  seen(userid: string, uniqueid: string): SeenEntry | undefined {
    return this.tables.seen.get([userid, uniqueid])
  }

  setSeen(userid: string, uniqueid: string, entry: SeenEntry | undefined): void {
    if (entry === undefined) this.tables.seen.remove([userid, uniqueid])
    else this.tables.seen.put([userid, uniqueid], entry)
  }

  /** @returns whether that changed anything */
  setSubscribed(userid: string, name: string, subscribed: boolean): boolean {
    const key: [string, string] = [userid, nameKey(name)]
    if (this.tables.subscriptions.doesExist(key) === subscribed) return false
    if (subscribed) this.tables.subscriptions.put(key, 1)
    else this.tables.subscriptions.remove(key)
    return true
  }

  quota(root: string): QuotaRoot | undefined {
    return this.tables.quotas.get(nameKey(root))
  }

  setQuota(root: string, quota: QuotaRoot | undefined): void {
    if (quota === undefined) this.tables.quotas.remove(nameKey(root))
    else this.tables.quotas.put(nameKey(root), quota)
  }

  /** @param id of the mailbox, 0 for the server's own */
  annotations(id: number): Annotation[] {
    return readAnnotations(this.tables, id)
  }

  /** Sets, or with an empty value removes, an annotation of a mailbox or of the server (id 0). */
  setAnnotation(id: number, { entry, userid, value, modseq }: Annotation): void {
    if (value.length === 0) this.tables.annotations.remove([id, entry, userid])
    else this.tables.annotations.put([id, entry, userid], { value, modseq })
  }

  // after the commit

  /** A line of the replication log, written once the commit is done. */
  log(line: string): void {
    if (!this.intent.log.includes(line)) this.intent.log.push(line)
  }

  /** Writes what the mailboxes have collected; called once, at the end of the function. */
  flush(): void {
    for (const writer of this.#mailboxes.values()) writer.flush()
  }

  #idOf(name: string): number | undefined {
    const entry = this.tables.names.get(nameKey(name))
    return entry !== undefined && 'id' in entry ? entry.id : undefined
  }
}

/** A mailbox inside a transaction. `header`'s fields may be set; call `touch` when nothing else marks the mailbox as changed. */
export class MailboxWriter {
  header: MailboxHeader
  removed = false
  #touched = false
  /** changed blocks are written at flush; the one used last is tried first */
  readonly #blocks = new Map<number, Block>()
  #current: Block | undefined
  readonly #changedBlocks = new Set<number>()

  constructor(
    readonly transaction: StoreTransaction,
    header: MailboxHeader,
  ) {
    this.header = header
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
    const found = this.#locate(uid)
    return found === undefined ? undefined : unpackRecord(found.block.data, found.at)
  }

  /** All records in UID order, expunged ones included; they may be updated while iterating. */
  *records(): Iterable<MessageRecord> {
    const { id } = this.header
    this.#writeBlocks()
    const blocks = [...this.transaction.tables.blocks.getRange({ start: uidKey(id, 0), end: uidKey(id + 1, 0) })]
    for (const { value } of blocks) {
      for (let at = 0; at < value.length; at += RECORD_SIZE) yield unpackRecord(value, at)
    }
  }

  /**
   * Adds a message behind all others.
   * @param record its uid must be above header.lastUid, which it becomes
   * @param source the staged file, or another mailbox's message file on the same partition; undefined for a record without content (expunged on the peer)
   * @param cache lib/message's summary
   */
  append(
    record: MessageRecord,
    source: string | undefined,
    cache: Buffer | undefined,
    annotations: readonly Annotation[] = [],
  ): void {
    const { header, transaction } = this
    if (record.uid <= header.lastUid)
      throw new RangeError(`${header.name}: UID ${record.uid} is not above ${header.lastUid}`)
    if (source !== undefined) {
      transaction.linkMessage(header, record.uid, source)
    }
    header.lastUid = record.uid
    const block = this.#lastBlock()
    if (block !== undefined && block.data.length < RECORDS_PER_BLOCK * RECORD_SIZE) {
      const grown = Buffer.allocUnsafe(block.data.length + RECORD_SIZE)
      block.data.copy(grown)
      packRecord(record, grown, block.data.length)
      block.data = grown
      this.#dirty(block)
    } else {
      const data = Buffer.allocUnsafe(RECORD_SIZE)
      packRecord(record, data, 0)
      const fresh = { firstUid: record.uid, data, dirty: false }
      this.#blocks.set(record.uid, fresh)
      this.#current = fresh
      this.#dirty(fresh)
    }
    if (cache !== undefined) transaction.tables.caches.put(uidKey(header.id, record.uid), cache)
    if (annotations.length > 0) this.#storeAnnotations(record.uid, [], annotations)
    this.#count(record, annotations, 1)
  }

  /** Replaces a record. Its modseq is taken as it is: raise it with `nextModseq` unless a replication peer dictates it. */
  update(record: MessageRecord, annotations?: readonly Annotation[]): void {
    const found = this.#locate(record.uid)
    if (found === undefined) throw new RangeError(`${this.header.name}: no UID ${record.uid}`)
    const before = unpackRecord(found.block.data, found.at)
    const stored = this.messageAnnotations(record.uid)
    this.#count(before, stored, -1)
    packRecord(record, found.block.data, found.at)
    this.#dirty(found.block)
    if (annotations !== undefined) this.#storeAnnotations(record.uid, stored, annotations)
    this.#count(record, annotations ?? stored, 1)
  }

  /** Removes an expunged record for good, and its file. A peer that has not seen its expunge will need a full comparison. */
  unlink(uid: number): void {
    const found = this.#locate(uid)
    if (found === undefined) return
    const { block, at } = found
    const record = unpackRecord(block.data, at)
    const annotations = this.messageAnnotations(uid)
    this.#count(record, annotations, -1)
    this.#storeAnnotations(uid, annotations, [])
    this.header.deletedModseq = Math.max(this.header.deletedModseq, record.modseq)
    block.data = Buffer.concat([block.data.subarray(0, at), block.data.subarray(at + RECORD_SIZE)])
    this.#dirty(block)
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
    this.#writeBlocks()
    this.#blocks.clear()
    this.#current = undefined
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
    const blocksChanged = this.#writeBlocks()
    if (!this.#touched && !blocksChanged) return
    const { header, transaction } = this
    header.version++
    if (this.#changedBlocks.size > CHANGES_KEPT) {
      header.changes = []
      header.changesSince = header.version
    } else {
      const changes = [...header.changes]
      for (const firstUid of this.#changedBlocks) changes.push(header.version, firstUid)
      const excess = changes.length - 2 * CHANGES_KEPT
      if (excess > 0) {
        header.changesSince = changes[excess - 2]!
        changes.splice(0, excess)
      }
      header.changes = changes
    }
    transaction.tables.headers.put(header.id, packHeader(header))
    transaction.changed.add(header.id)
    this.#touched = false
    this.#changedBlocks.clear()
  }

  #dirty(block: Block): void {
    block.dirty = true
    this.#changedBlocks.add(block.firstUid)
  }

  #writeBlocks(): boolean {
    const { blocks } = this.transaction.tables
    let wrote = this.#changedBlocks.size > 0
    for (const block of this.#blocks.values()) {
      if (!block.dirty) continue
      const key = uidKey(this.header.id, block.firstUid)
      if (block.data.length === 0) {
        blocks.remove(key)
        this.#blocks.delete(block.firstUid)
        if (this.#current === block) this.#current = undefined
      } else {
        blocks.put(key, block.data)
      }
      block.dirty = false
      wrote = true
    }
    // a long scan must not keep every block it has passed
    if (this.#blocks.size > 64) {
      this.#blocks.clear()
      this.#current = undefined
    }
    return wrote
  }

  #locate(uid: number): { block: Block; at: number } | undefined {
    let block = this.#current
    if (block === undefined || !holds(block, uid)) {
      block = this.#blockOf(uid)
      if (block === undefined) return undefined
      this.#current = block
    }
    const at = findRecord(block.data, uid)
    return at < 0 ? undefined : { block, at }
  }

  /** The block that holds a UID if any does: that with the greatest first UID not above it. */
  #blockOf(uid: number): Block | undefined {
    const { id } = this.header
    let best: number | undefined
    for (const key of this.transaction.tables.blocks.getKeys({
      start: uidKey(id, uid),
      end: uidKey(id, 0),
      reverse: true,
      limit: 1,
    })) {
      best = uidOfKey(key)
    }
    const known = this.#blocks.get(uid)
    if (known !== undefined) return known
    // blocks made in this transaction are not in the table yet
    for (const firstUid of this.#blocks.keys()) {
      if (firstUid <= uid && (best === undefined || firstUid > best)) best = firstUid
    }
    return best === undefined ? undefined : this.#loadBlock(best)
  }

  #loadBlock(firstUid: number): Block | undefined {
    const known = this.#blocks.get(firstUid)
    if (known !== undefined) return known
    const data = this.transaction.tables.blocks.get(uidKey(this.header.id, firstUid))
    if (data === undefined) return undefined
    const block = { firstUid, data: Buffer.from(data), dirty: false }
    this.#blocks.set(firstUid, block)
    return block
  }

  #lastBlock(): Block | undefined {
    const current = this.#current
    if (current !== undefined && current.data.length > 0 && lastUidOf(current) === this.#lastRecordUid) return current
    const block = this.#blockOf(4294967295)
    this.#current = block
    return block
  }

  /** UID of the last record that this transaction appended. */
  #lastRecordUid = -1

  #count(record: MessageRecord, annotations: readonly Annotation[], sign: 1 | -1): void {
    const { header } = this
    this.touch()
    if (sign === 1 && record.uid === header.lastUid) this.#lastRecordUid = record.uid
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
    header.crcAnnot = (header.crcAnnot ^ annotationCrc(record, annotations)) >>> 0
  }

  #storeAnnotations(uid: number, before: readonly Annotation[], after: readonly Annotation[]): void {
    const { messageAnnotations } = this.transaction.tables
    const { id } = this.header
    for (const { entry, userid } of before) messageAnnotations.remove([id, uid, entry, userid])
    this.header.annotated -= before.length
    for (const { entry, userid, value, modseq } of after) {
      if (value.length === 0) continue
      messageAnnotations.put([id, uid, entry, userid], { value, modseq })
      this.header.annotated++
    }
  }
}

/** Ids of the live mailboxes at and below an internal name, in list order; all for ''. */
export function* mailboxIds(tables: Tables, prefix: string): Iterable<number> {
  if (prefix !== '') {
    const own = tables.names.get(nameKey(prefix))
    if (own !== undefined && 'id' in own) yield own.id
  }
  const start = prefix === '' ? '' : `${nameKey(prefix)}\x01`
  const end = prefix === '' ? '\uffff' : `${nameKey(prefix)}\x02`
  for (const { value } of [...tables.names.getRange({ start, end })]) if ('id' in value) yield value.id
}

/** Names below a prefix that are only remembered as deleted. */
export function* tombstones(tables: Tables, prefix: string): Iterable<[name: string, tombstone: Tombstone]> {
  const start = prefix === '' ? '' : nameKey(prefix)
  const end = prefix === '' ? '\uffff' : `${nameKey(prefix)}\x02`
  for (const { key, value } of tables.names.getRange({ start, end })) {
    if ('tombstone' in value) yield [nameOfKey(key), value.tombstone]
  }
}

export function readAnnotations(tables: Tables, id: number): Annotation[] {
  const found: Annotation[] = []
  for (const { key, value } of tables.annotations.getRange({ start: [id, '', ''], end: [id + 1, '', ''] })) {
    found.push(annotation(key[1], key[2], value))
  }
  return found
}

export function readMessageAnnotations(tables: Tables, id: number, uid: number): Annotation[] {
  const found: Annotation[] = []
  for (const { key, value } of tables.messageAnnotations.getRange({
    start: [id, uid, '', ''],
    end: [id, uid + 1, '', ''],
  })) {
    found.push(annotation(key[2], key[3], value))
  }
  return found
}

function annotation(entry: string, userid: string, { value, modseq }: AnnotationValue): Annotation {
  return { entry, userid, modseq, value: Buffer.from(value) }
}

function lastUidOf(block: Block): number {
  return block.data.readUInt32LE(block.data.length - RECORD_SIZE + At.uid)
}

function holds(block: Block, uid: number): boolean {
  return block.data.length > 0 && uid >= block.firstUid && uid <= lastUidOf(block)
}

function findRecord(data: Buffer, uid: number): number {
  let low = 0
  let high = data.length / RECORD_SIZE
  while (low < high) {
    const middle = (low + high) >>> 1
    if (data.readUInt32LE(middle * RECORD_SIZE + At.uid) < uid) low = middle + 1
    else high = middle
  }
  const at = low * RECORD_SIZE
  return at < data.length && data.readUInt32LE(at + At.uid) === uid ? at : -1
}

/** Links a file under its final name. A file that stands there belongs to no record (its commit never happened) and gives way. */
function linkFile(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      unlinkSync(target)
      linkSync(source, target)
    } else if (code === 'ENOENT') {
      // the mailbox's directory may be missing on a partition that was restored; the source may be gone
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
      linkSync(source, target)
    } else {
      throw error
    }
  }
}

/** Unix seconds. */
export function now(): number {
  return Math.floor(Date.now() / 1000)
}
