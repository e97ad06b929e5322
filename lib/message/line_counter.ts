/**
 * Counts line ends in any ranges of one message, looking at every byte a bounded number of times however the ranges
 * overlap. Pure.
 */
const LF = 10
const BLOCK = 4096

export class LineCounter {
  /** #before[i]: LFs in the first i blocks. */
  #before: number[] = [0]

  constructor(readonly message: Buffer) {}

  /** LFs in [start, end). */
  count(start: number, end: number): number {
    return this.#upTo(end) - this.#upTo(start)
  }

  #upTo(offset: number): number {
    const block = Math.floor(offset / BLOCK)
    while (this.#before.length <= block) {
      const from = (this.#before.length - 1) * BLOCK
      this.#before.push(this.#before[this.#before.length - 1]! + this.#scan(from, from + BLOCK))
    }
    return this.#before[block]! + this.#scan(block * BLOCK, offset)
  }

  #scan(from: number, to: number): number {
    const { message } = this
    let lines = 0
    for (let i = from; i < to; i += 1) if (message[i] === LF) lines += 1
    return lines
  }
}
