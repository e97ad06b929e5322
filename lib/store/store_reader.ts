/**
 * What is read of the store's tables: mailboxes, records, summaries, and what belongs to users. Each call sees the newest commit that this
 * turn of the event loop knows of; see MailStore.refresh.
 */
import type { Database, QuotaRoot, SeenEntry, SieveFile, Tombstone } from './database.js'
import { type MailboxHeader, type PackedHeader, unpackHeader } from './header.js'
import type { MailboxIndex } from './index.js'
import { IndexCache } from './index_cache.js'
import { type JournalEntry, journalAfter, journalEnd } from './journal.js'
import { nameKey, nameOfKey, uidKey, uidOfKey } from './keys.js'
import {
  type MailboxPage,
  mailboxIds,
  pageOfMailboxes,
  readAllMessageAnnotations,
  readAnnotations,
  readMessageAnnotations,
  tombstones,
} from './lookups.js'
import type { Annotation } from './sync_crc.js'

/** Mailboxes of a list read at once: a millisecond's work. */
const LIST_PAGE = 256

/** What MailStore knows of the tables. */
export class StoreReader {
  readonly #indexes: IndexCache

  constructor(protected readonly database: Database) {
    this.#indexes = new IndexCache(database)
  }

  // mailboxes

  /** A mailbox by its internal name; tombstones are none. */
  mailbox(name: string): MailboxHeader | undefined {
    const entry = this.database.tables.names.get(nameKey(name))
    return entry !== undefined && 'id' in entry ? this.mailboxById(entry.id) : undefined
  }

  mailboxById(id: number): MailboxHeader | undefined {
    const packed: PackedHeader | undefined = this.database.tables.headers.get(id)
    return packed === undefined ? undefined : unpackHeader(packed)
  }

  mailboxByUniqueid(uniqueid: string): MailboxHeader | undefined {
    const id = this.database.tables.uniqueids.get(uniqueid)
    return id === undefined ? undefined : this.mailboxById(id)
  }

  /** Mailboxes at and below an internal name, a parent before its children; all for ''. */
  *mailboxes(prefix = ''): Iterable<MailboxHeader> {
    for (const id of mailboxIds(this.database.tables, prefix)) {
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
    return pageOfMailboxes(this.database.tables, LIST_PAGE, from, prefix, identifier)
  }

  /** Deleted mailboxes that are remembered, at and below a name. */
  tombstones(prefix = ''): Iterable<[name: string, tombstone: Tombstone]> {
    return tombstones(this.database.tables, prefix)
  }

  tombstone(name: string): Tombstone | undefined {
    const entry = this.database.tables.names.get(nameKey(name))
    return entry !== undefined && 'tombstone' in entry ? entry.tombstone : undefined
  }

  // messages

  /** The records of a mailbox as they are now; undefined if it does not exist. */
  index(id: number): MailboxIndex | undefined {
    return this.#indexes.get(id)
  }

  /** lib/message's summary of a message; undefined if it has none (expunged on a peer before it came here). */
  readCache(id: number, uid: number): Buffer | undefined {
    return this.database.tables.caches.get(uidKey(id, uid))
  }

  /** As `readCache`, in memory that the next reading of the database may fill anew: for a look at once. */
  peekCache(id: number, uid: number): Buffer | undefined {
    return this.database.tables.caches.getBinaryFast(uidKey(id, uid))
  }

  /** The summaries of all messages from one UID to another, both included, in UID order. */
  *readCaches(id: number, lowUid: number, highUid: number): Iterable<[uid: number, cache: Buffer]> {
    const end = highUid >= 4294967295 ? uidKey(id + 1, 0) : uidKey(id, highUid + 1)
    for (const { key, value } of this.database.tables.caches.getRange({ start: uidKey(id, lowUid), end }))
      yield [uidOfKey(key), value]
  }

  // a user's things

  seen(userid: string, uniqueid: string): SeenEntry | undefined {
    return this.database.tables.seen.get([userid, uniqueid])
  }

  /** All seen entries of a user. */
  *seenEntries(userid: string): Iterable<[uniqueid: string, entry: SeenEntry]> {
    for (const { key, value } of this.database.tables.seen.getRange({ start: [userid, ''], end: [userid, '\uffff'] }))
      yield [key[1], value]
  }

  /** Files of a user's Sieve directory as a peer of the 2.3 generation told them, in the order in which they came. */
  sieveFiles(userid: string): [name: string, file: SieveFile][] {
    const range = { start: [userid, ''] as [string, string], end: [userid, '\uffff'] as [string, string] }
    const found = [...this.database.tables.sieveFiles.getRange(range)]
    return found.map(({ key, value }): [string, SieveFile] => [key[1], value]).sort((a, b) => a[1].order - b[1].order)
  }

  isSubscribed(userid: string, name: string): boolean {
    return this.database.tables.subscriptions.doesExist([userid, nameKey(name)])
  }

  /** Internal names that a user has subscribed, in list order. */
  *subscriptions(userid: string): Iterable<string> {
    for (const key of this.database.tables.subscriptions.getKeys({ start: [userid, ''], end: [userid, '\uffff'] }))
      yield nameOfKey(key[1])
  }

  /** A user's secret for URLs of a mailbox (lib/mailbox/url_keys.ts). */
  urlKey(userid: string, uniqueid: string): Buffer | undefined {
    return this.database.tables.urlKeys.get([userid, uniqueid])
  }

  quota(root: string): QuotaRoot | undefined {
    return this.database.tables.quotas.get(nameKey(root))
  }

  /** Quota roots at and below an internal name; all for ''. */
  *quotas(prefix = ''): Iterable<[root: string, quota: QuotaRoot]> {
    const start = nameKey(prefix)
    const end = prefix === '' ? '\uffff' : `${start}\x02`
    for (const { key, value } of this.database.tables.quotas.getRange({ start, end })) {
      if (prefix === '' || key === start || key.startsWith(`${start}\x01`)) yield [nameOfKey(key), value]
    }
  }

  /** Annotations of a mailbox, or of the server for id 0, by entry and user. */
  annotations(id: number): Annotation[] {
    return readAnnotations(this.database.tables, id)
  }

  /** One annotation's value. @param id of the mailbox, 0 for the server  @param userid '' for the shared one */
  annotation(id: number, entry: string, userid: string): Buffer | undefined {
    return this.database.tables.annotations.get([id, entry, userid])?.value
  }

  messageAnnotations(id: number, uid: number): Annotation[] {
    return readMessageAnnotations(this.database.tables, id, uid)
  }

  /** Annotations of all messages of a mailbox, by UID. */
  allMessageAnnotations(id: number): Iterable<[uid: number, Annotation]> {
    return readAllMessageAnnotations(this.database.tables, id)
  }

  // the journal

  /** Number of the last change of names, rights, subscriptions and annotations. */
  get journalEnd(): number {
    return journalEnd(this.database.tables)
  }

  /** Those of these changes that came after a number, oldest first; undefined when some of them are forgotten. */
  journalAfter(sequence: number): JournalEntry[] | undefined {
    return journalAfter(this.database.tables, sequence)
  }
}
