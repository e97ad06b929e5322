/** The records of one mailbox inside a transaction, block by block as they are needed; changed ones reach the table with `write`. */
import type { Tables } from './database.js'
import { RECORDS_PER_BLOCK } from './index.js'
import { uidKey, uidOfKey } from './keys.js'
import { At, type MessageRecord, packRecord, RECORD_SIZE } from './record.js'

/** A block in memory. */
export interface Block {
  firstUid: number
  /** packed records; its length is a multiple of RECORD_SIZE */
  data: Buffer
  dirty: boolean
}

/** The blocks that a transaction has looked at. */
export class RecordBlocks {
  /** the one used last is tried first */
  readonly #blocks = new Map<number, Block>()
  #current: Block | undefined
  /** first UIDs of the blocks that were changed */
  readonly changed = new Set<number>()
  /** UID of the last record that this transaction appended */
  lastRecordUid = -1

  constructor(
    private readonly tables: Tables,
    /** the mailbox's */
    private readonly id: number,
  ) {}

  /** A record behind all others. */
  append(record: MessageRecord): void {
    const block = this.last()
    if (block !== undefined && block.data.length < RECORDS_PER_BLOCK * RECORD_SIZE) {
      const grown = Buffer.allocUnsafe(block.data.length + RECORD_SIZE)
      block.data.copy(grown)
      packRecord(record, grown, block.data.length)
      block.data = grown
      this.touch(block)
    } else {
      const data = Buffer.allocUnsafe(RECORD_SIZE)
      packRecord(record, data, 0)
      this.touch(this.#newBlock(record.uid, data))
    }
  }

  /** A record between others. */
  insert(record: MessageRecord): void {
    const packed = Buffer.allocUnsafe(RECORD_SIZE)
    packRecord(record, packed, 0)
    const block = this.#blockOf(record.uid)
    if (block === undefined) {
      this.touch(this.#newBlock(record.uid, packed))
      return
    }
    let at = 0
    while (at < block.data.length && block.data.readUInt32LE(at + At.uid) < record.uid) at += RECORD_SIZE
    block.data = Buffer.concat([block.data.subarray(0, at), packed, block.data.subarray(at)])
    this.touch(block)
    const records = block.data.length / RECORD_SIZE
    if (records <= RECORDS_PER_BLOCK) return
    const half = (records >>> 1) * RECORD_SIZE
    const tail = Buffer.from(block.data.subarray(half))
    block.data = Buffer.from(block.data.subarray(0, half))
    this.touch(this.#newBlock(tail.readUInt32LE(At.uid), tail))
  }

  #newBlock(firstUid: number, data: Buffer): Block {
    const block = { firstUid, data, dirty: false }
    this.#blocks.set(firstUid, block)
    this.#current = block
    return block
  }

  /** A block's data has been changed. */
  touch(block: Block): void {
    block.dirty = true
    this.changed.add(block.firstUid)
  }

  /** Nothing of what was read is needed any more. */
  forget(): void {
    this.#blocks.clear()
    this.#current = undefined
  }

  /** Puts what is changed into the table. @returns whether anything was */
  write(): boolean {
    const { blocks } = this.tables
    let wrote = this.changed.size > 0
    for (const block of this.#blocks.values()) {
      if (!block.dirty) continue
      const key = uidKey(this.id, block.firstUid)
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

  /** Where a UID's record is. */
  locate(uid: number): { block: Block; at: number } | undefined {
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
    const { id } = this
    let best: number | undefined
    for (const key of this.tables.blocks.getKeys({
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
    const data = this.tables.blocks.get(uidKey(this.id, firstUid))
    if (data === undefined) return undefined
    const block = { firstUid, data: Buffer.from(data), dirty: false }
    this.#blocks.set(firstUid, block)
    return block
  }

  /** The block of the greatest UIDs. */
  last(): Block | undefined {
    const current = this.#current
    if (current !== undefined && current.data.length > 0 && lastUidOf(current) === this.lastRecordUid) return current
    const block = this.#blockOf(4294967295)
    this.#current = block
    return block
  }
}

/** The greatest UID of a block that is not empty. */
export function lastUidOf(block: Block): number {
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
