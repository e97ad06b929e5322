/**
 * The store's LMDB environment and its tables. Many processes share it; readers never block; each commit is on disk before its promise resolves.
 * Nothing outside lib/store opens it.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { open, type RootDatabase, type Database as Table } from 'lmdb'
import { updateGranted } from './granted.js'
import { type PackedHeader, unpackHeader } from './header.js'
import type { JournalEntry } from './journal.js'
import { WriteLock } from './write_lock.js'

/** Layout of the database; raised when a change cannot be read by older code. */
export const FORMAT = 1

/** A name in the mailbox list: a live mailbox, or the memory of one that was deleted (`uniqueid` … of a tombstone). */
export type NameEntry = { id: number } | { tombstone: Tombstone }

/** What is left of a deleted mailbox, so that replication can tell "deleted here" from "never known here". */
export interface Tombstone {
  uniqueid: string
  uidvalidity: number
  /** modseq of the deletion */
  foldermodseq: number
  createdmodseq: number
  /** unix seconds */
  deletedAt: number
}

/** A user's reading state of one mailbox that is not theirs (csync.md §4.3). */
export interface SeenEntry {
  lastRead: number
  lastUid: number
  lastChange: number
  /** IMAP sequence set of the UIDs read, or '' */
  seenUids: string
}

/** A quota root; limits that are absent are unlimited. STORAGE in KiB. */
export interface QuotaRoot {
  limits: Partial<Record<QuotaResource, number>>
  modseq: number
}
export const QUOTA_RESOURCES = ['STORAGE', 'MESSAGE', 'X-ANNOTATION-STORAGE', 'X-NUM-FOLDERS'] as const
export type QuotaResource = (typeof QUOTA_RESOURCES)[number]

/** What a process still owes after a commit; see intents.ts. */
export interface Intent {
  /** message files that got their names: [mailbox id, UID, path of the source, '' if the bytes alone are one] */
  links: [id: number, uid: number, source: string][]
  /** replication log lines */
  log: string[]
  /** staged files to be removed, and message files of removed records */
  remove: string[]
}

/** A stored annotation; the key holds where, entry and user. */
export interface AnnotationValue {
  value: Buffer
  modseq: number
}

/** A file of a Sieve directory: a script's source, or its byte code, which we keep and do not read. */
export interface SieveFile {
  /** unix seconds */
  readonly mtime: number
  readonly content: Buffer
  /** the one that is run */
  readonly active: boolean
  /** ascending in the order in which they came */
  readonly order: number
}

export interface Tables {
  meta: Table<number, string>
  /** nameKey(name) → what the name is */
  names: Table<NameEntry, string>
  /** mailbox id → header */
  headers: Table<PackedHeader, number>
  uniqueids: Table<number, string>
  /** uidKey(id, first UID) → packed records, at most RECORDS_PER_BLOCK */
  blocks: Table<Buffer, Buffer>
  /** uidKey(id, UID) → summary of lib/message */
  caches: Table<Buffer, Buffer>
  /** [identifier, nameKey] → mailbox id, of those whose ACL lets the identifier look them up; see granted.ts */
  granted: Table<number, [identifier: string, name: string]>
  seen: Table<SeenEntry, [userid: string, uniqueid: string]>
  /** [userid, nameKey] */
  subscriptions: Table<number, [userid: string, name: string]>
  quotas: Table<QuotaRoot, string>
  /** secrets of URLAUTH */
  urlKeys: Table<Buffer, [userid: string, uniqueid: string]>
  /** [mailbox id (0 server), entry, userid] */
  /** files of Sieve directories as peers of the 2.3 generation tell them; names are path-less and not empty */
  sieveFiles: Table<SieveFile, [userid: string, name: string]>
  annotations: Table<AnnotationValue, [id: number, entry: string, userid: string]>
  messageAnnotations: Table<AnnotationValue, [id: number, uid: number, entry: string, userid: string]>
  /** recent changes of names, rights, subscriptions and annotations by number; see journal.ts */
  journal: Table<JournalEntry, number>
  intents: Table<Intent, [pid: number, startTime: number, sequence: number]>
  /** bytes of small messages that may not be on disk as files yet, by intent and place in its links */
  contents: Table<Buffer, [pid: number, startTime: number, sequence: number, link: number]>
}

