/**
 * The lines between a sync_client and its replica, of either transport: on csync an answer ends with `OK ...`, inside IMAP with a tag before
 * it (csync.md §1, §15). Whatever makes the connection useless is a PeerGoneError.
 */
import { type Connection, ConnectionClosedError, TimeoutError } from '../../net/connection.js'
import { ClientMechanismError } from '../../sasl/client_mechanism.js'
import { DlistSyntaxError, DlistTooBigError } from '../dlist_parser.js'
import { type FileSinks, type WireItem, WireReader } from '../wire_reader.js'
import { PeerGoneError, PeerRefusalError } from './peer_errors.js'

/** What a command sends: text of bytes, or raw bytes. */
export type Piece = string | Buffer

/** Told of what is sent ('>') and received ('<'), for -vv. */
export type Trace = (direction: '>' | '<', bytes: Buffer) => void

const SEND_ABOVE = 64 * 1024
/** Of what a replica says; the UIDs somebody has seen of a large mailbox are one word. Bytes. */
const LONGEST_WORD = 4 * 1024 * 1024
const LONGEST_LITERAL = 64 * 1024 * 1024

export class PeerWire {
  readonly #reader: WireReader
  readonly #trace: Trace | undefined
  #unsent = 0

  constructor(
    readonly connection: Connection,
    trace?: Trace,
  ) {
    this.#trace = trace
    this.#reader = new WireReader(connection, { literal: LONGEST_LITERAL, quoted: LONGEST_WORD, word: LONGEST_WORD })
    if (trace) this.#reader.trace = (bytes) => trace('<', bytes)
  }

  /** Drops what was read ahead: nothing said before TLS counts after it. */
  clear(): void {
    this.#reader.clear()
  }

  /** What was read ahead and not used, for another reader of the connection. */
  takeAhead(): Buffer {
    return this.#reader.takeAhead()
  }

  /** Writes; waits only when much is unsent. */
  async send(piece: Piece): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
    this.#trace?.('>', bytes)
    this.connection.write(bytes)
    this.#unsent += bytes.length
    if (this.#unsent >= SEND_ABOVE) await this.flush()
  }

  /** Resolves when what was written has left for the kernel, or soon will. */
  flush(): Promise<void> {
    this.#unsent = 0
    return this.connection.flush()
  }

  /** The next line. @throws {ConnectionClosedError} at the end of the stream */
  async line(): Promise<string> {
    const line = await this.#reader.line()
    if (line === null) throw new ConnectionClosedError('instead of an answer')
    return line
  }

  /**
   * One command of a line, and its final answer; untagged lines before it are left out.
   * @param tag '' on csync
   * @returns the text behind OK
   * @throws {PeerRefusalError}, {PeerGoneError}
   */
  plain(tag: string, command: string): Promise<string> {
    return this.guarded(async () => {
      await this.send(`${tag === '' ? '' : `${tag} `}${command}\r\n`)
      await this.flush()
      return this.answer(tag, command)
    })
  }

  /** Reads to the final answer of a command that was sent. @returns the text behind OK @throws as `plain` */
  async answer(tag: string, command: string): Promise<string> {
    for (;;) {
      const line = await this.line()
      if (tag !== '' && line.startsWith('* ')) continue
      return this.final(tag, command, line)
    }
  }

  /**
   * The untagged answers of a command that was sent, to its final one.
   * @throws as `plain`
   */
  async items(tag: string, command: string, sinks: FileSinks): Promise<WireItem[]> {
    const items: WireItem[] = []
    for (;;) {
      const word = await this.#reader.word()
      if (word === null) throw new ConnectionClosedError('instead of an answer')
      if (word !== '*') {
        this.final(tag, command, word + (await this.line()))
        return items
      }
      await this.#reader.blank()
      items.push(await this.#reader.item(sinks))
    }
  }

  /** What a final line says. @returns the text behind OK @throws as `plain` */
  final(tag: string, command: string, line: string): string {
    const stranger = (): PeerGoneError => new PeerGoneError(`${command}: not an answer: ${line.slice(0, 160)}`)
    if (tag !== '' && !line.startsWith(`${tag} `)) throw stranger()
    const [word, text] = split(tag === '' ? line : line.slice(tag.length + 1))
    if (/^OK$/i.test(word)) return text
    if (/^BYE$/i.test(word)) throw new PeerGoneError(`the replica says BYE ${text}`)
    if (!/^(?:NO|BAD)$/i.test(word)) throw stranger()
    const code = /^NO$/i.test(word) ? (/^[A-Z][A-Z_]+(?= |$)/.exec(text)?.[0] ?? '') : ''
    throw new PeerRefusalError(command, code, `${word} ${text}`)
  }

  /** Everything that makes the connection useless becomes a PeerGoneError, and ends it. */
  async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof PeerRefusalError) throw error
      this.connection.destroy()
      if (
        error instanceof ConnectionClosedError ||
        error instanceof TimeoutError ||
        error instanceof DlistSyntaxError ||
        error instanceof DlistTooBigError ||
        error instanceof ClientMechanismError
      ) {
        throw new PeerGoneError(error.message)
      }
      throw error
    }
  }
}

function split(line: string): [string, string] {
  const space = line.indexOf(' ')
  return space < 0 ? [line.trim(), ''] : [line.slice(0, space), line.slice(space + 1).trim()]
}
