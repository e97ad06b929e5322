/**
 * Message files below the partitions: {partition}/uuid/X/Y/UNIQUEID/UID. and, until they belong to a mailbox, {partition}/stage./PID-N.
 * Laid out by uniqueid as Cyrus 3.6 does, so that renaming a mailbox moves no file.
 * Nothing that comes from the network becomes part of a path before `isPathSafe` has let it through.
 */
import { createHash } from 'node:crypto'
import {
  closeSync,
  fdatasync,
  mkdirSync,
  open as openFile,
  openSync,
  readFileSync,
  rmSync,
  unlink as unlinkFile,
  writeSync,
} from 'node:fs'
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

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

/** Whether a uniqueid may be part of a path: letters, digits, `-` and `_` only. */
export function isPathSafe(uniqueid: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(uniqueid)
}

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

export class UnknownPartitionError extends Error {
  override name = 'UnknownPartitionError'
  constructor(readonly partition: string) {
    super(`no partition "${partition}" in the configuration`)
  }
}

/** An empty file in a staging area, open for writing. */
interface Blank {
  readonly path: string
  readonly fd: number
}

const MOST_BLANKS = 64

/**
 * Empty staging files made ahead of need, by Node's threads: making a file takes the file system half a millisecond and more, for which no
 * connection should wait. The stock grows with demand, and there is none before the first message.
 */
class Blanks {
  readonly #ready: Blank[] = []
  #wanted = 2
  #making = 0
  #made = 0
  #closed = false

  constructor(readonly directory: string) {}

  take(): Blank {
    const blank = this.#ready.pop()
    if (blank === undefined) this.#wanted = Math.min(2 * this.#wanted, MOST_BLANKS)
    this.#refill()
    if (blank !== undefined) return blank
    const path = this.#nextPath()
    return { path, fd: openSync(path, 'wx', 0o600) }
  }

  close(): void {
    this.#closed = true
    for (const { path, fd } of this.#ready) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
  }

  #nextPath(): string {
    return join(this.directory, `${process.pid}-${++this.#made}-${Date.now().toString(36)}`)
  }

  #refill(): void {
    while (this.#ready.length + this.#making < this.#wanted) {
      this.#making++
      const path = this.#nextPath()
      openFile(path, 'wx', 0o600, (error, fd) => {
        this.#making--
        // who needs one then makes it, and is told what is wrong
        if (error !== null) return
        this.#ready.push({ path, fd })
        if (this.#closed) this.close()
      })
    }
  }
}

/** One message being written to a staging area. */
export class Stager {
  readonly #fd: number
  readonly path: string
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

