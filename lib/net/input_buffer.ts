/**
 * Bytes that came from a peer and were not taken yet: a queue of the chunks as the socket gave them. Taking copies
 * only when what is wanted spans chunks; an empty queue holds no memory. Pure: knows nothing of sockets.
 */
const LF = 10
const CR = 13
const EMPTY = Buffer.alloc(0)

export class InputBuffer {
  #chunks: Buffer[] = []
  #head = 0
  #length = 0
  #searched = 0

  /** Bytes waiting. */
  get length(): number {
    return this.#length
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    this.#chunks.push(chunk)
    this.#length += chunk.length
  }

  /** Throws everything away. */
  clear(): void {
    this.#chunks = []
    this.#head = 0
    this.#length = 0
    this.#searched = 0
  }

  /** The first chunk as it lies there, not taken; empty when nothing waits. */
  peekChunk(): Buffer {
    return this.#chunks[this.#head] ?? EMPTY
  }

  /** The byte at an offset from the front, undefined when it has not come yet. */
  byteAt(offset: number): number | undefined {
    if (offset >= this.#length) return undefined
    let index = this.#head
    let at = offset
    while (at >= this.#chunks[index]!.length) {
      at -= this.#chunks[index]!.length
      index += 1
    }
    return this.#chunks[index]![at]
  }

  /**
   * Distance of the first LF from the front, or -1 when none has come. What was searched is not searched again, so a
   * line that trickles in costs linear time.
   */
  indexOfLf(): number {
    if (this.#searched >= this.#length) return -1
    let before = 0
    for (let i = this.#head; i < this.#chunks.length; i += 1) {
      const chunk = this.#chunks[i]!
      if (this.#searched < before + chunk.length) {
        const found = chunk.indexOf(LF, Math.max(0, this.#searched - before))
        if (found !== -1) {
          this.#searched = before + found
          return before + found
        }
      }
      before += chunk.length
    }
    this.#searched = this.#length
    return -1
  }

  /** One line without its CRLF or bare LF, or undefined when no LF has come. */
  takeLine(): Buffer | undefined {
    const lf = this.indexOfLf()
    if (lf === -1) return undefined
    const line = this.take(lf + 1)
    return line.subarray(0, lf > 0 && line[lf - 1] === CR ? lf - 1 : lf)
  }

  /** Exactly n bytes; n must not exceed length. */
  take(n: number): Buffer {
    if (n === 0) return EMPTY
    const first = this.#chunks[this.#head]!
    if (first.length >= n) return this.#advance(first, n)
    const whole = Buffer.allocUnsafe(n)
    let filled = 0
    while (filled < n) {
      const chunk = this.takeUpTo(n - filled)
      chunk.copy(whole, filled)
      filled += chunk.length
    }
    return whole
  }

  /** The longest run at the front that lies in one chunk, n bytes at most; empty when nothing waits. */
  takeUpTo(n: number): Buffer {
    if (this.#length === 0 || n === 0) return EMPTY
    const first = this.#chunks[this.#head]!
    return this.#advance(first, Math.min(n, first.length))
  }

  #advance(first: Buffer, n: number): Buffer {
    this.#length -= n
    this.#searched = Math.max(0, this.#searched - n)
    if (n < first.length) {
      this.#chunks[this.#head] = first.subarray(n)
      return first.subarray(0, n)
    }
    this.#head += 1
    if (this.#head === this.#chunks.length) {
      this.#chunks = []
      this.#head = 0
    } else if (this.#head > 64) {
      this.#chunks.splice(0, this.#head)
      this.#head = 0
    }
    return first
  }
}
