/**
 * Messages that a 2.3 session has ready, by UUID or GUID (csync-2.3.md §3.4): all that were uploaded or reserved on its connection, for
 * UPLOAD … COPY to take. Each is a file of the session's own, so that it survives what becomes of the mailbox it was found in.
 */
import { readFile } from 'node:fs/promises'
import { summarize } from '../../../message/summary.js'
import type { MailStore, Staged } from '../../../store/store.js'

/** A message ready to be linked into mailboxes of its partition. */
export interface ReadyMessage {
  readonly partition: string
  readonly path: string
  /** SHA-1 of the bytes */
  readonly guid: string
  readonly size: number
  readonly headerSize: number
  readonly sentdate: number
  /** lib/message's summary */
  readonly cache: Buffer | undefined
}

/** Beyond so many the peer is told to start anew. */
const MOST = 1000
const NULL_ID = /^0+$/

export class Staging {
  /** by id, and by id and partition for those that were needed elsewhere */
  readonly #byId = new Map<string, ReadyMessage>()
  /** those without id */
  readonly #others: ReadyMessage[] = []
  #count = 0

  constructor(readonly store: MailStore) {}

  /** Whether so much is staged that the peer should be told `[RESTART]`. */
  get full(): boolean {
    return this.#count > MOST
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  /** The message under an id, on a partition; the null id names none. */
  async find(id: string, partition: string): Promise<ReadyMessage | undefined> {
    if (NULL_ID.test(id)) return undefined
    const found = this.#byId.get(id)
    if (found === undefined || found.partition === partition) return found
    const elsewhere = `${id} ${partition}`
    let copy = this.#byId.get(elsewhere)
    if (copy === undefined) {
      const staged = await this.store.stageBuffer(partition, await readFile(found.path))
      copy = { ...found, partition, path: staged.path }
      this.#byId.set(elsewhere, copy)
    }
    return copy
  }

  /** Keeps a message until the end; a later one of the same id takes its place. */
  add(id: string, message: ReadyMessage): void {
    this.#count++
    const before = this.#byId.get(id)
    if (before !== undefined) this.#others.push(before)
    this.#byId.set(id, message)
  }

  /** Keeps a message that nobody can ask for. */
  addUnnamed(message: ReadyMessage): void {
    this.#count++
    this.#others.push(message)
  }

  /** Reads what has come. */
  async read(staged: Staged): Promise<ReadyMessage> {
    const { partition, path, guid, size } = staged
    const { headerSize, sentdate, cache } = summarize(staged.message ?? (await readFile(path)))
    return { partition, path, guid, size, headerSize, sentdate, cache }
  }

  /** Forgets everything. */
  clear(): void {
    for (const { path } of [...this.#byId.values(), ...this.#others]) this.store.unstagePath(path)
    this.#byId.clear()
    this.#others.length = 0
    this.#count = 0
  }
}
