/**
 * The connection slots of one process: how many connections it serves, when it may take another, and what master is to be told. Pure.
 *
 * A process with one slot speaks as Cyrus' own do (2, 3 … 1). A process with more stays available and reports each connection
 * with 4; only the connection that takes the last slot is reported with 2 and 3, and the first slot that becomes free again with 1. That is
 * the one use of the four messages that a master of 3.6.1 takes without a warning.
 */
import { Status } from './status.js'

export class Slots {
  #busy = 0
  #served = 0
  #available = true
  #closed = false

  /**
   * @param size connections at once, at least 1
   * @param reuseLimit connections in all before the process is replaced, 0 for no limit (`-U`)
   */
  constructor(
    readonly size: number,
    readonly reuseLimit: number,
  ) {}

  /** Connections being served. */
  get busy(): number {
    return this.#busy
  }

  /** Connections taken since the start. */
  get served(): number {
    return this.#served
  }

  /** How many more connections may be taken now. */
  get free(): number {
    if (this.#closed) return 0
    const left = this.reuseLimit === 0 ? Number.POSITIVE_INFINITY : this.reuseLimit - this.#served
    return Math.max(0, Math.min(this.size - this.#busy, left))
  }

  /** Whether no connection will ever be taken again; the process ends with its last one. */
  get finished(): boolean {
    return this.#closed || (this.reuseLimit !== 0 && this.#served >= this.reuseLimit)
  }

  /** A connection was accepted. @returns what master is to be told */
  taken(): Status[] {
    this.#busy++
    this.#served++
    if (this.free > 0) return [Status.ConnectionMulti]
    if (!this.#available) return [Status.Connection]
    this.#available = false
    return [Status.Unavailable, Status.Connection]
  }

  /** A connection has ended. @returns what master is to be told */
  released(): Status[] {
    this.#busy--
    if (this.#available || this.free === 0) return []
    this.#available = true
    return [Status.Available]
  }

  /** No more connections, ever (a signal, an idle process). @returns what master is to be told: 2 if connections still run */
  close(): Status[] {
    if (this.#closed) return []
    this.#closed = true
    if (!this.#available || this.#busy === 0) return []
    this.#available = false
    return [Status.Unavailable]
  }
}
