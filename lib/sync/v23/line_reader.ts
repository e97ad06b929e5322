/**
 * Reads the 2.3 generation's lines (csync-2.3.md §2): text up to LF or CRLF, and literals by their size. Either end of the protocol. What was
 * read ahead of a line is kept, so that a line costs no wait when it is here already.
 */
import { type Connection, ConnectionClosedError } from '../../net/connection.js'

const EMPTY = Buffer.alloc(0)
const LF = 10
const CR = 13

/** A line or an argument that is longer than anybody needs: the conversation is over. */
export class TooLongError extends Error {
  override name = 'TooLongError'
}

export class LineReader {
  #bytes: Buffer
  #at = 0
  /** told of what comes, for -vv */
  trace: ((bytes: Buffer) => void) | undefined

  /**
   * @param ahead bytes that somebody has read and not used
   * @param longest bytes of a line; thousands of UIDs may stand in one
   */
  constructor(
    readonly connection: Connection,
    ahead: Buffer = EMPTY,
    readonly longest = 64 * 1024 * 1024,
  ) {
    this.#bytes = ahead
  }

  /** Drops what was read ahead: nothing sent before TLS may count after it. */
  clear(): void {
    this.#bytes = EMPTY
    this.#at = 0
  }

  /** The next line without its end, a text of bytes; null at the end of the stream. @throws {TooLongError}, {TimeoutError} */
  async line(): Promise<string | null> {
    const here = this.#lineHere()
    if (here !== undefined) return here
    const pieces: Buffer[] = []
    let size = 0
    for (;;) {
      const end = this.#bytes.indexOf(LF, this.#at)
      const piece = this.#bytes.subarray(this.#at, end < 0 ? undefined : end)
      pieces.push(piece)
      size += piece.length
      if (size > this.longest) throw new TooLongError('line too long')
      if (end >= 0) {
        this.#at = end + 1
        const whole = Buffer.concat(pieces)
        return whole.toString('latin1', 0, whole[whole.length - 1] === CR ? whole.length - 1 : whole.length)
      }
      this.clear()
      if (!(await this.#more())) return null
    }
  }

  /** Exactly that many bytes. @throws {ConnectionClosedError}, {TimeoutError} */
  async bytes(size: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    await this.stream(size, (piece) => void pieces.push(Buffer.from(piece)))
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /** As `bytes`, handed on as they come; a piece is the sink's only until it returns. */
  async stream(size: number, sink: (piece: Buffer) => void): Promise<void> {
    const here = this.#bytes.subarray(this.#at, this.#at + size)
    this.#at += here.length
    if (here.length > 0) sink(here)
    if (here.length === size) return
    await this.connection.readStream(size - here.length, (piece) => {
      this.trace?.(piece)
      sink(piece)
    })
  }

  #lineHere(): string | undefined {
    const end = this.#bytes.indexOf(LF, this.#at)
    if (end < 0) return undefined
    const from = this.#at
    this.#at = end + 1
    return this.#bytes.toString('latin1', from, end > from && this.#bytes[end - 1] === CR ? end - 1 : end)
  }

  /** @returns false at the end of the stream */
  async #more(): Promise<boolean> {
    const chunk = await this.connection.readSome()
    if (chunk.length === 0) return false
    this.trace?.(chunk)
    this.#bytes = chunk
    this.#at = 0
    return true
  }
}

/** A literal at the end of a line: `{N}` or `{N+}`. */
const LITERAL = /\{(\d{1,10})(\+?)\}$/

/** Argument literals may be this long (csync-2.3.md §2.1). */
const LONGEST_ARGUMENT = 107374182
const LONGEST_QUOTED = 8192

/** What stands in a line cannot be read: what was wanted is missing. */
export class MissingArgumentError extends Error {
  override name = 'MissingArgumentError'
}

/**
 * One command or answer, read argument by argument. Its text may go on over several lines with literals between them. After an error
 * `skip` goes to its end, over all that is in it.
 */
export class LineArguments {
  #text: string
  #at = 0

