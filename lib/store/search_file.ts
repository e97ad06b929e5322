/**
 * The search index of one mailbox: the file `cyrus.search` beside its messages, with a filter of each message (lib/message/search_grams.ts).
 *
 * It only ever spares work. It is written behind the answers, not synced, and believed no further than its checksums go: what is missing or
 * damaged is as if it had never been written, and the next who fills the index mends it. An entry counts for a message with that UID and
 * the same GUID, and for nothing else. Many may read while one writes: there is one writer at a time, blocks are added at the end, and a file
 * written anew takes the place of the old one by its name.
 *
 * Layout, little endian: a line of 64 bytes that names the version; then blocks: MAGIC, bytes of the payload, their CRC-32, number of entries; the
 * payload is 12 bytes an entry (UID, first four bytes of the GUID, bytes of its filter), then the filters.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, renameSync, statSync, writeSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { tryLockByte } from '../os/byte_lock.js'
import { readPiece } from './read_known.js'

/** Raised when what a filter says of a message changes; what JavaScript knows of Unicode is part of that. */
const VERSION = 1
const HEAD = Buffer.from(
  `cyrus-ts search index ${VERSION}, Unicode ${process.versions.unicode}`.padEnd(63).concat('\n'),
  'latin1',
)
const MAGIC = 0x68635373
const BLOCK_HEAD = 16
const ENTRY = 12
/** A block is closed when its filters are as long as this. */
const FULL = 64 * 1024
/** Longer than any block. */
const PIECE = 512 * 1024
/** Milliseconds of reading before others get their turn. */
const SLICE_MS = 3

/** What is told of an entry; the bytes are those of a larger buffer and hold only until `take` returns. */
export interface SearchEntry {
  readonly uid: number
  /** the first four bytes of the message's GUID, big endian */
  readonly guid: number
  readonly bytes: Buffer
  /** where in `bytes` the filter begins, and its length */
  readonly start: number
  readonly length: number
}

interface Extent {
  /** up to where the file is sound; 0 if its first line is not ours */
  end: number
  blocks: number
}

/** Gives every sound entry of a file, in the order in which they were written. @returns up to where it is sound */
async function readEntries(fd: number, take: (entry: SearchEntry) => void): Promise<Extent> {
  const bytes = Buffer.allocUnsafe(PIECE)
  let since = performance.now()
  let filled = await readPiece(fd, bytes, 0)
  if (filled < HEAD.length || bytes.compare(HEAD, 0, HEAD.length, 0, HEAD.length) !== 0) return { end: 0, blocks: 0 }
  const extent: Extent = { end: HEAD.length, blocks: 0 }
  let at = HEAD.length
  for (;;) {
    const length = soundBlock(bytes, at, filled)
    if (length === undefined) return extent
    if (length > 0) {
      giveEntries(bytes, at, take)
      at += length
      extent.end += length
      extent.blocks++
      continue
    }
    // the rest of the block is yet to be read
    if (at === 0 && filled === PIECE) return extent
    filled = await readPiece(fd, bytes, extent.end)
    if (soundBlock(bytes, 0, filled) === 0) return extent
    at = 0
    if (performance.now() - since > SLICE_MS) {
      await nextTurn()
      since = performance.now()
    }
  }
}

/** @returns bytes of the block that begins there; 0 if not all of it is there; undefined if it is none */
function soundBlock(bytes: Buffer, at: number, end: number): number | undefined {
  if (end - at < BLOCK_HEAD) return 0
  if (bytes.readUInt32LE(at) !== MAGIC) return undefined
  const length = bytes.readUInt32LE(at + 4)
  const count = bytes.readUInt32LE(at + 12)
  if (length > PIECE - BLOCK_HEAD || count * ENTRY > length) return undefined
  const payload = at + BLOCK_HEAD
  if (payload + length > end) return 0
  if (crc32(bytes.subarray(payload, payload + length), count) !== bytes.readUInt32LE(at + 8)) return undefined
  let filters = count * ENTRY
  for (let n = 0; n < count; n++) filters += bytes.readUInt32LE(payload + n * ENTRY + 8)
  return filters === length ? BLOCK_HEAD + length : undefined
}

function giveEntries(bytes: Buffer, block: number, take: (entry: SearchEntry) => void): void {
  const count = bytes.readUInt32LE(block + 12)
  let start = block + BLOCK_HEAD + count * ENTRY
  for (let n = 0; n < count; n++) {
    const at = block + BLOCK_HEAD + n * ENTRY
    const length = bytes.readUInt32LE(at + 8)
    take({ uid: bytes.readUInt32LE(at), guid: bytes.readUInt32LE(at + 4), bytes, start, length })
    start += length
  }
}

