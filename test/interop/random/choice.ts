/** Random choices that a seed repeats. Not a test. */

export class Choice {
  #state: number

  /** @param seed any whole number */
  constructor(seed: number) {
    this.#state = (Math.abs(seed) % 2147483646) + 1
  }

  /** A whole number from 0 to n - 1 (Lehmer's generator, modulus 2^31 - 1). */
  below(n: number): number {
    this.#state = (this.#state * 48271) % 2147483647
    return this.#state % n
  }

  /** One of them. */
  of<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!
  }

  /** One of them, each as often as its weight says. */
  weighted<T>(all: readonly (readonly [weight: number, what: T])[]): T {
    let left = this.below(all.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, what] of all) {
      if (left < weight) return what
      left -= weight
    }
    return all[0]![1]
  }
}
