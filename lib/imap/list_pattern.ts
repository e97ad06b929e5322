/** Patterns of LIST and LSUB (RFC 3501 §6.3.8): `*` matches anything, `%` anything but the hierarchy separator. Pure. */

/** Longer than any name of a mailbox, with its prefixes, or of an annotation. */
const LONGEST_NAME = 1024

/** A pattern ready to be matched; matching takes length × length at most, whatever the wildcards. */
export class ListPattern {
  readonly #pattern: string
  /** it wants more characters than a name can have */
  readonly #hopeless: boolean

  constructor(
    pattern: string,
    readonly separator: string,
  ) {
    // runs of wildcards mean what their strongest one means
    this.#pattern = pattern.replace(/[*%]{2,}/g, (run) => (run.includes('*') ? '*' : '%'))
    this.#hopeless = this.#pattern.length > 2 * LONGEST_NAME
  }

  /** The text before the first wildcard: every match begins with it. */
  get prefix(): string {
    return /^[^*%]*/.exec(this.#pattern)![0]
  }

  matches(name: string): boolean {
    if (this.#hopeless) return false
    const pattern = this.#pattern
    // states[i]: pattern[0..i) can match what was read of the name
    let states = new Uint8Array(pattern.length + 1)
    states[0] = 1
    this.#skipWildcards(states)
    for (const char of name) {
      const next = new Uint8Array(pattern.length + 1)
      let alive = false
      for (let i = 0; i < pattern.length; i += 1) {
        if (states[i] === 0) continue
        const want = pattern[i]!
        if (want === '*' || (want === '%' && char !== this.separator)) next[i] = 1
        else if (want === char) next[i + 1] = 1
        else continue
        alive = true
      }
      if (!alive) return false
      this.#skipWildcards(next)
      states = next
    }
    return states[pattern.length] === 1
  }

  /** A wildcard may match nothing. */
  #skipWildcards(states: Uint8Array): void {
    for (let i = 0; i < this.#pattern.length; i += 1) {
      if (states[i] === 1 && (this.#pattern[i] === '*' || this.#pattern[i] === '%')) states[i + 1] = 1
    }
  }
}
