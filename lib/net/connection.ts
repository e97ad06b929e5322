/**
 * One conversation over a socket, for servers and clients alike: lines, literals and dot-stuffed data in; a corked
 * writer with back-pressure out; TLS and DEFLATE put over it when asked. An idle connection holds no buffers. Reading
 * stops when much is buffered and nobody takes it, so a peer cannot fill our memory.
 *
 * One reader at a time. A socket error looks like the end of the stream to the reader; `error` tells the cause.
 */
import type net from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type tls from 'node:tls'
import type zlib from 'node:zlib'
import { flushDeflate, layerDeflate } from './deflate.js'
import { ConnectionClosedError, LineTooLongError, TimeoutError } from './errors.js'
import { InputBuffer } from './input_buffer.js'
import { OutputBuffer } from './output_buffer.js'
import {
  type Incoming,
  readBytes,
  readDotStuffed,
  readLine,
  readSome,
  readStream,
  type Sink,
  takeLine,
} from './reading.js'
import { secureSocket, type TlsSettings } from './secure.js'

export { ConnectionClosedError, LineTooLongError, TimeoutError, type TlsSettings }

const STOP_READING_ABOVE = 256 * 1024
const SEND_ABOVE = 64 * 1024
const LINGER_MS = 1000

export interface ConnectionOptions {
  /** Longest line in bytes, without its end; 65536 unless told. */
  maxLine?: number
  /** Seconds without any traffic, while we wait for the peer, after which reading or flushing throws; 0 for never. */
  idleTimeout?: number
}

export class Connection {
  /** The peer's address, `unix` for a local socket. */
  readonly remote: string
  /** Told of what came and what goes, deciphered and inflated; the bytes are its only until it returns. */
  tap: ((direction: 'in' | 'out', bytes: Buffer) => void) | undefined
  /** The socket error that ended the conversation, if one did. */
  error: Error | undefined

  #socket: net.Socket | tls.TLSSocket
  #source: Readable
  #sink: Writable
  #deflate: zlib.DeflateRaw | undefined
  readonly #input = new InputBuffer()
  readonly #incoming: Incoming
  readonly #output = new OutputBuffer()
  #wanted = 0
  #paused = false
  #ended = false
  #closed = false
  #sendScheduled = false
  #idleSeconds: number
  #maxLine: number
  #wakeReader: ((error?: Error) => void) | undefined
  #wakeFlusher: ((error?: Error) => void) | undefined

