/**
 * The mail store as everything above it sees it: snapshots to read, one function to write, a feed of changes.
 *
 * Invariants, on which all callers build:
 * - `write` resolves when the change is on disk, with every message it adds: as a synced file, or, if small, in the database itself until its
 *   file is. Whoever acknowledges after it, acknowledges what is durable.
 * - Readers never wait and never see half a transaction; a snapshot stays as it is however long it is kept.
 * - A transaction is synchronous. Nobody holds the write lock across an await, so no peer can hold up another.
 * - A record's file is there as long as the record is not expunged; its name is its UID in its mailbox's directory.
 * - Only UIDs above header.lastUid are ever added, so what a client has seen keeps its place.
 */
import { readFileSync, statfsSync } from 'node:fs'
import { type FileHandle, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import type { Logger } from '../process/log.js'
import { Confirmations, type Generation } from './confirmations.js'
import {
  commitFailure,
  type Database,
  openDatabase,
  type QuotaRoot,
  type SeenEntry,
  type Tombstone,
} from './database.js'
import { ChangeFeed } from './feed.js'
import { type MailboxHeader, type PackedHeader, unpackHeader } from './header.js'
import { IndexCache, type MailboxIndex } from './index.js'
import { Intents, recover, removeDirectory } from './intents.js'
import { nameKey, nameOfKey, uidKey, uidOfKey } from './keys.js'
import {
  type MailboxPage,
  mailboxIds,
  pageOfMailboxes,
  readAnnotations,
  readMessageAnnotations,
  tombstones,
} from './lookups.js'
import { Settler } from './settler.js'
import { Spool } from './spool.js'
import type { Staged, Stager } from './stager.js'
import type { Annotation } from './sync_crc.js'
import { SyncLog, syncLogChannels } from './sync_log.js'
import { StoreTransaction } from './transaction.js'

export type { QuotaResource, QuotaRoot, SeenEntry, Tombstone } from './database.js'
export { QUOTA_RESOURCES } from './database.js'
export { MailboxExistsError, MailboxGoneError, TooManyFlagsError } from './errors.js'
export { FLAG_NAMES, Flag, SYSTEM_FLAGS } from './flags.js'
export type { MailboxHeader } from './header.js'
export type { MailboxIndex } from './index.js'
export { MailboxWriter } from './mailbox_writer.js'
export { type MessageRecord, NULL_GUID, NULL_THRID, NULL_UUID } from './record.js'
export { isPathSafe, UnknownPartitionError } from './spool.js'
export type { Staged, Stager } from './stager.js'
export { type Annotation, VENDOR } from './sync_crc.js'
export { syncLogLine } from './sync_log.js'
export { now } from './time.js'
export { StoreTransaction } from './transaction.js'

/** Mailboxes of a list read at once: a millisecond's work. */
const LIST_PAGE = 256

/** How a process opens the store. */
export interface OpenOptions {
  /** the process applies what a replication peer says: its changes are logged only for chains of replicas */
  replica?: boolean
  /** the process acknowledges changes to clients: with `sync_mode: semisync` each waits for the replica */
  acknowledges?: boolean
}

/** A message that is missing on disk or is not what its record says. */
export class MessageFileError extends Error {
  override name = 'MessageFileError'
}

export class MailStore {
  readonly config: Config
  readonly log: Logger
  readonly #database: Database
  readonly #spool: Spool
  readonly #indexes: IndexCache
  readonly #feed: ChangeFeed
  readonly #intents: Intents
  readonly #syncLog: SyncLog
  readonly #settler: Settler
  readonly #confirmations: Confirmations | undefined
  readonly #unfinished = new Set<Promise<void>>()
  #closed = false

  private constructor(
    config: Config,
    log: Logger,
    database: Database,
    partitions: Map<string, string>,
    { replica = false, acknowledges = false }: OpenOptions,
  ) {
    this.config = config
    this.log = log
    this.#spool = new Spool(partitions)
    this.#database = database
    this.#indexes = new IndexCache(this.#database)
    this.#intents = new Intents(this.#database)
    const channels = syncLogChannels(config, replica)
    this.#confirmations = acknowledges ? Confirmations.of(config, channels, log) : undefined
    this.#syncLog = new SyncLog(config.directory, channels, this.#confirmations)
    const takeBack = async (): Promise<void> => {
      if (!this.#closed && this.#intents.hasDone) await this.write(() => undefined)
    }
    this.#settler = new Settler(this.#spool, this.#syncLog, this.#intents, log, takeBack)
    const versionOf = (id: number): number | undefined => this.mailboxById(id)?.version
    this.#feed = new ChangeFeed(config.directory, this.#database, versionOf, log, config.duration('imapidlepoll'))
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
    return recover(this.#database, this.#spool, this.#syncLog, this.log)
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
    this.#spool.close()
    const nothing = { links: [], log: [], remove: [] }
    if (this.#intents.hasDone) {
      const takenBack = this.#database.commit(() => void this.#intents.put(nothing, []))
      // the next process takes them back
      await takenBack.catch(async (error) =>
        this.log.error(`closing: ${((await commitFailure(error)) as Error).message}`),
      )
    }
    await this.#database.close()
  }

  // mailboxes

  /** A mailbox by its internal name; tombstones are none. */
  mailbox(name: string): MailboxHeader | undefined {
    const entry = this.#database.tables.names.get(nameKey(name))
    return entry !== undefined && 'id' in entry ? this.mailboxById(entry.id) : undefined
  }

  mailboxById(id: number): MailboxHeader | undefined {
    const packed: PackedHeader | undefined = this.#database.tables.headers.get(id)
    return packed === undefined ? undefined : unpackHeader(packed)
  }

  mailboxByUniqueid(uniqueid: string): MailboxHeader | undefined {
    const id = this.#database.tables.uniqueids.get(uniqueid)
    return id === undefined ? undefined : this.mailboxById(id)
  }

  /** Mailboxes at and below an internal name, a parent before its children; all for ''. */
  *mailboxes(prefix = ''): Iterable<MailboxHeader> {
    for (const id of mailboxIds(this.#database.tables, prefix)) {
      const header = this.mailboxById(id)
      if (header !== undefined) yield header
    }
  }

  /**
   * Some mailboxes of a list that may be long.
   * @param from '' at first, then the page's `next`
   * @param prefix internal name at and below which to look, or a domain with its `!`; '' for all
   * @param identifier only those that an ACL lets it look up; absent for all
   */
  mailboxPage(from: string, prefix: string, identifier?: string): MailboxPage {
    return pageOfMailboxes(this.#database.tables, LIST_PAGE, from, prefix, identifier)
  }

  /** Deleted mailboxes that are remembered, at and below a name. */
  tombstones(prefix = ''): Iterable<[name: string, tombstone: Tombstone]> {
    return tombstones(this.#database.tables, prefix)
  }

  tombstone(name: string): Tombstone | undefined {
    const entry = this.#database.tables.names.get(nameKey(name))
    return entry !== undefined && 'tombstone' in entry ? entry.tombstone : undefined
  }

  // messages

  /** The records of a mailbox as they are now; undefined if it does not exist. */
  index(id: number): MailboxIndex | undefined {
    return this.#indexes.get(id)
  }

  /** lib/message's summary of a message; undefined if it has none (expunged on a peer before it came here). */
  readCache(id: number, uid: number): Buffer | undefined {
    return this.#database.tables.caches.get(uidKey(id, uid))
  }

  /** The summaries of all messages from one UID to another, both included, in UID order. */
  *readCaches(id: number, lowUid: number, highUid: number): Iterable<[uid: number, cache: Buffer]> {
    const end = highUid >= 4294967295 ? uidKey(id + 1, 0) : uidKey(id, highUid + 1)
    for (const { key, value } of this.#database.tables.caches.getRange({ start: uidKey(id, lowUid), end }))
      yield [uidOfKey(key), value]
  }

  /** Opens a message's file. @throws {MessageFileError} if it is missing */
  async openMessage(mailbox: MailboxHeader, uid: number): Promise<FileHandle> {
    try {
      return await this.#spool.open(mailbox, uid)
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** A message's bytes. @param size as its record says, if at hand: that is quicker  @throws {MessageFileError} if its file is missing */
  async readMessage(mailbox: MailboxHeader, uid: number, size?: number): Promise<Buffer> {
    try {
      return await this.#spool.read(mailbox, uid, size)
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** As readMessage, at once: for a small message in a program that nobody else waits for. */
  readMessageSync(mailbox: MailboxHeader, uid: number): Buffer {
    try {
      return readFileSync(this.#spool.messagePath(mailbox, uid))
    } catch (error) {
      throw fileError(mailbox, uid, error)
    }
  }

  /** Where a message's file is, for a transaction that links it elsewhere on the same partition. */
  messagePath(mailbox: MailboxHeader, uid: number): string {
    return this.#spool.messagePath(mailbox, uid)
  }

  /** Begins a message on a partition. @throws {UnknownPartitionError} */
  stage(partition: string): Stager {
    return this.#spool.stage(partition)
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

  /** The bytes of a staged message. */
  readStaged(staged: Staged): Buffer {
    return staged.message ?? readFileSync(staged.path)
  }

  /** Removes a staged message; mailboxes that took it keep theirs. */
  unstage(staged: Staged): void {
    this.#spool.unstage(staged.path)
  }

  hasPartition(name: string): boolean {
    return this.#spool.hasPartition(name)
  }

  get partitionNames(): string[] {
    return this.#spool.partitionNames
  }

  /** Room on the partitions' file systems, KiB. */
  freeSpace(): { partition: string; free: number; total: number }[] {
    return this.partitionNames.map((partition) => {
      const { bavail, blocks, bsize } = statfsSync(this.#spool.root(partition))
      return { partition, free: Math.floor((bavail * bsize) / 1024), total: Math.floor((blocks * bsize) / 1024) }
    })
  }

  // a user's things

  seen(userid: string, uniqueid: string): SeenEntry | undefined {
    return this.#database.tables.seen.get([userid, uniqueid])
  }

  /** All seen entries of a user. */
  *seenEntries(userid: string): Iterable<[uniqueid: string, entry: SeenEntry]> {
    for (const { key, value } of this.#database.tables.seen.getRange({ start: [userid, ''], end: [userid, '\uffff'] }))
      yield [key[1], value]
  }

  isSubscribed(userid: string, name: string): boolean {
    return this.#database.tables.subscriptions.doesExist([userid, nameKey(name)])
  }

  /** Internal names that a user has subscribed, in list order. */
  *subscriptions(userid: string): Iterable<string> {
    for (const key of this.#database.tables.subscriptions.getKeys({ start: [userid, ''], end: [userid, '\uffff'] }))
      yield nameOfKey(key[1])
  }

  /** A user's secret for URLs of a mailbox (lib/mailbox/url_keys.ts). */
  urlKey(userid: string, uniqueid: string): Buffer | undefined {
    return this.#database.tables.urlKeys.get([userid, uniqueid])
  }

  quota(root: string): QuotaRoot | undefined {
    return this.#database.tables.quotas.get(nameKey(root))
  }

  /** Quota roots at and below an internal name; all for ''. */
  *quotas(prefix = ''): Iterable<[root: string, quota: QuotaRoot]> {
    const start = nameKey(prefix)
    const end = prefix === '' ? '\uffff' : `${start}\x02`
    for (const { key, value } of this.#database.tables.quotas.getRange({ start, end })) {
      if (prefix === '' || key === start || key.startsWith(`${start}\x01`)) yield [nameOfKey(key), value]
    }
  }

  /** Annotations of a mailbox, or of the server for id 0, by entry and user. */
  annotations(id: number): Annotation[] {
    return readAnnotations(this.#database.tables, id)
  }

  /** One annotation's value. @param id of the mailbox, 0 for the server  @param userid '' for the shared one */
  annotation(id: number, entry: string, userid: string): Buffer | undefined {
    return this.#database.tables.annotations.get([id, entry, userid])?.value
  }

  messageAnnotations(id: number, uid: number): Annotation[] {
    return readMessageAnnotations(this.#database.tables, id, uid)
  }

  // change

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
    const committed = this.#database.commit(() => {
      transaction = new StoreTransaction(this.#database, this.#spool)
      const value = change(transaction)
      transaction.flush()
      // deleting a mailbox's directory waits for the commit, and survives the process as an intent
      for (const gone of transaction.removedDirectories) transaction.intent.remove.push(this.#spool.directory(gone))
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
        this.#afterCommit(transaction, sequence, resolve),
      )
      if (generation !== undefined) await this.#confirmations.confirmed(generation, log)
    } else {
      // who waits for the commit goes first
      this.#track(nextTurn().then(() => this.#afterCommit(transaction, sequence)))
    }
    return result as T
  }

  /** Calls a listener whenever any process has changed a mailbox. @returns how to stop that */
  watch(id: number, listener: () => void): () => void {
    return this.#feed.watch(id, listener)
  }

  /** Makes the next read see what other processes have committed since the last turn of the event loop. */
  refresh(): void {
    this.#database.refresh()
  }

  /** Waits until all that follows the commits so far is done: replication log, files, removals. */
  async settled(): Promise<void> {
    while (this.#unfinished.size > 0) await Promise.allSettled([...this.#unfinished])
    await this.#settler.drain()
  }

  /** @param logged called when the replication log has the lines, or cannot get them any more */
  #afterCommit(
    transaction: StoreTransaction,
    sequence: number | undefined,
    logged?: (generation: Generation | undefined) => void,
  ): void {
    if (transaction.changed.size > 0) this.#feed.changed(transaction.changed)
    for (const header of transaction.headerFiles.values()) this.#track(this.#writeHeaderFile({ ...header }))
    if (sequence === undefined) return
    this.#track(this.#carryOut(transaction, sequence, logged))
  }

  async #carryOut(
    transaction: StoreTransaction,
    sequence: number,
    logged?: (generation: Generation | undefined) => void,
  ): Promise<void> {
    const { intent, removedDirectories, files, directories, partitions } = transaction
    let generation: Generation | undefined
    try {
      if (intent.log.length > 0)
        generation = await this.#syncLog.writeSurely(intent.log, (message) => this.log.error(message))
    } finally {
      logged?.(generation)
    }
    await this.#spool.removeFiles(intent.remove.slice(0, intent.remove.length - removedDirectories.length))
    for (const gone of removedDirectories)
      await removeDirectory(this.#database, this.#spool, this.#spool.directory(gone))
    this.#settler.add({ sequence, files, directories, partitions })
  }

  #track(work: Promise<void>): void {
    const tracked = work
      .catch((error: Error) => this.log.error(`after a commit: ${error.message}`))
      .finally(() => this.#unfinished.delete(tracked))
    this.#unfinished.add(tracked)
  }

  /** Beside the messages lies what is needed to rebuild the index when the database is lost. */
  async #writeHeaderFile(header: MailboxHeader): Promise<void> {
    if (header.mbtype.includes('i')) return
    const { name, uniqueid, mbtype, acl, uidvalidity, options, createdModseq } = header
    const path = join(this.#spool.directory(header), 'cyrus.header')
    const text = `${JSON.stringify({ name, uniqueid, mbtype, acl, uidvalidity, options, createdModseq, userFlags: header.userFlags })}\n`
    const fresh = `${path}.${process.pid}.${header.version}`
    await writeFile(fresh, text, { mode: 0o600 })
    await rename(fresh, path)
  }
}

function fileError(mailbox: MailboxHeader, uid: number, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  return new MessageFileError(`${mailbox.name}: message ${uid}: file is missing`)
}
