/**
 * Fills the search index of mailboxes in the background, after searches that had to look at messages for want of it. One mailbox at a time, a
 * few milliseconds at a time, and never more than a third of the process's time: clients go first.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { indexMailbox } from '../../../lib/mailbox/search_index.js'
import type { Logger } from '../../../lib/process/log.js'
import type { MailStore } from '../../../lib/store/store.js'

/** Milliseconds of work before a pause. */
const SLICE_MS = 3
/** A pause is so many times as long as the work before it. */
const REST = 2
/** Mailboxes that may wait; a further one is wanted again by the next search. */
const MOST = 100

export class Indexer {
  readonly #wanted = new Set<number>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(
    private readonly store: MailStore,
    private readonly log: Logger,
  ) {}

  /** A mailbox's index should be filled, some time. */
  want(id: number): void {
    if (this.#stopping.signal.aborted || this.#wanted.size >= MOST) return
    this.#wanted.add(id)
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined
    })
  }

  /** Leaves it at what is done. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #work(): Promise<void> {
    const stopping = this.#stopping.signal
    let since = performance.now()
    const rest = async (ms: number): Promise<void> => {
      await sleep(ms, undefined, { signal: stopping }).catch(() => undefined)
      since = performance.now()
    }
    const pause = (): Promise<void> | undefined => {
      const worked = performance.now() - since
      return worked < SLICE_MS ? undefined : rest(REST * worked)
    }
    for (const id of this.#wanted) {
      await rest(0)
      const mailbox = this.store.mailboxById(id)
      try {
        if (mailbox) await indexMailbox(this.store, mailbox, { pause, stopping })
      } catch (error) {
        this.log.warning(`search index of ${mailbox!.name}: ${(error as Error).message}`)
      }
      this.#wanted.delete(id)
      if (stopping.aborted) return
    }
  }
}
