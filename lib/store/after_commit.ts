/**
 * What follows a commit: others hear of the change, the replication log gets its lines, files that are gone are removed, header files are
 * written, and what was linked is brought to disk without hurry. All of it is in the commit's intent too, for whoever comes after a crash.
 */
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Logger } from '../process/log.js'
import type { Generation } from './confirmations.js'
import type { Database } from './database.js'
import type { ChangeFeed } from './feed.js'
import type { MailboxHeader } from './header.js'
import { removeDirectory } from './intents.js'
import type { Settler } from './settler.js'
import type { Spool } from './spool.js'
import type { SyncLog } from './sync_log.js'
import type { StoreTransaction } from './transaction.js'

export class AfterCommit {
  readonly #unfinished = new Set<Promise<void>>()

  constructor(
    private readonly database: Database,
    private readonly spool: Spool,
    private readonly feed: ChangeFeed,
    private readonly syncLog: SyncLog,
    private readonly settler: Settler,
    private readonly log: Logger,
  ) {}

  /** Waits until all that was begun is done, files on disk included. */
  async settled(): Promise<void> {
    while (this.#unfinished.size > 0) await Promise.allSettled([...this.#unfinished])
    await this.settler.drain()
  }

  /** As `begin`, when those who wait for the commit have had their turn. */
  beginSoon(transaction: StoreTransaction, sequence: number | undefined): void {
    this.#track(nextTurn().then(() => this.begin(transaction, sequence)))
  }

  /**
   * Begins all of it.
   * @param sequence of the transaction's intent, if it has one
   * @param logged called when the replication log has the lines, or cannot get them any more
   */
  begin(
    transaction: StoreTransaction,
    sequence: number | undefined,
    logged?: (generation: Generation | undefined) => void,
  ): void {
    if (transaction.changed.size > 0) this.feed.changed(transaction.changed)
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
        generation = await this.syncLog.writeSurely(intent.log, (message) => this.log.error(message))
    } finally {
      logged?.(generation)
    }
    await this.spool.removeFiles(intent.remove.slice(0, intent.remove.length - removedDirectories.length))
    for (const gone of removedDirectories) await removeDirectory(this.database, this.spool, this.spool.directory(gone))
    this.settler.add({ sequence, files, directories, partitions })
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
    const path = join(this.spool.directory(header), 'cyrus.header')
    const text = `${JSON.stringify({ name, uniqueid, mbtype, acl, uidvalidity, options, createdModseq, userFlags: header.userFlags })}\n`
    const fresh = `${path}.${process.pid}.${header.version}`
    await writeFile(fresh, text, { mode: 0o600 })
    await rename(fresh, path)
  }
}
