/**
 * The cache through which all connections of a process share snapshots of mailboxes. When a mailbox has changed, only the blocks named by its
 * header's `changes` are read again.
 */
import type { Database } from './database.js'
import { type MailboxHeader, unpackHeader } from './header.js'
import { MailboxIndex } from './index.js'
import { uidKey, uidOfKey } from './keys.js'

/** Snapshots that this process has loaded lately; bounded by the number of records they hold. */
export class IndexCache {
  readonly #entries = new Map<number, MailboxIndex>()
  #records = 0

  /** @param capacity records kept, about 115 bytes each */
  constructor(
    readonly database: Database,
    readonly capacity = 400_000,
  ) {}

  /** The committed state of a mailbox; undefined if it does not exist. */
  get(id: number): MailboxIndex | undefined {
    const packed = this.database.tables.headers.get(id)
    const cached = this.#entries.get(id)
    if (packed === undefined) {
      this.#forget(id)
      return undefined
    }
    const header = unpackHeader(packed)
    if (cached?.header.version === header.version) return cached
    const index =
      cached !== undefined && cached.header.version >= header.changesSince
        ? this.#reload(cached, header)
        : this.#load(header)
    this.#forget(id)
    this.#entries.set(id, index)
    this.#records += index.length
    this.#trim()
    return index
  }

  #forget(id: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    this.#entries.delete(id)
    this.#records -= entry.length
  }

  #trim(): void {
    for (const id of this.#entries.keys()) {
      if (this.#records <= this.capacity || this.#entries.size <= 1) return
      this.#forget(id)
    }
  }

  #load(header: MailboxHeader): MailboxIndex {
    const firstUids: number[] = []
    const blocks: Buffer[] = []
    const range = { start: uidKey(header.id, 0), end: uidKey(header.id + 1, 0) }
    for (const { key, value } of this.database.tables.blocks.getRange(range)) {
      firstUids.push(uidOfKey(key))
      blocks.push(value)
    }
    return MailboxIndex.of(header, firstUids, blocks)
  }

  #reload(old: MailboxIndex, header: MailboxHeader): MailboxIndex {
    const changes = new Map<number, Buffer | undefined>()
    for (let at = 0; at < header.changes.length; at += 2) {
      const firstUid = header.changes[at + 1]!
      if (header.changes[at]! > old.header.version && !changes.has(firstUid))
        changes.set(firstUid, this.database.tables.blocks.get(uidKey(header.id, firstUid)))
    }
    return old.followedBy(header, changes)
  }
}
