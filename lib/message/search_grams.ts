/**
 * What the search index keeps of a message: which runs of three characters (grams) its texts have, as a filter of bits. A string that a text
 * contains has no gram that the text lacks; so a filter says "not here" for certain and "maybe here" with few errors. Pure.
 *
 * A gram is hashed to 22 bits, and that number scaled down to the size of the filter, one bit a gram. A filter has four bits for each gram of
 * its message: a gram that is not there seems to be there in 22 of 100 cases, the six of an eight-letter word in 1 of 10,000. Scripts in which
 * a word is often two characters (from U+2E80 on: Chinese, Japanese) have runs of two as well.
 */

const HASH_BITS = 22
const BITS_A_GRAM = 4
/** Bytes; with more than a quarter of a million different grams a message's filter begins to say "maybe" too often. */
const LARGEST_FILTER = 128 * 1024
const IDEOGRAPHS = 0x2e80

function hash(a: number, b: number, c: number): number {
  let mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca77) ^ Math.imul(c, 0xc2b2ae3d)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  mixed = Math.imul(mixed ^ (mixed >>> 12), 0x297a2d39)
  return (mixed ^ (mixed >>> 15)) >>> (32 - HASH_BITS)
}

/** Collects the grams of a message's texts; made once and used for many messages. */
export class GramCollector {
  /** one bit a hash */
  readonly #seen = new Uint8Array(2 ** (HASH_BITS - 3))
  #found = new Uint32Array(4096)
  #count = 0
  /** the last two characters of the text so far, -1 for none */
  #last = -1
  #lastButOne = -1

  /** What is added next belongs to another text. */
  beginText(): void {
    this.#last = -1
    this.#lastButOne = -1
  }

  /** The next piece of a text. @param piece in the form of searchForm */
  add(piece: string): void {
    let a = this.#lastButOne
    let b = this.#last
    for (let at = 0; at < piece.length; at += 1) {
      const c = piece.charCodeAt(at)
      if (a >= 0) this.#note(hash(a, b, c))
      if (c >= IDEOGRAPHS && b >= IDEOGRAPHS) this.#note(hash(0, b, c))
      a = b
      b = c
    }
    this.#lastButOne = a
    this.#last = b
  }

  /** The filter of all that was added; the collector is empty then. */
  filter(): Buffer {
    const bytes = Math.min(LARGEST_FILTER, Math.max(1, Math.ceil((this.#count * BITS_A_GRAM) / 8)))
    const filter = Buffer.alloc(bytes)
    for (let n = 0; n < this.#count; n += 1) {
      const gram = this.#found[n]!
      const bit = place(gram, bytes * 8)
      filter[bit >>> 3]! |= 1 << (bit & 7)
      this.#seen[gram >>> 3] = 0
    }
    this.#count = 0
    this.beginText()
    return filter
  }

  #note(gram: number): void {
    const bit = 1 << (gram & 7)
    if (this.#seen[gram >>> 3]! & bit) return
    this.#seen[gram >>> 3]! |= bit
    if (this.#count === this.#found.length) {
      const larger = new Uint32Array(2 * this.#count)
      larger.set(this.#found)
      this.#found = larger
    }
    this.#found[this.#count++] = gram
  }
}

/** Which bit of a filter stands for a gram. */
function place(gram: number, bits: number): number {
  return Math.floor((gram * bits) / 2 ** HASH_BITS)
}

/** The grams by which filters are asked for a string; none if it is too short for that. @param value in the form of searchForm */
export function gramsOf(value: string): readonly number[] {
  const grams = new Set<number>()
  for (let at = 1; at < value.length; at += 1) {
    const [b, c] = [value.charCodeAt(at - 1), value.charCodeAt(at)]
    if (at > 1) grams.add(hash(value.charCodeAt(at - 2), b, c))
    if (c >= IDEOGRAPHS && b >= IDEOGRAPHS) grams.add(hash(0, b, c))
  }
  return [...grams]
}

/**
 * Whether the texts of a message may contain a string.
 * @param bytes that hold its filter, from `start` on, `length` bytes of it  @param grams the string's
 */
export function mayContain(bytes: Uint8Array, start: number, length: number, grams: readonly number[]): boolean {
  const bits = length * 8
  for (const gram of grams) {
    const bit = place(gram, bits)
    if (!(bytes[start + (bit >>> 3)]! & (1 << (bit & 7)))) return false
  }
  return true
}
