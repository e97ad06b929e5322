/**
 * Message files below the partitions: {partition}/uuid/X/Y/UNIQUEID/UID. and, until they belong to a mailbox, {partition}/stage./PID-N.
 * Laid out by uniqueid as Cyrus 3.6 does, so that renaming a mailbox moves no file.
 * Nothing that comes from the network becomes part of a path before `isPathSafe` has let it through.
 */
import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, unlink as unlinkFile } from 'node:fs'
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Blanks } from './blanks.js'
import { readKnown } from './read_known.js'
import { Stager } from './stager.js'

/** Whether a uniqueid may be part of a path: letters, digits, `-` and `_` only. */
export function isPathSafe(uniqueid: string): boolean {
  return /^[A-Za-z0-9_-]{1,128}$/.test(uniqueid)
}

export class UnknownPartitionError extends Error {
  override name = 'UnknownPartitionError'
  constructor(readonly partition: string) {
    super(`no partition "${partition}" in the configuration`)
  }
}

export class Spool {
  readonly #partitions: ReadonlyMap<string, string>
  readonly #unsynced = new Map<string, Buffer | undefined>()
  readonly #blanks = new Map<string, Blanks>()
  #lastDirectories: readonly { partition: string; uniqueid: string; directory: string }[] = []
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
    // large changes ask for the same few again and again
    const last = this.#lastDirectories.find((each) => each.uniqueid === uniqueid && each.partition === partition)
    if (last !== undefined) return last.directory
    if (!isPathSafe(uniqueid))
      throw new Error(`uniqueid ${JSON.stringify(uniqueid.slice(0, 40))} cannot name a directory`)
    const directory = join(this.root(partition), 'uuid', uniqueid[0]!, uniqueid[1] ?? '_', uniqueid)
    this.#lastDirectories = [{ partition, uniqueid, directory }, ...this.#lastDirectories.slice(0, 3)]
    return directory
  }

  messagePath(mailbox: { partition: string; uniqueid: string }, uid: number): string {
    return `${this.directory(mailbox)}/${uid}.`
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

  /** Gives a message file one more name in the staging area of its partition, where it survives the message. @returns that name */
  stageLink(mailbox: { partition: string; uniqueid: string }, uid: number): string {
    const path = join(this.root(mailbox.partition), 'stage.', `${process.pid}-link-${randomUUID()}`)
    linkSync(this.messagePath(mailbox, uid), path)
    return path
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

  /** @param size bytes wanted, if known: that is quicker */
  read(mailbox: { partition: string; uniqueid: string }, uid: number, size?: number): Promise<Buffer> {
    const path = this.messagePath(mailbox, uid)
    return size === undefined ? readFile(path) : readKnown(path, size)
  }

  /**
   * Takes a mailbox's directory out of the way, at once and whole, so that it can be removed without hurry.
   * @param directory as `directory` gives it  @returns where it is now; undefined if it is not there
   */
  setAside(directory: string): string | undefined {
    for (const root of this.#partitions.values()) {
      if (!directory.startsWith(join(root, 'uuid/'))) continue
      const aside = join(root, 'stage.', `${process.pid}-gone-${randomUUID()}`)
      try {
        renameSync(directory, aside)
        return aside
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    return undefined
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
