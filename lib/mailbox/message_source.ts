/**
 * The bytes of one message for as long as one FETCH or SEARCH needs them: its summary from the index, its file opened only when
 * something asked for lies there. Small files are read whole, large ones piece by piece.
 */
import type { FileHandle } from 'node:fs/promises'
import { MessageCache, summarize } from '../message/summary.js'
import type { MailboxHeader, MailStore } from '../store/store.js'

const WHOLE_BELOW = 512 * 1024
const AHEAD_BELOW = 64 * 1024
const PIECE = 128 * 1024

export class MessageSource {
  #cache: MessageCache | undefined
  #whole: Buffer | undefined
  #ahead: Promise<Buffer> | undefined
  #file: FileHandle | undefined

  constructor(
    readonly store: MailStore,
    readonly mailbox: MailboxHeader,
    readonly uid: number,
    readonly size: number,
    cacheBytes: Buffer | undefined,
  ) {
    if (cacheBytes) this.#cache = readable(cacheBytes)
  }

  /** The summary; made from the file when the index has none. @throws {MessageFileError} */
  async cache(): Promise<MessageCache> {
    if (!this.#cache) {
      const stored = this.store.readCache(this.mailbox.id, this.uid)
      this.#cache =
        (stored && readable(stored)) ??
        new MessageCache(summarize(await this.store.readMessage(this.mailbox, this.uid)).cache)
    }
    return this.#cache
  }

  /** The summary if it is here already. */
  get cacheAtHand(): MessageCache | undefined {
    return this.#cache
  }

  /** Begins to read a small file that will be wanted soon. */
  readAhead(): void {
    if (this.size > AHEAD_BELOW || this.#whole || this.#ahead) return
    this.#ahead = this.store.readMessage(this.mailbox, this.uid, this.size)
    this.#ahead.catch(() => undefined) // told by open
  }

  /** Makes sure that the file can be read. @throws {MessageFileError} */
  async open(): Promise<void> {
    if (this.#whole || this.#file) return
    if (this.#ahead) this.#whole = await this.#ahead
    else if (this.size <= WHOLE_BELOW) this.#whole = await this.store.readMessage(this.mailbox, this.uid, this.size)
    else this.#file = await this.store.openMessage(this.mailbox, this.uid)
  }

  /** Bytes at once; for headers and the like. */
  async bytes(start: number, length: number): Promise<Buffer> {
    await this.open()
    if (this.#whole && start + length <= this.#whole.length) return this.#whole.subarray(start, start + length)
    const pieces: Buffer[] = []
    for await (const piece of this.pieces(start, length)) pieces.push(piece)
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /**
   * A range, piece by piece. Exactly `length` bytes come: if the file is shorter than its record says, blanks make up
   * for what is missing, since the literal was announced.
   */
  async *pieces(start: number, length: number): AsyncGenerator<Buffer> {
    await this.open()
    if (this.#whole) {
      const piece = this.#whole.subarray(start, start + length)
      if (piece.length > 0) yield piece
      if (piece.length < length) yield Buffer.alloc(length - piece.length, ' ')
      return
    }
    for (let at = 0; at < length; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE, length - at))
      const { bytesRead } = await this.#file!.read(piece, 0, piece.length, start + at)
      if (bytesRead === 0) {
        piece.fill(' ')
        at += piece.length
        yield piece
        continue
      }
      at += bytesRead
      yield piece.subarray(0, bytesRead)
    }
  }

  /** Whether there is NUL in a range. A large message is looked through only if it says that it is binary. @throws {MessageFileError} */
  async hasNul(start: number, length: number): Promise<boolean> {
    await this.open()
    if (this.#whole) return this.#whole.subarray(start, start + length).includes(0)
    if (!(await this.cache()).bodystructure.includes('"BINARY"')) return false
    for await (const piece of this.pieces(start, length)) if (piece.includes(0)) return true
    return false
  }

  /** Bytes of the file as it lies on disk. @throws {MessageFileError} */
  async fileSize(): Promise<number> {
    await this.open()
    return this.#whole ? this.#whole.length : (await this.#file!.stat()).size
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
    this.#whole = undefined
    this.#ahead = undefined
  }
}

/** A summary that can be read; a damaged one is made anew by whoever needs it. */
export function readable(bytes: Buffer): MessageCache | undefined {
  try {
    return new MessageCache(bytes)
  } catch {
    return undefined
  }
}
