/**
 * What may be done inside one durable commit. A transaction sees its own writes, and those of the commits before it, of any process.
 * Its function runs synchronously while the database's one write lock is held: it reads, decides, writes, links files; it never waits.
 * If it throws, nothing of it remains. Many transactions of a process share one sync to disk.
 */
import type { Database, Intent, NameEntry, QuotaRoot, SeenEntry, SieveFile, Tables, Tombstone } from './database.js'
import { MailboxExistsError, MailboxGoneError } from './errors.js'
import { Flag } from './flags.js'
import { updateGranted } from './granted.js'
import { type MailboxHeader, unpackHeader } from './header.js'
import type { MessageSource } from './in_memory.js'
import type { Content } from './intents.js'
import { addToJournal, type JournalEntry, journalEnd } from './journal.js'
import { nameKey, uidKey } from './keys.js'
import { linkFile } from './link_file.js'
import { mailboxIds, readAnnotations } from './lookups.js'
import { MailboxWriter } from './mailbox_writer.js'
import { isPathSafe, type Spool } from './spool.js'
import { type Annotation, EMPTY_CRC_ANNOT, EMPTY_CRC_BASIC } from './sync_crc.js'
import { now } from './time.js'

/** What a new mailbox is made of; the rest of its header starts at zero. */
export type NewMailbox = Pick<
  MailboxHeader,
  'uniqueid' | 'name' | 'mbtype' | 'partition' | 'acl' | 'uidvalidity' | 'options'
> &
  Partial<Pick<MailboxHeader, 'highestModseq' | 'createdModseq' | 'folderModseq'>>

const NOTHING = Buffer.alloc(0)

export class StoreTransaction {
  readonly intent: Intent = { links: [], log: [], remove: [] }
  /** small messages that become durable with this commit */
  readonly contents: Content[] = []
  /** message files to be brought to disk after it */
  readonly files: string[] = []
  /** ids of the mailboxes changed; 0 when something was added to the journal */
  readonly changed = new Set<number>()
  /** partitions on which those are */
  readonly partitions = new Set<string>()
  /** directories with new names in them */
  readonly directories = new Set<string>()
  /** header files to be written again after the commit */
  readonly headerFiles = new Map<number, MailboxHeader>()
  readonly removedDirectories: { partition: string; uniqueid: string }[] = []
  readonly #mailboxes = new Map<number, MailboxWriter>()
  #journalEnd: number | undefined

  constructor(
    readonly database: Database,
    readonly spool: Spool,
  ) {}

  get tables(): Tables {
    return this.database.tables
  }

  /** A mailbox to be read or changed, by internal name or id; undefined if there is none (tombstones are none). */
  mailbox(which: string | number): MailboxWriter | undefined {
    const id = typeof which === 'number' ? which : this.#idOf(which)
    if (id === undefined) return undefined
    let writer = this.#mailboxes.get(id)
    if (writer === undefined) {
      const packed = this.tables.headers.get(id)
      if (packed === undefined) return undefined
      writer = new MailboxWriter(this, unpackHeader(packed))
      this.#mailboxes.set(id, writer)
    }
    return writer.removed ? undefined : writer
  }

  /** As `mailbox`. @throws {MailboxGoneError} */
  mustMailbox(which: string | number): MailboxWriter {
    const writer = this.mailbox(which)
    if (writer === undefined) throw new MailboxGoneError(which)
    return writer
  }

  mailboxByUniqueid(uniqueid: string): MailboxWriter | undefined {
    const id = this.tables.uniqueids.get(uniqueid)
    return id === undefined ? undefined : this.mailbox(id)
  }

  tombstone(name: string): Tombstone | undefined {
    const entry = this.tables.names.get(nameKey(name))
    return entry !== undefined && 'tombstone' in entry ? entry.tombstone : undefined
  }

