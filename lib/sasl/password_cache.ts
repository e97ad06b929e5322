/**
 * Passwords that were verified lately, so that a client that logs in every few seconds costs no key derivation or question to saslauthd
 * each time. Kept in memory only, as HMAC-SHA-256 under a key drawn at the process's start; bounded; forgotten after `sasl_password_cache`.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

const MOST_ENTRIES = 10_000

export class PasswordCache {
  readonly #key = randomBytes(32)
  readonly #entries = new Map<string, { hash: Buffer; until: number; version: string }>()

  /** @param seconds how long a verified password is trusted; 0 never */
  constructor(readonly seconds: number) {}

  /**
   * @param version a text that changes whenever the user's secret does; another than remembered is a miss
   * @param now milliseconds
   */
  knows(user: string, password: string, version: string, now = Date.now()): boolean {
    const entry = this.#entries.get(user)
    if (entry === undefined) return false
    if (entry.until <= now || entry.version !== version) {
      this.#entries.delete(user)
      return false
    }
    return timingSafeEqual(entry.hash, this.#hash(user, password))
  }

  /** Remembers a password just verified. */
  remember(user: string, password: string, version: string, now = Date.now()): void {
    if (this.seconds <= 0) return
    this.#entries.delete(user)
    // Oldest first, since every new one is added at the end.
    if (this.#entries.size >= MOST_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(user, { hash: this.#hash(user, password), until: now + this.seconds * 1000, version })
  }

  #hash(user: string, password: string): Buffer {
    return createHmac('sha256', this.#key).update(`${user.length}:${user}${password}`).digest()
  }
}
