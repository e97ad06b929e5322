/**
 * What follows a commit without hurry: message files, the names of files, and replication log lines brought to disk, many at a time.
 *
 * Until then the commit itself stands in for them: small messages are in the database with their record (see intents.ts), and so are
 * names and log lines. So an acknowledgement waits for one database commit and nothing else, and the file system's journal is
 * written once for hundreds of messages. When all of an intent is on disk, the intent is done.
 */
import { open } from 'node:fs/promises'
import { syncFileSystem } from '../os/sync_fs.js'
import type { Logger } from '../process/log.js'
import type { Intents } from './intents.js'
import type { Spool } from './spool.js'
import type { SyncLog } from './sync_log.js'

/** How long work is gathered, ms. */
const GATHER = 400
/** How many files make it begin at once. */
const ENOUGH = 2000
/** From so many files on, the whole file system is synced instead of each of them: one write of its journal instead of many. */
const MANY = 16
/** A file system that took longer than this (ms) for that has much else to write; then its files are synced one by one for a while. */
const SLOW = 3000
/** Files that may wait; beyond, who commits more waits for them. Each stands in the database until then. */
const MOST = 6000
/** How long the store is quiet before the last intents are taken back, ms. */
const QUIET = 1000
const PARALLEL = 3

export interface Work {
  /** intent that is done when all of it is on disk */
  sequence: number
  /** message files */
  files: readonly string[]
  /** directories with new names in them */
  directories: Iterable<string>
  /** partitions on which the files are */
  partitions: Iterable<string>
}

export class Settler {
  #queue: Work[] = []
  #files = 0
  #timer: NodeJS.Timeout | undefined
  #quiet: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #underWay = 0
  /** until when (ms, monotonic) no file system is synced as a whole */
  #fileByFileUntil = 0

  /** @param takeBack runs an empty transaction, which removes the intents that are done */
  constructor(
    private readonly spool: Spool,
    private readonly syncLog: SyncLog,
    private readonly intents: Intents,
    private readonly log: Logger,
    private readonly takeBack: () => Promise<unknown>,
  ) {}

  add(work: Work): void {
    this.#queue.push(work)
    this.#files += work.files.length
    clearTimeout(this.#quiet)
    if (this.#files >= ENOUGH) this.#start()
    else this.#timer ??= setTimeout(() => this.#start(), GATHER)
  }

  /** Undefined, or what to wait for before more is committed: the disk does not keep up. */
  get relief(): Promise<void> | undefined {
    return this.#files + this.#underWay > MOST ? this.#running : undefined
  }

  /** Brings everything that was added to disk. */
  async drain(): Promise<void> {
    while (this.#running !== undefined || this.#queue.length > 0) {
      this.#start()
      await this.#running
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#quiet)
  }

  #start(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#running !== undefined || this.#queue.length === 0) return
    const batch = this.#queue
    this.#queue = []
    this.#underWay = this.#files
    this.#files = 0
    this.#running = this.#settle(batch)
      .catch((error: Error) => {
        // the intents stay, so nothing is lost; recovery or the next process tries again
        this.log.error(`bringing messages to disk: ${error.message}`)
      })
      .finally(() => {
        this.#running = undefined
        this.#underWay = 0
        if (this.#queue.length > 0) this.#timer ??= setTimeout(() => this.#start(), GATHER)
        else this.#quiet = setTimeout(() => void this.takeBack().catch(() => {}), QUIET).unref()
      })
  }

  async #settle(batch: readonly Work[]): Promise<void> {
    const files = batch.flatMap((work) => work.files)
    const began = performance.now()
    if (files.length >= MANY && began >= this.#fileByFileUntil) {
      const partitions = new Set(batch.flatMap((work) => [...work.partitions]))
      await Promise.all([...partitions].map((partition) => syncFileSystem(this.spool.root(partition))))
      const took = performance.now() - began
      if (took > SLOW) this.#fileByFileUntil = performance.now() + 20 * took
    } else {
      await this.#eachFile(files)
      const directories = new Set(batch.flatMap((work) => [...work.directories]))
      await Promise.all([...directories].map((directory) => unlessGone(this.spool.syncDirectory(directory))))
    }
    await this.syncLog.sync()
    for (const { sequence } of batch) this.intents.done(sequence)
  }

  async #eachFile(files: readonly string[]): Promise<void> {
    let next = 0
    const sync = async (): Promise<void> => {
      while (next < files.length) await syncFile(files[next++]!)
    }
    await Promise.all(Array.from({ length: PARALLEL }, sync))
  }
}

async function syncFile(path: string): Promise<void> {
  await unlessGone(
    open(path, 'r').then(async (handle) => {
      try {
        await handle.datasync()
      } finally {
        await handle.close()
      }
    }),
  )
}

/** A message or mailbox that was removed meanwhile needs no disk. */
async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
