/**
 * The mail store as everything above it sees it: snapshots to read, one function to write, a feed of changes.
 *
 * Invariants, on which all callers build:
 * - `write` resolves when the change is on disk, with every message it adds: as a synced file, or, if small, in the database itself until its
 *   file is. Whoever acknowledges after it, acknowledges what is durable.
 * - Readers never wait and never see half a transaction; a snapshot stays as it is however long it is kept.
 * - A transaction is synchronous. Nobody holds the write lock across an await, so no peer can hold up another.
 * - A record's file is there as long as the record is not expunged; its name is its UID in its mailbox's directory.
 * - Only UIDs above header.lastUid are ever added, so what a client has seen keeps its place; but for a master of the 2.3 generation, which
 *   may send messages behind its last UID, and one under a UID in use (MailboxWriter.put). Who has the mailbox open sees them when it opens it again.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.js'
import type { Logger } from '../process/log.js'
import { AfterCommit } from './after_commit.js'
import { Confirmations, type Generation } from './confirmations.js'
import { commitFailure, type Database, openDatabase } from './database.js'
import { ChangeFeed } from './feed.js'
import type { MailboxHeader } from './header.js'
import type { InMemory } from './in_memory.js'
import { Intents, recover } from './intents.js'
import { flagsOf } from './lookups.js'
import { MessageFiles, type Place } from './message_files.js'
import { Settler } from './settler.js'
import { Spool } from './spool.js'
import { SyncLog, syncLogChannels } from './sync_log.js'
import { StoreTransaction } from './transaction.js'

export type { QuotaResource, QuotaRoot, SeenEntry, SieveFile, Tombstone } from './database.js'
export { QUOTA_RESOURCES } from './database.js'
export { MailboxExistsError, MailboxGoneError, TooManyFlagsError } from './errors.js'
export { FLAG_NAMES, Flag, SYSTEM_FLAGS } from './flags.js'
export type { MailboxHeader } from './header.js'
export { InMemory, type MessageSource } from './in_memory.js'
export type { MailboxIndex } from './index.js'
export { JOURNAL_KEPT, type JournalEntry } from './journal.js'
export { MailboxWriter } from './mailbox_writer.js'
export { MessageFileError } from './message_files.js'
export { type MessageRecord, NULL_GUID, NULL_THRID, NULL_UUID } from './record.js'
export type { SearchEntry } from './search_file.js'
export { isPathSafe, UnknownPartitionError } from './spool.js'
export { INLINE_LIMIT, type Staged, type Stager } from './stager.js'
export { type Annotation, VENDOR } from './sync_crc.js'
export { syncLogLine } from './sync_log.js'
export { now } from './time.js'
export { StoreTransaction } from './transaction.js'

/** What the feed calls the journal; mailboxes are numbered from 1. */
const JOURNAL = 0

/** How a process opens the store. */
export interface OpenOptions {
  /** the process applies what a replication peer says: its changes are logged only for chains of replicas */
  replica?: boolean
  /** the process acknowledges changes to clients: with `sync_mode: semisync` each waits for the replica */
  acknowledges?: boolean
}

/** The store, open: what can be asked of it (store_reader.ts, message_files.ts), and how it is changed. */
export class MailStore extends MessageFiles {
  readonly config: Config
  readonly log: Logger
  readonly #feed: ChangeFeed
  readonly #intents: Intents
  readonly #syncLog: SyncLog
  readonly #settler: Settler
  readonly #confirmations: Confirmations | undefined
  readonly #afterCommit: AfterCommit
  #closed = false

