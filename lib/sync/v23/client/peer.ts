/**
 * The client's end of a conversation with a replica of the 2.3 generation, once it has logged in (csync-2.3.md §2, §4): one command at a time,
 * with the lines that come before its last one. Knows how things are said; what is to be said is the callers'.
 */
import { type Connection, ConnectionClosedError, TimeoutError } from '../../../net/connection.js'
import { PeerGoneError, PeerRefusalError } from '../../client/peer_errors.js'
import { LineArguments, LineReader, MissingArgumentError, TooLongError } from '../line_reader.js'
import type { Release } from '../release.js'

/** What a command sends: text of bytes, or raw bytes. */
export type Piece = string | Buffer

/** Takes a line with stars in front. @param stars how many */
export type Listener = (stars: number, line: LineArguments) => Promise<void>

const SEND_ABOVE = 64 * 1024

/** A replica's line is not of the form it must have. */
function stranger(command: string, text: string): PeerGoneError {
  return new PeerGoneError(`${command}: not an answer: ${text.slice(0, 160)}`)
}

export class Peer23 {
  readonly #connection: Connection
  readonly #reader: LineReader
  readonly #trace: ((direction: '>' | '<', bytes: Buffer) => void) | undefined
  #unsent = 0
  #locked = false

  /** @param ahead bytes that were read already */
  constructor(
    connection: Connection,
    ahead: Buffer,
    readonly release: Release,
    trace?: (direction: '>' | '<', bytes: Buffer) => void,
  ) {
    this.#connection = connection
    this.#reader = new LineReader(connection, ahead)
    this.#trace = trace
    if (trace) this.#reader.trace = (bytes) => trace('<', bytes)
  }

  /** Whether the connection can be used no more. */
  get closed(): boolean {
    return this.#connection.closed
  }

  /** Calls back when the replica closes the connection, or it is lost. */
  onClose(listener: () => void): void {
    this.#connection.socket.once('close', listener)
  }

  /**
   * One command.
   * @param pieces the whole of it but its line end; sent with back-pressure as they come
   * @param listener takes the lines before the last; without it there must be none
   * @returns what stands behind OK, to be read on
   * @throws {PeerRefusalError}, {PeerGoneError}
   */
  async ask(
    command: string,
    pieces: Iterable<Piece> | AsyncIterable<Piece>,
    listener?: Listener,
  ): Promise<LineArguments> {
    try {
      for await (const piece of pieces) await this.#send(piece)
      await this.#send('\r\n')
      await this.#flush()
      for (;;) {
        const text = await this.#reader.line()
        if (text === null) throw new ConnectionClosedError('instead of an answer')
        const line = new LineArguments(this.#reader, text)
        const stars = /^(\*{1,4}) /.exec(text)?.[1]?.length
        if (stars === undefined) return this.#final(command, text, line)
        if (/^\* (?:Fatal error|BYE)\b/i.test(text)) throw new PeerGoneError(`the replica says ${text.slice(2, 200)}`)
        if (listener === undefined) throw stranger(command, text)
        line.take('*'.repeat(stars))
        line.blank()
        await listener(stars, line)
      }
    } catch (error) {
      if (error instanceof PeerRefusalError) throw error
      this.#connection.destroy()
      if (error instanceof MissingArgumentError) throw stranger(command, error.message)
      if (error instanceof ConnectionClosedError || error instanceof TimeoutError || error instanceof TooLongError)
        throw new PeerGoneError(error.message)
      throw error
    }
  }

  /** As `ask`, of one line. */
  say(...words: string[]): Promise<LineArguments> {
    return this.ask(words[0]!, [words.join(' ')])
  }

  /** A line does not say what it must. The conversation cannot go on. */
  refuse(command: string, what: string): never {
    this.#connection.destroy()
    throw stranger(command, what)
  }

  async noop(): Promise<void> {
    await this.say('NOOP')
  }

  /** LOCK. What is said between it and `unlock` is said while nobody else changes the replica. */
  async lock(): Promise<void> {
    await this.say('LOCK')
    this.#locked = true
  }

  /** UNLOCK, if it is locked. @returns whether the replica has forgotten what was staged */
  async unlock(): Promise<boolean> {
    if (!this.#locked || this.closed) return false
    this.#locked = false
    return isRestart(await this.say('UNLOCK'))
  }

  /** EXIT, without caring for the answer. */
  async exit(): Promise<void> {
    if (this.closed) return
    await this.unlock().catch(() => {})
    await this.say('EXIT').catch(() => {})
    this.#connection.close()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  #final(command: string, text: string, line: LineArguments): LineArguments {
    const word = line.word().toUpperCase()
    line.blank()
    if (word === 'OK') return line
    if (word !== 'NO' && word !== 'BAD') throw stranger(command, text)
    const code = word === 'NO' ? (/^NO (IMAP_[A-Z_]+)(?= |$)/i.exec(text)?.[1] ?? '') : ''
    throw new PeerRefusalError(command, code, text)
  }

  async #send(piece: Piece): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
    this.#trace?.('>', bytes)
    this.#connection.write(bytes)
    this.#unsent += bytes.length
    if (this.#unsent >= SEND_ABOVE) await this.#flush()
  }

  #flush(): Promise<void> {
    this.#unsent = 0
    return this.#connection.flush()
  }
}

/** Whether an answer to UPLOAD or UNLOCK says that what was staged is forgotten (csync-2.3.md §3.4). */
export function isRestart(answer: LineArguments): boolean {
  return /^\[RESTART\]/i.test(answer.rest())
}
