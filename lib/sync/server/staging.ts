/**
 * Messages that a replication session has ready: GUID → file, by partition (csync.md §5.2). They come with APPLY MESSAGE, whose bytes are
 * written to disk as they arrive, or are found by APPLY RESERVE in mailboxes that are here already. Gone with the session or RESTART.
 */
import { readFile } from 'node:fs/promises'
import { summarize } from '../../message/summary.js'
import type { MailStore, Staged, Stager } from '../../store/store.js'
import type { FileSink } from '../wire_reader.js'

/** A message ready to be linked into mailboxes of its partition. */
export interface ReadyMessage {
  readonly path: string
  /** SHA-1 of the bytes as they are, whatever was announced */
  readonly guid: string
  readonly size: number
  readonly headerSize: number
  readonly sentdate: number
  /** lib/message's summary */
  readonly cache: Buffer | undefined
  /** whether the file is this session's, and goes with it */
  readonly owned: boolean
}

export class Staging {
  readonly #byPartition = new Map<string, Map<string, ReadyMessage>>()

  constructor(readonly store: MailStore) {}

  find(partition: string, guid: string): ReadyMessage | undefined {
    return this.#byPartition.get(partition)?.get(guid)
  }

  /** The first one stays. */
  add(partition: string, guid: string, message: ReadyMessage): void {
    let table = this.#byPartition.get(partition)
    if (table === undefined) {
      table = new Map()
      this.#byPartition.set(partition, table)
    }
    if (table.has(guid)) this.#remove(message)
    else table.set(guid, message)
  }

  /**
   * A sink for one file of APPLY MESSAGE. `end` gives a promise at once, so that the next file is read while this one goes to disk.
   * Files for partitions that are not here, or that are here already, are read and dropped.
   */
  sink(partition: string, guid: string): FileSink {
    if (!this.store.hasPartition(partition) || this.find(partition, guid) !== undefined) {
      return {
        write: () => {},
        end: () => ({ done: Promise.resolve(this.store.hasPartition(partition)) }),
        abort: () => {},
      }
    }
    let stager: Stager | undefined
    let failure: unknown
    // a full disk fails this command; the conversation stays in step, and other partitions may have room
    const attempt = (work: () => void): void => {
      try {
        work()
      } catch (error) {
        failure = error
        stager?.abort()
        stager = undefined
      }
    }
    attempt(() => {
      stager = this.store.stage(partition)
    })
    return {
      write: (chunk) => attempt(() => stager?.write(chunk)),
      end: () => {
        const staged = stager
        const done =
          staged === undefined
            ? Promise.reject(failure)
            : this.#finish(staged.finish()).then((message) => {
                this.add(partition, guid, message)
                return true
              })
        // whoever waits for it will see the error; nobody else shall
        done.catch(() => staged?.abort())
        return { done }
      },
      abort: () => stager?.abort(),
    }
  }

  /** Forgets everything. */
  clear(): void {
    for (const table of this.#byPartition.values()) for (const message of table.values()) this.#remove(message)
    this.#byPartition.clear()
  }

  /** Parsed once here; the bytes are not kept in memory. */
  async #finish(finishing: Promise<Staged>): Promise<ReadyMessage> {
    const staged = await finishing
    const { headerSize, sentdate, cache } = summarize(staged.message ?? (await readFile(staged.path)))
    const { path, guid, size } = staged
    return { path, guid, size, headerSize, sentdate, cache, owned: true }
  }

  #remove({ path, owned }: ReadyMessage): void {
    if (owned) this.store.unstage({ path, partition: '', size: 0, guid: '', message: undefined })
  }
}
