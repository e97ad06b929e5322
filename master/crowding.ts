/**
 * Notices a service whose clients wait although it may have no more processes, and says so once: what is then to be done is for a human.
 * Decides only.
 */

/** How long a connection must have waited, in ms. */
export const CROWDED_AFTER = 1_000

/** After this long it may be said again, in ms. */
const SILENCE = 3_600_000

export class CrowdGuard {
  #since: number | undefined
  #saidAt = Number.NEGATIVE_INFINITY

  /**
   * A look at the socket.
   * @param waiting whether a connection waits there and no process can take it nor be started
   * @param now milliseconds, monotonic
   * @returns `begun` when waiting has just begun, `tell` when it has lasted and should be told
   */
  look(waiting: boolean, now: number): 'begun' | 'tell' | undefined {
    if (!waiting) {
      this.#since = undefined
      return undefined
    }
    if (this.#since === undefined) {
      this.#since = now
      return 'begun'
    }
    if (now - this.#since < CROWDED_AFTER || now - this.#saidAt < SILENCE) return undefined
    this.#saidAt = now
    return 'tell'
  }

  /** After a reload everything is told anew. */
  reset(): void {
    this.#since = undefined
    this.#saidAt = Number.NEGATIVE_INFINITY
  }
}
