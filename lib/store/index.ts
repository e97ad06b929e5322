/**
 * A mailbox's records as an immutable snapshot in UID order, and the cache through which all connections of a process share it.
 * Records live in blocks of up to 36 (one database page each); a snapshot holds the blocks and reads fields in place.
 * When a mailbox has changed, only the blocks named by its header's `changes` are read again.
 */
import type { Database } from './database.js'
import { Flag } from './flags.js'
import { type MailboxHeader, unpackHeader } from './header.js'
import { uidKey, uidOfKey } from './keys.js'
import { At, type MessageRecord, RECORD_SIZE, readU64, unpackRecord } from './record.js'

/** 36 records and LMDB's page header fill one page of 4096 bytes. */
export const RECORDS_PER_BLOCK = 36

/** An immutable snapshot of a mailbox: rows 0 to length-1 in ascending UID order, expunged ones included. */
export class MailboxIndex {
  /** number of records, expunged ones included */
  readonly length: number
  /** UID of every row */
  readonly uids: Uint32Array
  readonly #blocks: readonly Buffer[]
  /** first row of each block, and the length at the end */
  readonly #starts: Uint32Array
  #last = 0

  /** @param firstUids key of each block, ascending */
  constructor(
    readonly header: MailboxHeader,
    readonly firstUids: readonly number[],
    blocks: readonly Buffer[],
  ) {
    this.#blocks = blocks
    this.#starts = new Uint32Array(blocks.length + 1)
    let rows = 0
    for (let n = 0; n < blocks.length; n++) {
      this.#starts[n] = rows
      rows += blocks[n]!.length / RECORD_SIZE
    }
    this.#starts[blocks.length] = rows
    this.length = rows
    this.uids = new Uint32Array(rows)
    let row = 0
    for (const block of blocks) {
      for (let at = At.uid; at < block.length; at += RECORD_SIZE) this.uids[row++] = block.readUInt32LE(at)
    }
  }

  get blocks(): readonly Buffer[] {
    return this.#blocks
  }

  uid(row: number): number {
    return this.uids[row]!
  }

  /** bits of Flag */
  flags(row: number): number {
    const block = this.#find(row)
    return this.#blocks[block]!.readInt32LE(this.#offset(block, row) + At.flags)
  }

  isExpunged(row: number): boolean {
    return (this.flags(row) & Flag.Expunged) !== 0
  }

  modseq(row: number): number {
    const block = this.#find(row)
    return readU64(this.#blocks[block]!, this.#offset(block, row) + At.modseq)
  }

  size(row: number): number {
    return this.#u32(row, At.size)
  }

  headerSize(row: number): number {
    return this.#u32(row, At.headerSize)
  }

  internaldate(row: number): number {
    return this.#u32(row, At.internaldate)
  }

  sentdate(row: number): number {
    return this.#u32(row, At.sentdate)
  }

  lastUpdated(row: number): number {
    return this.#u32(row, At.lastUpdated)
  }

  savedate(row: number): number {
    return this.#u32(row, At.savedate)
  }

  createdModseq(row: number): number {
    const block = this.#find(row)
    return readU64(this.#blocks[block]!, this.#offset(block, row) + At.createdModseq)
  }

  /** SHA-1 of the message, 40 hex digits */
  guid(row: number): string {
    return this.#hex(row, At.guid, 20)
  }

  /** conversation id, 16 hex digits */
  thrid(row: number): string {
    return this.#hex(row, At.thrid, 8)
  }

  /** Whether the row has the mailbox's keyword `slot`. */
  userFlag(row: number, slot: number): boolean {
    return (this.userFlagWord(row, slot >>> 5) & (1 << (slot & 31))) !== 0
  }

  /** Keywords 32n to 32n+31 of the row as bits. */
  userFlagWord(row: number, word: number): number {
    return this.#u32(row, At.userFlags + 4 * word)
  }

  record(row: number): MessageRecord {
    const block = this.#find(row)
    return unpackRecord(this.#blocks[block]!, this.#offset(block, row))
  }

  /** Row of a UID, or -1. */
  findUid(uid: number): number {
    const row = this.lowerBound(uid)
    return row < this.length && this.uids[row] === uid ? row : -1
  }

  /** First row whose UID is at least `uid`; `length` if there is none. */
  lowerBound(uid: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.uids[middle]! < uid) low = middle + 1
      else high = middle
    }
    return low
  }

  #u32(row: number, field: number): number {
    const block = this.#find(row)
    return this.#blocks[block]!.readUInt32LE(this.#offset(block, row) + field)
  }

