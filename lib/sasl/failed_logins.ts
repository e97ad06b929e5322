/**
 * Who fails to log in waits: `failedloginpause` for the first failure from an address, twice as long for each further one, up to
 * `failedloginpause_max`. An address is forgotten after a quarter of an hour without a failure. Kept in memory, bounded.
 */
const FORGET_AFTER = 15 * 60_000
const MOST_ADDRESSES = 10_000

export class FailedLogins {
  readonly #failures = new Map<string, { count: number; last: number }>()

  /**
   * Counts a failure.
   * @param remote address of the peer; local sockets are not told apart and always wait the least
   * @param least, most seconds
   * @param now milliseconds
   * @returns seconds to wait
   */
  failed(remote: string, least: number, most: number, now: number): number {
    if (least <= 0) return 0
    const before = this.#failures.get(remote)
    const count = before !== undefined && now - before.last < FORGET_AFTER && remote !== 'unix' ? before.count + 1 : 1
    // the longest silent one is first, since every one that fails is put to the end
    this.#failures.delete(remote)
    if (this.#failures.size >= MOST_ADDRESSES) this.#failures.delete(this.#failures.keys().next().value!)
    this.#failures.set(remote, { count, last: now })
    return Math.max(least, Math.min(most, least * 2 ** Math.min(count - 1, 30)))
  }
}