/** Reads an index. Whatever is wrong with it, there are just fewer entries. */
export async function readSearchFile(path: string, take: (entry: SearchEntry) => void): Promise<void> {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return
  }
  try {
    await readEntries(fd, take)
  } catch {
    // a disk that cannot be read: the messages will tell
  } finally {
    closeSync(fd)
  }
}

/** One writer of an index; others find it taken. */
export class SearchFileWriter {
  /** UID → first bytes of the GUID, of all entries */
  readonly known = new Map<number, number>()
  #pending: { uid: number; guid: number; filter: Buffer }[] = []
  #pendingBytes = 0
  #blocks = 0
  #end = 0

  private constructor(
    private readonly path: string,
    private fd: number,
  ) {}

  /**
   * Opens an index to be filled, made if it is not there; what is damaged is cut off.
   * @returns undefined if somebody else fills it  @throws the file system's error: no such mailbox any more, no room
   */
  static async open(path: string): Promise<SearchFileWriter | undefined> {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    const writer = new SearchFileWriter(path, fd)
    try {
      // one that has been written anew meanwhile is not the index any more
      if (tryLockByte(fd, 0, 'exclusive') && statSync(path).ino === fstatSync(fd).ino) {
        await writer.#load()
        return writer
      }
    } catch (error) {
      closeSync(fd)
      throw error
    }
    closeSync(fd)
    return undefined
  }

  async #load(): Promise<void> {
    const { end, blocks } = await readEntries(this.fd, ({ uid, guid }) => void this.known.set(uid, guid))
    this.#blocks = blocks
    this.#end = end
    ftruncateSync(this.fd, end)
    if (end === 0) this.#writeAll(HEAD)
  }

  /** Adds a message's filter; written with others. @throws the file system's error */
  add(uid: number, guid: number, filter: Buffer): void {
    this.known.set(uid, guid)
    this.#pending.push({ uid, guid, filter })
    this.#pendingBytes += ENTRY + filter.length
    if (this.#pendingBytes >= FULL) this.flush()
  }

  /** Writes what was added. @throws the file system's error; the index ends before it then */
  flush(): void {
    const pending = this.#pending
    if (pending.length === 0) return
    const block = Buffer.allocUnsafe(BLOCK_HEAD + this.#pendingBytes)
    this.#pending = []
    this.#pendingBytes = 0
    let filterAt = BLOCK_HEAD + pending.length * ENTRY
    for (const [n, { uid, guid, filter }] of pending.entries()) {
      const at = BLOCK_HEAD + n * ENTRY
      block.writeUInt32LE(uid, at)
      block.writeUInt32LE(guid, at + 4)
      block.writeUInt32LE(filter.length, at + 8)
      filterAt += filter.copy(block, filterAt)
    }
    block.writeUInt32LE(MAGIC, 0)
    block.writeUInt32LE(block.length - BLOCK_HEAD, 4)
    block.writeUInt32LE(crc32(block.subarray(BLOCK_HEAD), pending.length), 8)
    block.writeUInt32LE(pending.length, 12)
    this.#writeAll(block)
    this.#blocks++
  }

  /** How many blocks there are; many small ones are a reason to write the index anew. */
  get blocks(): number {
    return this.#blocks
  }

  /** Writes the index anew with the entries that are wanted, in full blocks. @throws the file system's error; the old one stays then */
  async rewrite(wanted: (uid: number, guid: number) => boolean): Promise<void> {
    this.flush()
    const aside = `${this.path}.new`
    const fd = openSync(aside, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    const fresh = new SearchFileWriter(aside, fd)
    try {
      ftruncateSync(fd, 0)
      fresh.#writeAll(HEAD)
      await readEntries(this.fd, ({ uid, guid, bytes, start, length }) => {
        // of two entries of a UID the later one counts
        if (this.known.get(uid) === guid && !fresh.known.has(uid) && wanted(uid, guid))
          fresh.add(uid, guid, Buffer.from(bytes.subarray(start, start + length)))
      })
      fresh.flush()
      if (!tryLockByte(fd, 0, 'exclusive')) throw new Error(`${aside}: locked`)
      renameSync(aside, this.path)
    } catch (error) {
      closeSync(fd)
      throw error
    }
    closeSync(this.fd)
    this.fd = fd
    this.known.clear()
    for (const [uid, guid] of fresh.known) this.known.set(uid, guid)
    this.#blocks = fresh.#blocks
    this.#end = fresh.#end
  }

  /** Lets others fill it; what was added and not flushed is lost. */
  close(): void {
    closeSync(this.fd)
  }

  #writeAll(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at, bytes.length - at, this.#end + at)
    this.#end += bytes.length
  }
}
