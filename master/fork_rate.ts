/**
 * Fork rate of one service: an average that decays by half each second. Decides only; whoever asks does the waiting and the
 * forking. Mirrors Cyrus 3.6.1: after dt seconds rate = f·rate + (1-f)·(forks/dt) with f = 0.5^dt; no fork while ⌊rate⌋ has reached the limit.
 */

/** How soon a service that was held back is looked at again, in ms. */
export const HOLD_BACK = 400

const NEGLIGIBLE = 1e-3

export class ForkRate {
  #forksPerSecond = 0
  #forksSinceUpdate = 0
  #updatedAt: number

  /** @param now milliseconds, monotonic */
  constructor(now: number) {
    this.#updatedAt = now
  }

  /**
   * Whether one more fork keeps the service within its limit.
   * @param limit forks a second, 0 for no limit (`maxforkrate`)
   */
  allows(limit: number, now: number): boolean {
    return limit === 0 || Math.floor(this.perSecond(now)) < limit
  }

  /** The average as it is now. */
  perSecond(now: number): number {
    const seconds = (now - this.#updatedAt) / 1000
    if (seconds > 0) {
      const decay = 0.5 ** seconds
      this.#forksPerSecond = decay * this.#forksPerSecond + (1 - decay) * (this.#forksSinceUpdate / seconds)
      // what is next to nothing is nothing, so that figures of an idle service come to rest
      if (this.#forksPerSecond < NEGLIGIBLE) this.#forksPerSecond = 0
      this.#forksSinceUpdate = 0
      this.#updatedAt = now
    }
    return this.#forksPerSecond
  }

  /** A process was forked. */
  forked(): void {
    this.#forksSinceUpdate++
  }
}
