/**
 * A mailbox's records as an immutable snapshot in UID order.
 * Records live in blocks of up to 36 (one database page each); a snapshot holds the blocks and reads fields in place.
 * A snapshot that follows a change shares with the one before what has not changed.
 */
import { Flag } from './flags.js'
import type { MailboxHeader } from './header.js'
import { At, type MessageRecord, RECORD_SIZE, readU64, unpackRecord } from './record.js'

/** 36 records and LMDB's page header fill one page of 4096 bytes. */
export const RECORDS_PER_BLOCK = 36

/** What a snapshot is made of. */
interface Contents {
  readonly header: MailboxHeader
  /** key of each block, ascending */
  readonly firstUids: readonly number[]
  readonly blocks: readonly Buffer[]
  /** first row of each block, and the length at the end */
  readonly starts: Uint32Array
  readonly uids: Uint32Array
  /** UIDs that are not expunged, if known */
  readonly visible: Uint32Array | undefined
}

/** An immutable snapshot of a mailbox: rows 0 to length-1 in ascending UID order, expunged ones included. */
export class MailboxIndex {
  readonly header: MailboxHeader
  readonly firstUids: readonly number[]
  /** number of records, expunged ones included */
  readonly length: number
  /** UID of every row */
  readonly uids: Uint32Array
  readonly #blocks: readonly Buffer[]
  readonly #starts: Uint32Array
  #visible: Uint32Array | undefined
  #last = 0

  private constructor({ header, firstUids, blocks, starts, uids, visible }: Contents) {
    this.header = header
    this.firstUids = firstUids
    this.#blocks = blocks
    this.#starts = starts
    this.uids = uids
    this.length = uids.length
    this.#visible = visible
  }

  /**
   * @param firstUids key of each block, ascending
   * @param before a snapshot with the same blocks, and keys, up to block number `same`
   */
  static of(
    header: MailboxHeader,
    firstUids: readonly number[],
    blocks: readonly Buffer[],
    before?: MailboxIndex,
    same = 0,
  ): MailboxIndex {
    const starts = new Uint32Array(blocks.length + 1)
    if (before !== undefined) starts.set(before.#starts.subarray(0, same + 1))
    for (let n = same; n < blocks.length; n++) starts[n + 1] = starts[n]! + blocks[n]!.length / RECORD_SIZE
    const uids = new Uint32Array(starts[blocks.length]!)
    if (before !== undefined) uids.set(before.uids.subarray(0, starts[same]))
    for (let n = same; n < blocks.length; n++) readUids(blocks[n]!, uids, starts[n]!)
    return new MailboxIndex({ header, firstUids, blocks, starts, uids, visible: undefined })
  }

  /**
   * The snapshot that follows when some blocks have changed. What those do not touch is shared with this one: after a change of flags all
   * but the array of blocks, so that neither it nor what clients see of it costs by the number of messages.
   * @param changes first UID → the block now, undefined if it is gone
   */
  followedBy(header: MailboxHeader, changes: ReadonlyMap<number, Buffer | undefined>): MailboxIndex {
    const blocks = this.#blocks.slice()
    let visible = this.#visible
    for (const [firstUid, block] of changes) {
      const n = lowerBound(this.firstUids, firstUid)
      const before = this.firstUids[n] === firstUid ? blocks[n] : undefined
      if (block === undefined || before === undefined || !sameMessages(before, block))
        return this.#rebuilt(header, changes)
      if (visible !== undefined && !sameExpunged(before, block)) visible = undefined
      blocks[n] = block
    }
    const { firstUids, uids } = this
    return new MailboxIndex({ header, firstUids, blocks, starts: this.#starts, uids, visible })
  }

  /** As `followedBy`, for blocks that have come or gone, or have got other rows. */
  #rebuilt(header: MailboxHeader, changes: ReadonlyMap<number, Buffer | undefined>): MailboxIndex {
    const firstUids = this.firstUids.slice()
    const blocks = this.#blocks.slice()
    let same = blocks.length
    for (const [firstUid, block] of changes) {
      const n = lowerBound(firstUids, firstUid)
      same = Math.min(same, n)
      const known = firstUids[n] === firstUid
      if (block !== undefined) {
        firstUids.splice(n, known ? 1 : 0, firstUid)
        blocks.splice(n, known ? 1 : 0, block)
      } else if (known) {
        firstUids.splice(n, 1)
        blocks.splice(n, 1)
      }
    }
    return MailboxIndex.of(header, firstUids, blocks, this, same)
  }

  /** UIDs that are not expunged, ascending; the same array as long as it is the same messages. */
  get visibleUids(): Uint32Array {
    this.#visible ??= this.header.expunged === 0 ? this.uids : this.#withoutExpunged()
    return this.#visible
  }

  #withoutExpunged(): Uint32Array {
    const kept = new Uint32Array(this.length)
    let count = 0
    for (const block of this.#blocks)
      for (let at = 0; at < block.length; at += RECORD_SIZE)
        if (!(block.readInt32LE(at + At.flags) & Flag.Expunged)) kept[count++] = block.readUInt32LE(at + At.uid)
    return kept.slice(0, count)
  }

  get blocks(): readonly Buffer[] {
    return this.#blocks
  }

  /** The row behind a block's last one. */
  endOfBlock(block: number): number {
    return this.#starts[block + 1]!
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

  /** The first four bytes of the GUID as a number, big endian. */
  guidStart(row: number): number {
    const block = this.#find(row)
    return this.#blocks[block]!.readUInt32BE(this.#offset(block, row) + At.guid)
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

/** First place in ascending numbers whose value is at least `wanted`. */
function lowerBound(numbers: readonly number[], wanted: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}

function readUids(block: Buffer, into: Uint32Array, from: number): void {
  for (let at = At.uid, row = from; at < block.length; at += RECORD_SIZE) into[row++] = block.readUInt32LE(at)
}

/** Whether blocks have the same messages: the same UIDs, and dates, which only a peer changes. */
function sameMessages(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false
  const same = (at: number): boolean => a.readUInt32LE(at) === b.readUInt32LE(at)
  for (let at = 0; at < a.length; at += RECORD_SIZE)
    if (!same(at + At.uid) || !same(at + At.internaldate) || !same(at + At.guid)) return false
  return true
}

function sameExpunged(a: Buffer, b: Buffer): boolean {
  for (let at = At.flags; at < a.length; at += RECORD_SIZE)
    if ((a.readInt32LE(at) ^ b.readInt32LE(at)) & Flag.Expunged) return false
  return true
}