  #hex(row: number, field: number, bytes: number): string {
    const block = this.#find(row)
    const at = this.#offset(block, row) + field
    return this.#blocks[block]!.toString('hex', at, at + bytes)
  }

  #offset(block: number, row: number): number {
    return (row - this.#starts[block]!) * RECORD_SIZE
  }

  /** Block of a row; the last answer is tried first, since scans go row by row. */
  #find(row: number): number {
    const starts = this.#starts
    const last = this.#last
    if (row >= starts[last]! && row < starts[last + 1]!) return last
    if (row >= this.length || row < 0) throw new RangeError(`row ${row} of ${this.length}`)
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (starts[middle]! <= row) low = middle
      else high = middle - 1
    }
    this.#last = low
    return low
  }
}

/** Snapshots that this process has loaded lately; bounded by the number of records they hold. */
export class IndexCache {
  readonly #entries = new Map<number, MailboxIndex>()
  #records = 0

  /** @param capacity records kept, about 115 bytes each */
  constructor(
    readonly database: Database,
    readonly capacity = 400_000,
  ) {}

  /** The committed state of a mailbox; undefined if it does not exist. */
  get(id: number): MailboxIndex | undefined {
    const packed = this.database.tables.headers.get(id)
    const cached = this.#entries.get(id)
    if (packed === undefined) {
      this.#forget(id)
      return undefined
    }
    const header = unpackHeader(packed)
    if (cached?.header.version === header.version) return cached
    const index =
      cached !== undefined && cached.header.version >= header.changesSince
        ? this.#reload(cached, header)
        : this.#load(header)
    this.#forget(id)
    this.#entries.set(id, index)
    this.#records += index.length
    this.#trim()
    return index
  }

  #forget(id: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#records -= entry.length
  }

  #trim(): void {
    for (const id of this.#entries.keys()) {
      if (this.#records <= this.capacity || this.#entries.size <= 1) return
      this.#forget(id)
    }
  }

  #load(header: MailboxHeader): MailboxIndex {
    const firstUids: number[] = []
    const blocks: Buffer[] = []
    const range = { start: uidKey(header.id, 0), end: uidKey(header.id + 1, 0) }
    for (const { key, value } of this.database.tables.blocks.getRange(range)) {
      firstUids.push(uidOfKey(key))
      blocks.push(value)
    }
    return new MailboxIndex(header, firstUids, blocks)
  }

  #reload(old: MailboxIndex, header: MailboxHeader): MailboxIndex {
    const changed = new Set<number>()
    for (let at = 0; at < header.changes.length; at += 2) {
      if (header.changes[at]! > old.header.version) changed.add(header.changes[at + 1]!)
    }
    const firstUids = [...old.firstUids]
    const blocks = [...old.blocks]
    for (const firstUid of changed) {
      const block = this.database.tables.blocks.get(uidKey(header.id, firstUid))
      let at = firstUids.length
      while (at > 0 && firstUids[at - 1]! >= firstUid) at--
      const known = firstUids[at] === firstUid
      if (block === undefined) {
        if (known) {
          firstUids.splice(at, 1)
          blocks.splice(at, 1)
        }
      } else if (known) {
        blocks[at] = block
      } else {
        firstUids.splice(at, 0, firstUid)
        blocks.splice(at, 0, block)
      }
    }
    return new MailboxIndex(header, firstUids, blocks)
  }
}