  private constructor(
    config: Config,
    log: Logger,
    database: Database,
    partitions: Map<string, string>,
    { replica = false, acknowledges = false }: OpenOptions,
  ) {
    super(database, new Spool(partitions))
    this.config = config
    this.log = log
    this.#intents = new Intents(this.database)
    const channels = syncLogChannels(config, replica)
    this.#confirmations = acknowledges ? Confirmations.of(config, channels, log) : undefined
    this.#syncLog = new SyncLog(config.directory, channels, this.#confirmations)
    const takeBack = async (): Promise<void> => {
      if (!this.#closed && this.#intents.hasDone) await this.write(() => undefined)
    }
    this.#settler = new Settler(this.spool, this.#syncLog, this.#intents, log, takeBack)
    const versionOf = (id: number): number | undefined =>
      id === JOURNAL ? this.journalEnd : this.mailboxById(id)?.version
    this.#feed = new ChangeFeed(config.directory, this.database, versionOf, log, config.duration('imapidlepoll'))
    this.#afterCommit = new AfterCommit(database, this.spool, this.#feed, this.#syncLog, this.#settler, log)
  }

  /**
   * Opens the store, making it if it is not there, and finishes what ended processes have left undone.
   * @throws {ConfigError} without a partition; the file system's error if its directories cannot be used
   */
  static async open(config: Config, log: Logger, options: OpenOptions = {}): Promise<MailStore> {
    const partitions = config.partitions()
    const fallback = config.string('defaultpartition')!
    if (partitions.size === 0)
      throw config.error('defaultpartition', `no partition is configured; add "partition-${fallback}: DIRECTORY"`)
    const database = await openDatabase(join(config.directory, 'store'), config.size('store_map_size'))
    const store = new MailStore(config, log, database, partitions, options)
    await store.recover()
    return store
  }

  /** Finishes what ended processes have left undone; also `ctl_cyrusdb -r`. @returns how many changes were unfinished */
  recover(): Promise<number> {
    return recover(this.database, this.spool, this.#syncLog, this.log)
  }

  /** Waits for what is under way and lets go of everything. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#feed.close()
    this.#syncLog.close()
    this.#confirmations?.close()
    await this.settled()
    this.#settler.close()
    this.spool.close()
    const nothing = { links: [], log: [], remove: [] }
    if (this.#intents.hasDone) {
      const takenBack = this.database.commit(() => void this.#intents.put(nothing, []))
      // the next process takes them back
      await takenBack.catch(async (error) =>
        this.log.error(`closing: ${((await commitFailure(error)) as Error).message}`),
      )
    }
    await this.database.close()
  }

  /**
   * Runs a function as one durable transaction. See transaction.ts for what it may do.
   * @param options.unlogged no replication log lines are written: it came by replication
   * @returns what the function returned, once the change is on disk; with `sync_mode: semisync`, once it is on the replica too
   * @throws what the function throws, or why the commit failed; nothing has happened then
   */
  async write<T>(change: (transaction: StoreTransaction) => T, { unlogged = false } = {}): Promise<T> {
    if (this.#closed) throw new Error('the store is closed')
    if (this.#settler.relief !== undefined) await this.#settler.relief
    let transaction!: StoreTransaction
    let sequence: number | undefined
    const committed = this.database.commit(() => {
      transaction = new StoreTransaction(this.database, this.spool)
      const value = change(transaction)
      transaction.flush()
      // deleting a mailbox's directory waits for the commit, and survives the process as an intent
      for (const gone of transaction.removedDirectories) transaction.intent.remove.push(this.spool.directory(gone))
      if (unlogged || !this.#syncLog.enabled) transaction.intent.log = []
      sequence = this.#intents.put(transaction.intent, transaction.contents)
      return value
    })
    let result: unknown
    try {
      result = await committed
    } catch (error) {
      throw await commitFailure(error)
    }
    const { log } = transaction.intent
    if (this.#confirmations !== undefined && log.length > 0 && sequence !== undefined) {
      const generation = await new Promise<Generation | undefined>((resolve) =>
        this.#afterCommit.begin(transaction, sequence, resolve),
      )
      if (generation !== undefined) await this.#confirmations.confirmed(generation, log)
    } else {
      this.#afterCommit.beginSoon(transaction, sequence)
    }
    return result as T
  }

  /** Removes files that `placeAhead` made, unless a record has come to own the name. */
  async removePlaced(mailbox: Place, messages: Iterable<readonly [uid: number, message: InMemory]>): Promise<void> {
    await this.database.commit(() => {
      const id = this.database.tables.uniqueids.get(mailbox.uniqueid)
      for (const [uid, message] of messages) {
        const path = this.spool.messagePath(mailbox, uid)
        const owned = id !== undefined && flagsOf(this.database.tables, id, uid) !== undefined
        if (message.isPlacedAt(path) && !owned) rmSync(path, { force: true })
      }
    })
  }

  /** Calls a listener whenever any process has changed a mailbox. @returns how to stop that */
  watch(id: number, listener: () => void): () => void {
    return this.#feed.watch(id, listener)
  }

  /** Calls a listener whenever any process has added to the journal. @returns how to stop that */
  watchJournal(listener: () => void): () => void {
    return this.#feed.watch(JOURNAL, listener)
  }

  /** Makes the next read see what other processes have committed since the last turn of the event loop. */
  refresh(): void {
    this.database.refresh()
  }

  /**
   * Keeps a message's file for later, whatever becomes of the message: another name of it in the staging area, to be given back with
   * `unstagePath`. Its bytes are on disk when this resolves. @throws {MessageFileError} if its file is missing
   */
  async stageMessage(mailbox: MailboxHeader, uid: number): Promise<string> {
    await this.settled()
    return this.linkMessageFile(mailbox, uid)
  }

  /** Waits until all that follows the commits so far is done: replication log, files, removals. */
  settled(): Promise<void> {
    return this.#afterCommit.settled()
  }
}