  /** Resolves when the message is complete, and on disk unless it is small. @throws the file system's error, when full; then `abort` */
  async finish(): Promise<Staged> {
    this.#flush()
    const kept = this.#kept
    const message = kept === undefined ? undefined : kept.length === 1 ? kept[0] : Buffer.concat(kept)
    if (this.#size > INLINE_LIMIT) await fdatasyncAsync(this.#fd)
    else this.unsynced.set(this.path, this.#size <= HELD_LIMIT ? message : undefined)
    closeSync(this.#fd)
    return { partition: this.partition, path: this.path, size: this.#size, guid: this.#hash.digest('hex'), message }
  }

  /** Gives the message up. */
  abort(): void {
    try {
      closeSync(this.#fd)
    } catch {
      // finish() has closed it
    }
    this.unsynced.delete(this.path)
    rmSync(this.path, { force: true })
  }
}

export class Spool {
  readonly #partitions: ReadonlyMap<string, string>
  readonly #unsynced = new Map<string, Buffer | undefined>()
  readonly #blanks = new Map<string, Blanks>()
  readonly #syncing = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>()

  /** @param partitions name → absolute path */
  constructor(partitions: ReadonlyMap<string, string>) {
    this.#partitions = partitions
    for (const root of partitions.values()) mkdirSync(join(root, 'stage.'), { recursive: true, mode: 0o700 })
  }

  get partitionNames(): string[] {
    return [...this.#partitions.keys()]
  }

  hasPartition(name: string): boolean {
    return this.#partitions.has(name)
  }

  /** Absolute path of a partition. @throws {UnknownPartitionError} */
  root(partition: string): string {
    const root = this.#partitions.get(partition)
    if (root === undefined) throw new UnknownPartitionError(partition)
    return root
  }

  /** Directory of a mailbox's files. @throws {UnknownPartitionError}, {Error} on a uniqueid that is not path-safe */
  directory({ partition, uniqueid }: { partition: string; uniqueid: string }): string {
    if (!isPathSafe(uniqueid))
      throw new Error(`uniqueid ${JSON.stringify(uniqueid.slice(0, 40))} cannot name a directory`)
    return join(this.root(partition), 'uuid', uniqueid[0]!, uniqueid[1] ?? '_', uniqueid)
  }

  messagePath(mailbox: { partition: string; uniqueid: string }, uid: number): string {
    return join(this.directory(mailbox), `${uid}.`)
  }

  makeDirectory(mailbox: { partition: string; uniqueid: string }): void {
    mkdirSync(this.directory(mailbox), { recursive: true, mode: 0o700 })
  }

  stage(partition: string): Stager {
    let blanks = this.#blanks.get(partition)
    if (blanks === undefined) {
      blanks = new Blanks(join(this.root(partition), 'stage.'))
      this.#blanks.set(partition, blanks)
    }
    return new Stager(partition, blanks.take(), this.#unsynced)
  }

  /** A staged file's bytes if they may not be on disk yet; undefined if they are. */
  unsyncedBytes(path: string): Buffer | undefined {
    return this.#unsynced.has(path) ? (this.#unsynced.get(path) ?? readFileSync(path)) : undefined
  }

  /** Removes a staged file, soon; mailboxes that have linked it keep theirs. */
  unstage(path: string): void {
    this.#unsynced.delete(path)
    // not at once: a thread that makes a file in the same directory would be waited for
    unlinkFile(path, () => {})
  }

  /** Removes message files. */
  async removeFiles(paths: readonly string[]): Promise<void> {
    for (const path of paths) await rm(path, { force: true })
  }

  /** Removes what was made ahead. */
  close(): void {
    for (const blanks of this.#blanks.values()) blanks.close()
  }

  open(mailbox: { partition: string; uniqueid: string }, uid: number): Promise<FileHandle> {
    return open(this.messagePath(mailbox, uid), 'r')
  }

  read(mailbox: { partition: string; uniqueid: string }, uid: number): Promise<Buffer> {
    return readFile(this.messagePath(mailbox, uid))
  }

  /** Removes a mailbox's directory with everything in it. */
  async removeDirectory(mailbox: { partition: string; uniqueid: string }): Promise<void> {
    await rm(this.directory(mailbox), { recursive: true, force: true })
  }

  /**
   * Resolves when all names that stand in a directory now are on disk.
   * Calls that come while one sync runs share the next one.
   */
  syncDirectory(directory: string): Promise<void> {
    const entry = this.#syncing.get(directory)
    if (entry === undefined) {
      const running = this.#startSync(directory)
      this.#syncing.set(directory, { running, next: undefined })
      return running
    }
    entry.next ??= entry.running
      .catch(() => {})
      .then(() => {
        const running = this.#startSync(directory)
        this.#syncing.set(directory, { running, next: undefined })
        return running
      })
    return entry.next
  }

  async #startSync(directory: string): Promise<void> {
    let handle: FileHandle | undefined
    try {
      handle = await open(directory, 'r')
      await handle.sync()
    } finally {
      await handle?.close()
      const entry = this.#syncing.get(directory)
      if (entry !== undefined && entry.next === undefined) this.#syncing.delete(directory)
    }
  }
}
