/**
 * What a replication peer sends, taken from a Connection: command words, rest of lines, dlist values with their literals, and files, whose
 * bytes go to a sink as they come. Both ends of the protocol read with it.
 */
import { type Connection, ConnectionClosedError } from '../net/connection.js'
import type { Dlist } from './dlist.js'
import { DEFAULT_LIMITS, type DlistLimits, DlistParser, DlistSyntaxError, DlistTooBigError } from './dlist_parser.js'

/** Where the bytes of a file literal go. */
export interface FileSink {
  write(chunk: Buffer): void | Promise<void>
  /** called after the last byte; what it returns becomes the DlistFile's content */
  end(): unknown | Promise<unknown>
  /** called instead of `end` when the connection is lost in between */
  abort(): void
}

/** Opens a sink for a file; never rejects a name by throwing: a sink that drops the bytes keeps the conversation in step. */
export type FileSinks = (partition: string, guid: string, size: number) => FileSink

/** One `KEY value`. */
export interface WireItem {
  readonly key: string
  readonly value: Dlist
}

const EMPTY = Buffer.alloc(0)
/** Longest line outside dlists. */
const LONGEST_LINE = 8192
/** Most dlist text in one command, literals included, files not. */
const MOST_TEXT = 256 * 1024 * 1024

export class WireReader {
  /** bytes taken from the connection and not used yet, and the same as a string */
  #bytes: Buffer = EMPTY
  #text = ''
  #at = 0
  /** told of every line or piece read, for -vv */
  trace: ((bytes: Buffer) => void) | undefined

  constructor(
    readonly connection: Connection,
    readonly limits: DlistLimits = DEFAULT_LIMITS,
  ) {}

  /** Puts bytes before everything that is still to be read. */
  putBack(bytes: Buffer): void {
    this.#bytes = Buffer.concat([bytes, this.#bytes.subarray(this.#at)])
    this.#text = this.#bytes.toString('latin1')
    this.#at = 0
  }

  /** What was read ahead and not used, for another reader. */
  takeAhead(): Buffer {
    const ahead = this.#bytes.subarray(this.#at)
    this.clear()
    return ahead
  }

  /** Drops what was read ahead: nothing sent before TLS may count after it. */
  clear(): void {
    this.#bytes = EMPTY
    this.#text = ''
    this.#at = 0
  }

  /**
   * The next word of a line: up to a blank, CR or LF, which is not taken.
   * @returns null at the end of the stream
   * @throws {DlistTooBigError} above 8192 bytes
   */
  async word(): Promise<string | null> {
    for (;;) {
      const rest = this.#text.slice(this.#at, this.#at + LONGEST_LINE + 1)
      const end = rest.search(/[ \t\r\n]/)
      if (end >= 0) {
        this.#at += end
        return rest.slice(0, end)
      }
      if (rest.length > LONGEST_LINE) throw new DlistTooBigError('[TOOBIG] Word too long')
      if (!(await this.#more())) return null
    }
  }

  /** Takes one blank if it is next. */
  async blank(): Promise<boolean> {
    if (this.#at >= this.#text.length && !(await this.#more())) return false
    if (this.#text[this.#at] !== ' ' && this.#text[this.#at] !== '\t') return false
    this.#at++
    return true
  }

  /** The rest of the line, its end taken too but not returned; null at the end of the stream. @throws {DlistTooBigError} */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf('\n', this.#at)
      if (end >= 0) {
        const line = this.#text.slice(this.#at, end)
        this.#at = end + 1
        return line.endsWith('\r') ? line.slice(0, -1) : line
      }
      if (this.#text.length - this.#at > LONGEST_LINE) throw new DlistTooBigError('[TOOBIG] Line too long')
      if (!(await this.#more())) return null
    }
  }

  /**
   * A key, a value and the line's end.
   * @throws {DlistSyntaxError} after the rest of the line, literals and files in it included, was skipped; {DlistTooBigError};
   *   {ConnectionClosedError}; {TimeoutError}
   */
  async item(sinks: FileSinks): Promise<WireItem> {
    const parser = new DlistParser(this.limits)
    let total = 0
    for (;;) {
      let need: ReturnType<DlistParser['parse']>
      try {
        need = parser.parse(this.#text, this.#at)
      } catch (error) {
        this.#at = parser.at
        if (error instanceof DlistSyntaxError) await this.#skipLine()
        throw error
      }
      total += parser.at - this.#at
      if (total > MOST_TEXT) throw new DlistTooBigError('[TOOBIG] Command too long')
      this.#at = parser.at
      if (need.need === 'nothing') return { key: parser.key!, value: parser.value! }
      if (need.need === 'literal') {
        total += need.size
        if (total > MOST_TEXT) throw new DlistTooBigError('[TOOBIG] Command too long')
        parser.literal((await this.#take(need.size)).toString('latin1'))
      } else if (need.need === 'file')
        parser.file(await this.#file(need.size, sinks(need.partition, need.guid, need.size)))
      else if (!(await this.#more())) throw new ConnectionClosedError('inside a command')
    }
  }

  /** Skips to the end of the line, stepping over literals and files that it holds. */
  async #skipLine(): Promise<void> {
    for (;;) {
      const end = this.#text.indexOf('\n', this.#at)
      if (end < 0) {
        // keep only what may hold the size of a literal
        this.#at = Math.max(this.#at, this.#text.length - 1024)
        if (!(await this.#more())) throw new ConnectionClosedError('inside a command')
        continue
      }
      const line = this.#text.slice(Math.max(this.#at, end - 1100), end)
      this.#at = end + 1
      const size = /\{(?:\S+ [0-9a-fA-F]{40} )?(\d{1,10})\+?\}\r?$/.exec(line)?.[1]
      if (size === undefined) return
      await this.#file(Number(size), { write: () => {}, end: () => {}, abort: () => {} })
    }
  }

  /** Exactly that many bytes. */
  async #take(size: number): Promise<Buffer> {
    const here = this.#bytes.subarray(this.#at, this.#at + size)
    this.#at += here.length
    if (here.length === size) return here
    const rest = await this.connection.readBytes(size - here.length)
    this.trace?.(rest)
    return Buffer.concat([here, rest])
  }

  async #file(size: number, sink: FileSink): Promise<unknown> {
    try {
      const here = this.#bytes.subarray(this.#at, this.#at + size)
      this.#at += here.length
      if (here.length > 0) {
        const pending = sink.write(here)
        if (pending) await pending
      }
      if (here.length < size) await this.connection.readStream(size - here.length, (chunk) => sink.write(chunk))
    } catch (error) {
      sink.abort()
      throw error
    }
    return sink.end()
  }

  /** Waits for more text behind what is not used yet. @returns false at the end of the stream */
  async #more(): Promise<boolean> {
    const chunk = await this.connection.readSome()
    if (chunk.length === 0) return false
    this.trace?.(chunk)
    const rest = this.#bytes.subarray(this.#at)
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    this.#text = this.#bytes.toString('latin1')
    this.#at = 0
    return true
  }
}
