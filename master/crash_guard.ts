/**
 * Gives up on a service whose processes die before they serve anyone: five failures in READY state, none more than 10 s after the one
 * before (Cyrus 3.6.1). A babysat service gets another try after a pause (as in newer Cyrus). Decides only.
 */

/** Failures in a row that are too many. */
export const MOST_FAILURES = 5

/** Longest pause between two failures of one row, in ms. */
export const FAILURE_WINDOW = 10_000

export class CrashGuard {
  #failures = 0
  #lastAt = Number.NEGATIVE_INFINITY

  /**
   * A process failed while it was ready.
   * @param now milliseconds, monotonic
   * @returns whether that was one too many
   */
  failed(now: number): boolean {
    if (now - this.#lastAt > FAILURE_WINDOW) this.#failures = 0
    this.#lastAt = now
    return ++this.#failures >= MOST_FAILURES
  }

  /** Failures of the present row. */
  get failures(): number {
    return this.#failures
  }

  /** One more try after a pause: a failure within the window is again one too many. */
  relent(now: number): void {
    this.#failures = MOST_FAILURES - 1
    this.#lastAt = now
  }

  /** Starts afresh, after a SIGHUP. */
  reset(): void {
    this.#failures = 0
    this.#lastAt = Number.NEGATIVE_INFINITY
  }
}
