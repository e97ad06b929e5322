/** The store's reading side with messages: their files opened and read, new ones staged until a transaction takes them. */
import { readFileSync, rmSync, statfsSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Database } from './database.js'
import type { MailboxHeader } from './header.js'
import type { InMemory } from './in_memory.js'
import { readSearchFile, type SearchEntry, SearchFileWriter } from './search_file.js'
import type { Spool } from './spool.js'
import type { Staged, Stager } from './stager.js'
import { StoreReader } from './store_reader.js'

/** A message that is missing on disk or is not what its record says. */
export class MessageFileError extends Error {
  override name = 'MessageFileError'
}

/** Where a mailbox's files are. */
export type Place = Pick<MailboxHeader, 'partition' | 'uniqueid'>

/** What MailStore knows of messages' files. */
export class MessageFiles extends StoreReader {
  constructor(
    database: Database,
    protected readonly spool: Spool,
  ) {
    super(database)
  }

  /** Opens a message's file. @throws {MessageFileError} if it is missing */
  async openMessage(mailbox: MailboxHeader, uid: number): Promise<FileHandle> {
    try {
      return await this.spool.open(mailbox, uid)
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** A message's bytes. @param size as its record says, if at hand: that is quicker  @throws {MessageFileError} if its file is missing */
  async readMessage(mailbox: MailboxHeader, uid: number, size?: number): Promise<Buffer> {
    try {
      return await this.spool.read(mailbox, uid, size)
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** As readMessage, at once: for a small message in a program that nobody else waits for. */
  readMessageSync(mailbox: MailboxHeader, uid: number): Buffer {
    try {
      return readFileSync(this.spool.messagePath(mailbox, uid))
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** Where a message's file is, for a transaction that links it elsewhere on the same partition. */
  messagePath(mailbox: Place, uid: number): string {
    return this.spool.messagePath(mailbox, uid)
  }

  /** Gives the entries of a mailbox's search index; see search_file.ts. */
  readSearchIndex(mailbox: MailboxHeader, take: (entry: SearchEntry) => void): Promise<void> {
    return readSearchFile(this.#searchFile(mailbox), take)
  }

  /** Opens a mailbox's search index to be filled. @returns undefined if somebody fills it  @throws the file system's error */
  openSearchIndex(mailbox: MailboxHeader): Promise<SearchFileWriter | undefined> {
    return SearchFileWriter.open(this.#searchFile(mailbox))
  }

  /** Removes a mailbox's search index; who reads it goes on with what was there. */
  removeSearchIndex(mailbox: MailboxHeader): void {
    rmSync(this.#searchFile(mailbox), { force: true })
  }

  #searchFile(mailbox: MailboxHeader): string {
    return join(this.spool.directory(mailbox), 'cyrus.search')
  }

  /** Begins a message on a partition. @throws {UnknownPartitionError} */
  stage(partition: string): Stager {
    return this.spool.stage(partition)
  }

  /** A whole message staged. @param options as of Stager.finish  @throws {UnknownPartitionError}; the file system's error, when full */
  async stageBuffer(partition: string, message: Buffer, options?: { synced?: boolean }): Promise<Staged> {
    const stager = this.stage(partition)
    try {
      stager.write(message)
      return await stager.finish(options)
    } catch (error) {
      stager.abort()
      throw error
    }
  }

  /**
   * Makes the files of messages in memory before the transaction that appends them to a mailbox, whose UIDs nobody else will give: for a
   * replication peer. Those of a transaction that fails go with `removePlaced`.
   */
  async placeAhead(mailbox: Place, messages: Iterable<readonly [uid: number, message: InMemory]>): Promise<void> {
    // one after the other: of several threads that make files in one directory, all but one wait for it
    for (const [uid, message] of messages) await message.placeAhead(this.spool.messagePath(mailbox, uid))
  }

  /** The bytes of a staged message. */
  readStaged(staged: Staged): Buffer {
    return staged.message ?? readFileSync(staged.path)
  }

  /** One more name of a message's file, in the staging area. */
  protected linkMessageFile(mailbox: MailboxHeader, uid: number): string {
    try {
      return this.spool.stageLink(mailbox, uid)
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** Removes a file from the staging area. */
  unstagePath(path: string): void {
    this.spool.unstage(path)
  }

  /** Removes a staged message; mailboxes that took it keep theirs. */
  unstage(staged: Staged): void {
    this.spool.unstage(staged.path)
  }

  hasPartition(name: string): boolean {
    return this.spool.hasPartition(name)
  }

  get partitionNames(): string[] {
    return this.spool.partitionNames
  }

  /** Room on the partitions' file systems, KiB. */
  freeSpace(): { partition: string; free: number; total: number }[] {
    return this.partitionNames.map((partition) => {
      const { bavail, blocks, bsize } = statfsSync(this.spool.root(partition))
      return { partition, free: Math.floor((bavail * bsize) / 1024), total: Math.floor((blocks * bsize) / 1024) }
    })
  }
}

function fileError(mailbox: MailboxHeader, uid: number, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  return new MessageFileError(`${mailbox.name}: message ${uid}: file is missing`)
}
