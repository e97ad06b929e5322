/**
 * Messages that a replication session has ready, by partition and GUID (csync.md §5.2). They come with APPLY MESSAGE: small ones stay in
 * memory, the bytes of others are written to disk as they arrive. Or they are found by APPLY RESERVE in mailboxes that are here already.
 * Gone with the session or RESTART.
 */
import { readFile } from 'node:fs/promises'
import { guidOf, summarize } from '../../message/summary.js'
import {
  INLINE_LIMIT,
  InMemory,
  type MailboxHeader,
  type MailStore,
  type MessageSource,
  type Stager,
} from '../../store/store.js'
import type { FileSink } from '../wire_reader.js'

/** Messages in memory, bytes in all; beyond, small ones go to disk too. */
const MOST_HELD = 24 * 1024 * 1024

/** A message ready to be taken into mailboxes of its partition. */
export interface ReadyMessage {
  /** a file; or the bytes, until a first mailbox has made a file of them */
  source: MessageSource
  /** SHA-1 of the bytes as they are, whatever was announced */
  readonly guid: string
  readonly size: number
  readonly headerSize: number
  readonly sentdate: number
  /** lib/message's summary, until a mailbox has taken the message */
  cache: Buffer | undefined
  /** the message of a mailbox that has the summary then */
  takenAs?: { readonly id: number; readonly uid: number }
  /** whether a file is this session's, and goes with it */
  readonly owned: boolean
}

export class Staging {
  readonly #byPartition = new Map<string, Map<string, ReadyMessage>>()
  /** bytes of those in memory */
  #held = 0

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

  /** A mailbox has taken one: from now on its file and summary there are the source. A session may upload a hundred thousand. */
  taken(message: ReadyMessage, mailbox: MailboxHeader, uid: number): void {
    if (typeof message.source === 'string') return
    this.#held -= message.source.bytes.length
    message.source = this.store.messagePath(mailbox, uid)
    message.takenAs = { id: mailbox.id, uid }
    message.cache = undefined
  }

  /** The summary of one that is ready. */
  cacheOf({ cache, takenAs }: ReadyMessage): Buffer | undefined {
    return cache ?? (takenAs && this.store.readCache(takenAs.id, takenAs.uid))
  }

  /**
   * A sink for one file of APPLY MESSAGE. `end` gives a promise at once, so that the next file is read while this one goes to disk.
   * Files for partitions that are not here, or that are here already, are read and dropped.
   */
  sink(partition: string, guid: string, size: number): FileSink {
    if (!this.store.hasPartition(partition) || this.find(partition, guid) !== undefined) {
      return {
        write: () => {},
        end: () => ({ done: Promise.resolve(this.store.hasPartition(partition)) }),
        abort: () => {},
      }
    }
    if (size <= INLINE_LIMIT && this.#held + size <= MOST_HELD) return this.#memorySink(partition, guid, size)
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
            : staged.finish().then(async ({ message, path, guid: actual, size }) => {
                const bytes = message ?? (await readFile(path))
                this.add(partition, guid, { source: path, guid: actual, size, ...parsed(bytes), owned: true })
                return true
              })
        // whoever waits for it will see the error; nobody else shall
        done.catch(() => staged?.abort())
        return { done }
      },
      abort: () => stager?.abort(),
    }
  }

  #memorySink(partition: string, guid: string, size: number): FileSink {
    const bytes = Buffer.allocUnsafe(size)
    let at = 0
    return {
      write: (chunk) => {
        at += chunk.copy(bytes, at)
      },
      end: () => {
        const actual = guidOf(bytes)
        const message = { source: new InMemory(bytes), guid: actual, size, ...parsed(bytes), owned: false }
        this.#held += size
        // what was announced is part of a long text, all of which it would keep in memory
        this.add(partition, guid === actual ? actual : guid, message)
        return { done: Promise.resolve(true) }
      },
      abort: () => {},
    }
  }

  /** Forgets everything. */
  clear(): void {
    for (const table of this.#byPartition.values()) for (const message of table.values()) this.#remove(message)
    this.#byPartition.clear()
  }

  #remove({ source, owned }: ReadyMessage): void {
    if (typeof source !== 'string') this.#held -= source.bytes.length
    else if (owned) this.store.unstagePath(source)
  }
}

/** Parsed once, when it comes. */
function parsed(bytes: Buffer): Pick<ReadyMessage, 'headerSize' | 'sentdate' | 'cache'> {
  const { headerSize, sentdate, cache } = summarize(bytes)
  return { headerSize, sentdate, cache }
}
