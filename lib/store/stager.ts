/** One message on its way into the store: written to a staging file piece by piece, hashed, complete at the end. */
import { createHash } from 'node:crypto'
import { closeSync, fdatasync, rmSync, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Blank } from './blanks.js'

const fdatasyncAsync = promisify(fdatasync)

/** Staged messages up to this size also stay in memory, for whoever parses them. */
export const KEEP_IN_MEMORY = 1024 * 1024
/**
 * Messages up to this size become durable as part of the database commit that gives them their record, and reach the disk as files a moment
 * later; larger ones are synced before. A new file costs a write of the file system's journal, some three times a commit.
 */
export const INLINE_LIMIT = 64 * 1024
/** Of those, messages up to this size are not read again for the commit; a replica may have a thousand staged. */
const HELD_LIMIT = 16 * 1024
/** Bytes gathered before they are written to the file. */
const GATHER = 64 * 1024

/** A complete message in a staging area; any number of mailboxes may link it. */
export interface Staged {
  readonly partition: string
  readonly path: string
  readonly size: number
  /** SHA-1 of the bytes, 40 lower-case hex digits */
  readonly guid: string
  /** the bytes, if they are at most KEEP_IN_MEMORY */
  readonly message: Buffer | undefined
}

/** One message being written to a staging area. */
export class Stager {
  readonly #fd: number
  readonly path: string
  #open = true
  readonly #hash = createHash('sha1')
  /** written by the caller and not to the file yet: many small pieces become one */
  #gathered: Buffer[] = []
  #gatheredSize = 0
  #kept: Buffer[] | undefined = []
  #size = 0

  constructor(
    readonly partition: string,
    { path, fd }: Blank,
    /** paths of staged messages whose bytes are not on disk, and the bytes of the very small ones */
    private readonly unsynced: Map<string, Buffer | undefined>,
  ) {
    this.path = path
    this.#fd = fd
  }

  get size(): number {
    return this.#size
  }

  /** Appends bytes. @throws the file system's error, when full; then `abort`. */
  write(chunk: Buffer): void {
    // a socket's chunk may be a view of memory that is used again
    this.#gathered.push(Buffer.from(chunk))
    this.#gatheredSize += chunk.length
    this.#size += chunk.length
    if (this.#gatheredSize >= GATHER) this.#flush()
  }

  #flush(): void {
    if (this.#gatheredSize === 0) return
    const piece = this.#gathered.length === 1 ? this.#gathered[0]! : Buffer.concat(this.#gathered)
    this.#gathered = []
    this.#gatheredSize = 0
    for (let at = 0; at < piece.length; ) at += writeSync(this.#fd, piece, at)
    this.#hash.update(piece)
    if (this.#size > KEEP_IN_MEMORY) this.#kept = undefined
    else this.#kept?.push(piece)
  }

  /**
   * Resolves when the message is complete, and on disk unless it is small.
   * @param synced on disk even if small: for so many at once that their bytes should neither wait in memory nor go into one commit
   * @throws the file system's error, when full; then `abort`
   */
  async finish({ synced = false }: { synced?: boolean } = {}): Promise<Staged> {
    this.#flush()
    const kept = this.#kept
    const message = kept === undefined ? undefined : kept.length === 1 ? kept[0] : Buffer.concat(kept)
    if (synced || this.#size > INLINE_LIMIT) await fdatasyncAsync(this.#fd)
    else this.unsynced.set(this.path, this.#size <= HELD_LIMIT ? message : undefined)
    this.#close()
    return { partition: this.partition, path: this.path, size: this.#size, guid: this.#hash.digest('hex'), message }
  }

  /** Gives the message up. */
  abort(): void {
    this.#close()
    this.unsynced.delete(this.path)
    rmSync(this.path, { force: true })
  }
  /** Once: the number may be another file's by then. */
  #close(): void {
    if (!this.#open) return
    this.#open = false
    closeSync(this.#fd)
  }
}