  /**
   * Makes a mailbox.
   * @throws {MailboxExistsError} if the name or the uniqueid is taken; {UnknownPartitionError}; {Error} if the uniqueid cannot name a directory
   */
  create(fields: NewMailbox): MailboxWriter {
    const key = nameKey(fields.name)
    const existing = this.tables.names.get(key)
    if (existing !== undefined && 'id' in existing) throw new MailboxExistsError(fields.name)
    if (this.tables.uniqueids.get(fields.uniqueid) !== undefined)
      throw new MailboxExistsError(`with uniqueid ${fields.uniqueid}`)
    if (!isPathSafe(fields.uniqueid))
      throw new Error(`uniqueid ${JSON.stringify(fields.uniqueid.slice(0, 40))} cannot name a directory`)
    const id = this.tables.meta.get('nextId')!
    this.tables.meta.put('nextId', id + 1)
    const header: MailboxHeader = {
      highestModseq: 1,
      createdModseq: 1,
      folderModseq: 1,
      ...fields,
      id,
      lastUid: 0,
      deletedModseq: 0,
      recentUid: 0,
      recentTime: 0,
      lastAppendDate: 0,
      pop3LastLogin: 0,
      pop3ShowAfter: 0,
      userFlags: [],
      exists: 0,
      unseen: 0,
      answered: 0,
      flagged: 0,
      deleted: 0,
      octets: 0,
      crcBasic: EMPTY_CRC_BASIC,
      crcAnnot: EMPTY_CRC_ANNOT,
      raclModseq: 0,
      xconvModseq: 0,
      version: 0,
      changes: [],
      changesSince: 0,
      expunged: 0,
      annotated: 0,
      annotationOctets: 0,
      changedAt: 0,
      ownerSeen: 0,
    }
    if (!header.mbtype.includes('i')) this.spool.makeDirectory(header)
    this.tables.names.put(key, { id })
    this.tables.uniqueids.put(fields.uniqueid, id)
    const writer = new MailboxWriter(this, header)
    writer.grantedAs = undefined
    this.#mailboxes.set(id, writer)
    writer.touch()
    this.headerFiles.set(id, header)
    return writer
  }

  /**
   * Gives a mailbox another name; its id, uniqueid and files stay.
   * @throws {MailboxExistsError} if the new name is taken
   */
  rename(writer: MailboxWriter, newName: string): void {
    const existing = this.tables.names.get(nameKey(newName))
    if (existing !== undefined && 'id' in existing && existing.id !== writer.header.id)
      throw new MailboxExistsError(newName)
    this.tables.names.remove(nameKey(writer.header.name))
    this.tables.names.put(nameKey(newName), { id: writer.header.id })
    writer.header.name = newName
    writer.touch()
    this.headerFiles.set(writer.header.id, writer.header)
  }

  /**
   * Moves a mailbox's messages to another partition.
   * @param files UID → staged file on that partition, for every record that has content
   * @throws {Error} if one is missing: a message was added meanwhile
   */
  move(writer: MailboxWriter, partition: string, files: ReadonlyMap<number, string>): void {
    const { header } = writer
    const { uniqueid } = header
    for (const { uid, flags } of writer.records()) {
      if (!(flags & Flag.Unlinked) && !files.has(uid))
        throw new Error(`${header.name}: message ${uid} was added during a move`)
    }
    this.removedDirectories.push({ partition: header.partition, uniqueid })
    header.partition = partition
    this.spool.makeDirectory(header)
    for (const [uid, source] of files) this.linkMessage(header, uid, source)
    writer.touch()
    this.headerFiles.set(header.id, header)
  }

  /** Gives a file the name of a mailbox's message, now and again after a crash. */
  linkMessage(header: MailboxHeader, uid: number, source: MessageSource): void {
    const target = this.spool.messagePath(header, uid)
    const inMemory = typeof source !== 'string'
    if (inMemory) source.place(target)
    else linkFile(source, target)
    this.directories.add(this.spool.directory(header))
    this.files.push(target)
    this.partitions.add(header.partition)
    const link = this.intent.links.push([header.id, uid, inMemory ? '' : source]) - 1
    const bytes = inMemory ? source.bytes : this.spool.unsyncedBytes(source)
    if (bytes !== undefined) this.contents.push([link, bytes])
  }

  /**
   * Deletes a mailbox with its messages.
   * @param tombstone leave a memory of it under its name
   */
  remove(writer: MailboxWriter, { tombstone }: { tombstone: boolean }): void {
    const { header } = writer
    writer.clear()
    this.tables.headers.remove(header.id)
    this.tables.uniqueids.remove(header.uniqueid)
    const key = nameKey(header.name)
    if (tombstone) {
      const entry: NameEntry = {
        tombstone: {
          uniqueid: header.uniqueid,
          uidvalidity: header.uidvalidity,
          foldermodseq: header.highestModseq + 1,
          createdmodseq: header.createdModseq,
          deletedAt: now(),
        },
      }
      this.tables.names.put(key, entry)
    } else {
      this.tables.names.remove(key)
    }
    for (const { key: annotation } of this.tables.annotations.getRange({
      start: [header.id, '', ''],
      end: [header.id + 1, '', ''],
    })) {
      this.tables.annotations.remove(annotation)
    }
    updateGranted(this.tables, header.id, writer.grantedAs, undefined)
    const { id, mbtype } = header
    this.note({ kind: 'mailbox', id, mbtype, before: writer.grantedAs, after: undefined })
    writer.removed = true
    this.headerFiles.delete(header.id)
    if (!header.mbtype.includes('i'))
      this.removedDirectories.push({ partition: header.partition, uniqueid: header.uniqueid })
    this.changed.add(header.id)
  }

