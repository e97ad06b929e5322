/**
 * The dot-stuffed text of LMTP, POP and NNTP (RFC 5321 §4.5.2), undone as it streams in. Only "." CRLF at the start of
 * a line ends it, as in Cyrus; a line start is what follows an LF. Pure.
 */
import type { InputBuffer } from './input_buffer.js'

const LF = 10
const CR = 13
const DOT = 46
const LF_DOT = Buffer.from('\n.')

export class DotDecoder {
  #atLineStart = true

  /** Whether the terminating line has been taken. */
  done = false

  /**
   * Takes what it can decide about from the input.
   * @returns the next decoded run, or undefined when more input is needed or all is done
   */
  next(input: InputBuffer): Buffer | undefined {
    while (!this.done && input.length > 0) {
      if (this.#atLineStart && input.byteAt(0) === DOT) {
        const second = input.byteAt(1)
        const third = second === CR ? input.byteAt(2) : LF
        if (second === undefined || third === undefined) return undefined
        if (second === CR && third === LF) {
          input.take(3)
          this.done = true
          return undefined
        }
        input.take(1)
      }
      // a run must not end inside a chunk except where a line starts with a dot
      const run = this.#takeRun(input)
      if (run.length > 0) return run
    }
    return undefined
  }

  #takeRun(input: InputBuffer): Buffer {
    const length = this.#runLength(input)
    const run = input.takeUpTo(length)
    this.#atLineStart = run[run.length - 1] === LF
    return run
  }

  #runLength(input: InputBuffer): number {
    const chunk = input.peekChunk()
    const found = chunk.indexOf(LF_DOT)
    return found === -1 ? chunk.length : found + 1
  }
}