  /** @param goAhead asks for a literal that waits to be asked for; absent where there are none */
  constructor(
    readonly reader: LineReader,
    text: string,
    readonly goAhead?: () => void,
  ) {
    this.#text = text
  }

  /** Whether nothing is left. */
  get ended(): boolean {
    return this.#at >= this.#text.length
  }

  /** A run of bytes up to a blank, a parenthesis or a double quote; may be empty. */
  word(): string {
    let end = this.#at
    for (; end < this.#text.length; end++) {
      const code = this.#text.charCodeAt(end)
      if (code === 32 || code === 40 || code === 41 || code === 34 || code === 9) break
    }
    const word = this.#text.slice(this.#at, end)
    this.#at = end
    return word
  }

  /** Takes one blank if it is next. */
  blank(): boolean {
    if (this.#text[this.#at] !== ' ') return false
    this.#at++
    return true
  }

  /** Takes a piece of text if it is next. */
  take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false
    this.#at += text.length
    return true
  }

  /** The rest of the text up to a literal. */
  rest(): string {
    const rest = this.#text.slice(this.#at)
    this.#at = this.#text.length
    return rest
  }

  /**
   * An atom, quoted string or literal, as a string of bytes.
   * @throws {MissingArgumentError} if none of these is next; {TooLongError}
   */
  async astring(): Promise<string> {
    const first = this.#text[this.#at]
    if (first === '"') return this.#quoted()
    if (first === '{') {
      const size = this.literal()
      if (size !== undefined) {
        if (size > LONGEST_ARGUMENT) throw new TooLongError('literal too long')
        const bytes = await this.literalBytes(size)
        return bytes.toString('latin1')
      }
    }
    const word = this.word()
    if (word === '') throw new MissingArgumentError('an argument is missing')
    return word
  }

  /** Goes past `{N}` or `{N+}` at the end of the text, and asks for it if need be. @returns N; undefined if there is none */
  literal(): number | undefined {
    const match = LITERAL.exec(this.#text)
    if (match === null || match.index !== this.#at) return undefined
    this.#at = this.#text.length
    if (match[2] === '') this.goAhead?.()
    return Number(match[1])
  }

  /** The bytes of a literal, and on to the text behind it. @throws {ConnectionClosedError} */
  async literalBytes(size: number): Promise<Buffer> {
    const bytes = await this.reader.bytes(size)
    await this.#next()
    return bytes
  }

  /** As `literalBytes`, handed on as they come. */
  async literalStream(size: number, sink: (piece: Buffer) => void): Promise<void> {
    await this.reader.stream(size, sink)
    await this.#next()
  }

  /** `(` words `)`. @returns undefined if it is none */
  list(): string[] | undefined {
    const end = this.#text.indexOf(')', this.#at)
    if (this.#text[this.#at] !== '(' || end < 0) return undefined
    const inside = this.#text.slice(this.#at + 1, end)
    this.#at = end + 1
    return inside === '' ? [] : inside.split(' ')
  }

  /** Goes to the end of the command, over literals that are sent without being asked for. @throws {ConnectionClosedError} */
  async skip(): Promise<void> {
    for (;;) {
      const match = LITERAL.exec(this.#text)
      if (match === null || match[2] === '' || match.index < this.#at) return
      this.#at = this.#text.length
      await this.reader.stream(Number(match[1]), () => {})
      await this.#next()
    }
  }

  async #next(): Promise<void> {
    const text = await this.reader.line()
    if (text === null) throw new ConnectionClosedError('inside a command')
    this.#text = text
    this.#at = 0
  }

  #quoted(): string {
    let value = ''
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const char = this.#text[at]!
      if (char === '"') {
        this.#at = at + 1
        return value
      }
      if (value.length >= LONGEST_QUOTED) throw new TooLongError('word too long')
      value += char === '\\' ? (this.#text[++at] ?? '') : char
    }
    throw new MissingArgumentError('a quoted string does not end')
  }
}