  /** Live mailboxes at and below an internal name, in list order; all for ''. */
  *mailboxes(prefix = ''): Iterable<MailboxWriter> {
    for (const id of mailboxIds(this.tables, prefix)) {
      const writer = this.mailbox(id)
      if (writer !== undefined) yield writer
    }
  }

  /** lib/message's summary of a message. */
  cacheOf(writer: MailboxWriter, uid: number): Buffer | undefined {
    return this.tables.caches.get(uidKey(writer.header.id, uid))
  }

  // a user's things

  seen(userid: string, uniqueid: string): SeenEntry | undefined {
    return this.tables.seen.get([userid, uniqueid])
  }

  setSeen(userid: string, uniqueid: string, entry: SeenEntry | undefined): void {
    if (entry === undefined) this.tables.seen.remove([userid, uniqueid])
    else this.tables.seen.put([userid, uniqueid], entry)
  }

  /** @returns whether that changed anything */
  setSubscribed(userid: string, name: string, subscribed: boolean): boolean {
    const key: [string, string] = [userid, nameKey(name)]
    if (this.tables.subscriptions.doesExist(key) === subscribed) return false
    if (subscribed) this.tables.subscriptions.put(key, 1)
    else this.tables.subscriptions.remove(key)
    this.note({ kind: 'subscription', userid, name })
    return true
  }

  urlKey(userid: string, uniqueid: string): Buffer | undefined {
    return this.tables.urlKeys.get([userid, uniqueid])
  }

  setUrlKey(userid: string, uniqueid: string, key: Buffer | undefined): void {
    if (key === undefined) this.tables.urlKeys.remove([userid, uniqueid])
    else this.tables.urlKeys.put([userid, uniqueid], key)
  }

  removeUrlKeys(userid: string): void {
    const range = { start: [userid, ''] as [string, string], end: [userid, '\uffff'] as [string, string] }
    for (const key of [...this.tables.urlKeys.getKeys(range)]) this.tables.urlKeys.remove(key)
  }

  /** Sets, or with undefined removes, a file of a 2.3 peer's Sieve directory. */
  setSieveFile(userid: string, name: string, file: SieveFile | undefined): void {
    if (file === undefined) this.tables.sieveFiles.remove([userid, name])
    else this.tables.sieveFiles.put([userid, name], file)
  }

  quota(root: string): QuotaRoot | undefined {
    return this.tables.quotas.get(nameKey(root))
  }

  setQuota(root: string, quota: QuotaRoot | undefined): void {
    if (quota === undefined) this.tables.quotas.remove(nameKey(root))
    else this.tables.quotas.put(nameKey(root), quota)
  }

  /** @param id of the mailbox, 0 for the server's own */
  annotations(id: number): Annotation[] {
    return readAnnotations(this.tables, id)
  }

  /** Sets, or with an empty value removes, an annotation of a mailbox or of the server (id 0). */
  setAnnotation(id: number, { entry, userid, value, modseq }: Annotation): void {
    const writer = id === 0 ? undefined : this.mailbox(id)
    const before = this.tables.annotations.get([id, entry, userid])?.value
    if (writer !== undefined) {
      writer.header.annotationOctets = Math.max(
        0,
        writer.header.annotationOctets + value.length - (before?.length ?? 0),
      )
      writer.touch()
    }
    if (!value.equals(before ?? NOTHING)) this.note({ kind: 'annotation', id, entry, userid })
    if (value.length === 0) this.tables.annotations.remove([id, entry, userid])
    else this.tables.annotations.put([id, entry, userid], { value, modseq })
  }

  // after the commit

  /** Adds to the journal. */
  note(entry: JournalEntry): void {
    this.#journalEnd = addToJournal(this.tables, entry, this.#journalEnd ?? journalEnd(this.tables))
    this.changed.add(0)
  }

  /** A line of the replication log, written once the commit is done. */
  log(line: string): void {
    if (!this.intent.log.includes(line)) this.intent.log.push(line)
  }

  /** Writes what the mailboxes have collected; called once, at the end of the function. */
  flush(): void {
    for (const writer of this.#mailboxes.values()) writer.flush()
  }

  #idOf(name: string): number | undefined {
    const entry = this.tables.names.get(nameKey(name))
    return entry !== undefined && 'id' in entry ? entry.id : undefined
  }
}