  constructor(socket: net.Socket, options: ConnectionOptions = {}) {
    this.#socket = socket
    this.#source = socket
    this.#sink = socket
    this.#maxLine = options.maxLine ?? 65536
    this.#idleSeconds = options.idleTimeout ?? 0
    this.remote = socket.remoteAddress ?? 'unix'
    const connection = this
    this.#incoming = {
      buffer: this.#input,
      get ended() {
        return connection.#ended
      },
      get error() {
        return connection.error
      },
      more: (wanted) => this.#moreInput(wanted),
      taken: () => this.#resumeIfLow(),
    }
    socket.setNoDelay(true)
    this.#adoptSocket(socket)
    this.#listen(socket)
  }

  get socket(): net.Socket | tls.TLSSocket {
    return this.#socket
  }

  /** Whether nothing more can be sent: we closed it, or the peer is gone altogether. */
  get closed(): boolean {
    return this.#closed
  }

  /** Whether the peer has ended its side and everything from it was taken. */
  get ended(): boolean {
    return this.#ended && this.#input.length === 0
  }

  /** Whether the peer takes less than we write: flush before writing more. */
  get congested(): boolean {
    return this.#sink.writableNeedDrain || this.#socket.writableNeedDrain
  }

  /** Bytes from the peer that wait to be read. */
  get buffered(): number {
    return this.#input.length
  }

  /** Seconds, 0 for never; may change during a conversation. */
  set idleTimeout(seconds: number) {
    this.#idleSeconds = seconds
    this.#socket.setTimeout(0)
  }

  /** Longest line in bytes; may change during a conversation. */
  set maxLine(bytes: number) {
    this.#maxLine = bytes
  }

  /** A complete line already here, without CRLF (a bare LF is accepted). @throws {LineTooLongError} */
  tryReadLine(): Buffer | undefined {
    return takeLine(this.#incoming, this.#maxLine)
  }

  /**
   * The next line without its CRLF or LF; null at the end of the stream (an unfinished last line is dropped).
   * @throws {LineTooLongError} after the rest of that line was skipped; reading may go on
   * @throws {TimeoutError}
   */
  readLine(): Promise<Buffer | null> {
    return readLine(this.#incoming, this.#maxLine)
  }

  /** Exactly n bytes, held in memory. @throws {ConnectionClosedError} if the stream ends before, {TimeoutError} */
  readBytes(n: number): Promise<Buffer> {
    return readBytes(this.#incoming, n)
  }

  /** What has come and was not taken, one chunk of it; waits only when there is none; empty at the end of the stream. @throws {TimeoutError} */
  readSome(): Promise<Buffer> {
    return readSome(this.#incoming)
  }

  /**
   * Exactly n bytes, handed on as they come; no more is read while the sink's promise is pending.
   * @throws {ConnectionClosedError} if the stream ends before, {TimeoutError}, and what the sink throws
   */
  readStream(n: number, sink: Sink): Promise<void> {
    return readStream(this.#incoming, n, sink)
  }

  /**
   * Dot-stuffed data up to and with its "." line (LMTP DATA, POP, NNTP), dots undone.
   * @param limit bytes handed to the sink at most, 0 for no limit; what is above is read and dropped
   * @throws {ConnectionClosedError} if the stream ends before, {TimeoutError}, and what the sink throws
   */
  readDotStuffed(sink: Sink, limit = 0): Promise<{ tooBig: boolean; size: number }> {
    return readDotStuffed(this.#incoming, sink, limit)
  }

  /** Adds to what is sent at the next flush, or by itself when this turn of the event loop ends. Text goes as UTF-8. */
  write(data: Buffer | string): void {
    if (this.#closed) return
    this.#output.add(data)
    this.#added()
  }

  /** As `write`, for a text of which each character is one byte. */
  writeLatin1(text: string): void {
    if (this.#closed) return
    this.#output.addLatin1(text)
    this.#added()
  }

  /** As `write`, for bytes that will not last: they are copied. */
  writeCopy(data: Buffer, start: number, end: number): void {
    if (this.#closed) return
    this.#output.addCopy(data, start, end)
    this.#added()
  }

  #added(): void {
    if (this.#output.length >= SEND_ABOVE) {
      this.#send()
    } else if (!this.#sendScheduled) {
      this.#sendScheduled = true
      setImmediate(() => {
        this.#sendScheduled = false
        this.#send()
      })
    }
  }

  /**
   * Sends what was written; resolves when the peer's window took it, or nearly all of it.
   * @throws {ConnectionClosedError} when nothing can be sent any more, {TimeoutError} when the peer takes nothing
   */
  async flush(): Promise<void> {
    this.#send()
    if (this.#closed) throw new ConnectionClosedError('while sending', this.error)
    while (this.congested) {
      if (this.#closed) throw new ConnectionClosedError('while sending', this.error)
      await this.#drained()
    }
  }

  /**
   * Puts TLS over the conversation. Anything buffered from before is dropped (no injected plain text survives).
   * @throws the handshake's error; the connection is closed then
   */
  async startTls(settings: TlsSettings, role: 'server' | 'client'): Promise<void> {
    await this.flush()
    const plain = this.#socket
    this.#forget(plain)
    this.#input.clear()
    try {
      const secured = await secureSocket(plain, settings, role)
      this.#socket = secured
      this.#source = secured
      this.#sink = secured
      this.#adoptSocket(secured)
      this.#listen(secured)
    } catch (error) {
      this.#finish(error as Error)
      throw error
    }
  }

  /** Compresses both directions from the next byte on (RFC 4978). */
  startDeflate(): void {
    this.#send()
    const early = this.#input.take(this.#input.length)
    const socket = this.#socket
    socket.removeAllListeners('data')
    socket.removeAllListeners('end')
    const { inflate, deflate } = layerDeflate(socket)
    inflate.on('error', (error) => this.#finish(error))
    deflate.on('error', (error) => this.#finish(error))
    this.#source = inflate
    this.#sink = deflate
    this.#deflate = deflate
    this.#paused = false
    this.#listen(inflate)
    deflate.on('drain', () => this.#wakeFlusher?.())
    if (early.length > 0) inflate.write(early)
  }

  /** Sends what was written, ends our side, and lets the socket go once the peer has ended its side or a second is over. */
  close(): void {
    if (this.#closed) return
    this.#send()
    this.#closed = true
    const socket = this.#socket
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.on('end', () => socket.destroySoon())
    if (this.#deflate) this.#deflate.end()
    else socket.end()
    if (this.#ended) socket.destroySoon()
    this.#input.clear()
    this.#source.removeAllListeners('data')
    this.#source.resume()
    this.#ended = true
    this.#wake()
  }

  /** Drops the connection at once, unsent answers with it. */
  destroy(): void {
    this.#socket.destroy()
    this.#finish()
  }

  #adoptSocket(socket: net.Socket): void {
    socket.allowHalfOpen = true // answers to pipelined commands still go out after the peer has ended its side
    socket.on('error', (error) => this.#finish(error))
    socket.on('close', () => this.#finish())
    socket.on('drain', () => this.#wakeFlusher?.())
    socket.on('timeout', () => {
      const error = new TimeoutError(this.#idleSeconds)
      this.#wakeReader?.(error)
      this.#wakeFlusher?.(error)
    })
  }

  #listen(source: Readable): void {
    source.on('data', (chunk: Buffer) => {
      this.tap?.('in', chunk)
      this.#input.push(chunk)
      if (this.#input.length > STOP_READING_ABOVE && this.#input.length >= this.#wanted) {
        this.#paused = true
        source.pause()
      }
      if (this.#input.length >= this.#wanted) this.#wakeReader?.()
    })
    source.on('end', () => {
      this.#ended = true
      this.#wakeReader?.()
    })
  }

  #forget(socket: net.Socket): void {
    for (const event of ['data', 'end', 'error', 'close', 'drain', 'timeout']) socket.removeAllListeners(event)
    socket.setTimeout(0)
    socket.on('error', () => undefined)
  }

  #finish(error?: Error): void {
    this.error ??= error
    this.#closed = true
    this.#ended = true
    if (error) this.#socket.destroy()
    this.#wake()
  }

  #wake(): void {
    this.#wakeReader?.()
    this.#wakeFlusher?.()
  }

  #resumeIfLow(): void {
    if (!this.#paused || this.#input.length > STOP_READING_ABOVE / 2) return
    this.#paused = false
    this.#source.resume()
  }

  #send(): void {
    if (this.#output.length === 0 || this.#closed) return
    const pieces = this.#output.takeAll()
    if (pieces.length > 1) this.#sink.cork()
    for (const piece of pieces) {
      this.tap?.('out', piece)
      this.#sink.write(piece)
    }
    if (pieces.length > 1) this.#sink.uncork()
    if (this.#deflate) void flushDeflate(this.#deflate)
  }

  /** Waits until `wanted` bytes are buffered in all, or the stream has ended. */
  #moreInput(wanted: number): Promise<void> {
    this.#wanted = wanted
    if (this.#paused) {
      this.#paused = false
      this.#source.resume()
    }
    return this.#wait((wake) => {
      this.#wakeReader = wake
    }).finally(() => {
      this.#wanted = 0
    })
  }

  #drained(): Promise<void> {
    return this.#wait((wake) => {
      this.#wakeFlusher = wake
    })
  }

  #wait(setWake: (wake: ((error?: Error) => void) | undefined) => void): Promise<void> {
    this.#socket.setTimeout(this.#idleSeconds * 1000)
    return new Promise((resolve, reject) => {
      setWake((error) => {
        setWake(undefined)
        if (error) reject(error)
        else resolve()
      })
    })
  }
}