export interface Database {
  tables: Tables
  /**
   * Runs a function as one transaction, together with others of this process that come at the same time.
   * @returns what the function returned, once it is on disk
   * @throws what the function throws, or why the commit failed (see commitFailure); nothing has happened then
   */
  commit<T>(change: () => T): Promise<T>
  /** Makes the next read see what other processes have committed since. */
  refresh(): void
  /** Closes the environment, after the commits under way. */
  close(): Promise<void>
}

/**
 * Opens or creates the environment.
 * @param directory {configdirectory}/store
 * @param mapSize bytes of address space, the database's greatest size
 * @throws {Error} if the directory cannot be used or holds a newer layout
 */
export async function openDatabase(directory: string, mapSize: number): Promise<Database> {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const lock = new WriteLock(join(directory, 'write.lock'))
  const { env, tables } = await lock.opening(() => openEnvironment(directory, mapSize))
  // Each batch of writes has a promise that nobody holds. When its commit fails, whoever waits for a transaction is told; this one must not end the process.
  env.on('beforecommit', () =>
    queueMicrotask(() => env.committed.then(undefined, (error) => void commitFailure(error))),
  )
  return {
    tables,
    commit: (change) => lock.commit(() => env.childTransaction(change)),
    refresh: () => env.resetReadTxn(),
    close: () => lock.closing(() => env.close()),
  }
}

function openEnvironment(directory: string, mapSize: number): { env: RootDatabase; tables: Tables } {
  const env = open({
    path: join(directory, 'store.lmdb'),
    maxDbs: 32,
    maxReaders: 4096,
    mapSize,
    // a commit's promise then resolves when it is on disk, not only visible
    overlappingSync: false,
    noMemInit: true,
    keyEncoding: 'ordered-binary',
  })
  const table = <V, K extends never>(name: string, options: object = {}): Table<V, K> =>
    env.openDB<V, K>({ name, encoding: 'msgpack', keyEncoding: 'ordered-binary', ...options }) as Table<V, K>
  const binary = { encoding: 'binary', keyEncoding: 'binary' }
  const tables = {
    meta: table('meta'),
    names: table('names'),
    headers: table('headers'),
    uniqueids: table('uniqueids'),
    blocks: table('blocks', binary),
    caches: table('caches', binary),
    granted: table('granted'),
    seen: table('seen'),
    subscriptions: table('subscriptions'),
    quotas: table('quotas'),
    urlKeys: table('urlKeys', { encoding: 'binary' }),
    sieveFiles: table('sieveFiles'),
    annotations: table('annotations'),
    messageAnnotations: table('messageAnnotations'),
    journal: table('journal'),
    intents: table('intents'),
    contents: table('contents', { encoding: 'binary' }),
  } as unknown as Tables
  const format = tables.meta.get('format')
  if (format === undefined) {
    env.transactionSync(() => {
      if (tables.meta.get('format') === undefined) {
        tables.meta.put('format', FORMAT)
        tables.meta.put('nextId', 1)
      }
    })
  } else if (format > FORMAT) {
    throw new Error(`${directory}: made by a newer version (layout ${format}, this one reads up to ${FORMAT})`)
  }
  // one made before there was this table
  if (tables.meta.get('granted') === undefined) {
    env.transactionSync(() => {
      for (const { key, value } of tables.headers.getRange({})) {
        const { name, acl } = unpackHeader(value)
        updateGranted(tables, key, undefined, { name, acl })
      }
      tables.meta.put('granted', 1)
    })
  }
  return { env, tables }
}

/** Why a commit has failed (a full disk, mostly); any other error as it is. */
export async function commitFailure(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<never> }).commitError
  if (reason === undefined) return error
  try {
    return await reason
  } catch (cause) {
    return new Error(`cannot commit: ${(cause as Error).message}`, { cause })
  }
}
