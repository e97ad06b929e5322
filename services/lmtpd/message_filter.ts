/**
 * What lmtpd does to a message on its way to disk: its own headers in front; Return-Path of others out; Message-ID and Date added where they
 * are missing; every line end made CRLF; lone CRs of the body dropped; 8-bit characters of headers made X (`munge8bit`). It streams: no more
 * than an unfinished header line is held. Mirrors Cyrus 3.6.1, whose answers to bad messages it gives. Pure.
 */

const CR = 13
const LF = 10
const CRLF = Buffer.from('\r\n')

/** Longest header line taken, bytes. Cyrus has no limit but memory. */
const LONGEST_HEADER_LINE = 1024 * 1024

/** Why a message is not taken. */
export type MessageProblem = 'nul' | 'header' | '8bit'

export interface FilterOptions {
  /** header lines put in front, each with its CRLF */
  readonly prefix: string
  /** value of an added Message-ID */
  readonly messageId: () => string
  /** value of an added Date */
  readonly date: string
  /** 8-bit characters in headers: made X, refused, or kept */
  readonly eightBit: 'munge' | 'reject' | 'keep'
}

export class MessageFilter {
  readonly #options: FilterOptions
  readonly #out: (chunk: Buffer) => void
  #inHeader = true
  #pending: Buffer = Buffer.alloc(0)
  #heldCr = false
  #skipping = false
  #fields = 0
  #inMessageId = false
  #messageId: string | undefined
  #hasDate = false
  #problem: MessageProblem | undefined

  /** @param out gets the message to be stored, chunk by chunk */
  constructor(options: FilterOptions, out: (chunk: Buffer) => void) {
    this.#options = options
    this.#out = out
    out(Buffer.from(options.prefix, 'latin1'))
  }

  /** The message's id, known at the end. */
  get messageId(): string {
    return this.#messageId?.trim() ?? ''
  }

  /** What is wrong with the message so far. Nothing more is put out then. */
  get problem(): MessageProblem | undefined {
    return this.#problem
  }

  /** Takes the next bytes, dot-stuffing undone. */
  write(chunk: Buffer): void {
    if (this.#problem !== undefined || chunk.length === 0) return
    if (chunk.includes(0)) {
      this.#problem = 'nul'
      return
    }
    if (this.#inHeader) this.#header(chunk, false)
    else this.#body(chunk)
  }

  /** The end of the message. @returns what is wrong with it, if anything */
  finish(): MessageProblem | undefined {
    if (this.#problem === undefined && this.#inHeader) {
      this.#header(Buffer.alloc(0), true)
      if (this.#inHeader && this.#problem === undefined) this.#completeHeader()
    }
    return this.#problem
  }

  /** Header lines end with CRLF, LF or CR; all are put out with CRLF. */
  #header(chunk: Buffer, last: boolean): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    let at = 0
    while (this.#inHeader && this.#problem === undefined) {
      const end = lineEnd(bytes, at)
      if (end === -1 || (bytes[end] === CR && end + 1 === bytes.length && !last)) break
      const line = bytes.subarray(at, end)
      at = bytes[end] === CR && bytes[end + 1] === LF ? end + 2 : end + 1
      this.#headerLine(line)
    }
    if (this.#problem !== undefined) return
    const rest = bytes.subarray(at)
    if (!this.#inHeader) {
      this.#pending = Buffer.alloc(0)
      this.#body(rest)
    } else if (last) {
      this.#pending = Buffer.alloc(0)
      if (rest.length > 0) this.#headerLine(rest)
    } else {
      this.#pending = Buffer.from(rest)
      if (rest.length > LONGEST_HEADER_LINE) this.#problem = 'header'
    }
  }

  #headerLine(line: Buffer): void {
    if (line.length === 0) {
      this.#completeHeader()
      if (this.#problem !== undefined) return
      this.#inHeader = false
      this.#out(CRLF)
      return
    }
    const folded = line[0] === 0x20 || line[0] === 0x09
    if (folded) {
      if (this.#fields === 0) {
        this.#problem = 'header'
        return
      }
    } else {
      const name = /^([!-9;-~]+)[ \t]*:/.exec(line.toString('latin1'))
      if (name === null) {
        this.#problem = 'header'
        return
      }
      this.#fields++
      this.#skipping = /^return-path$/i.test(name[1]!)
      this.#inMessageId = this.#messageId === undefined && /^message-id$/i.test(name[1]!)
      if (/^date$/i.test(name[1]!)) this.#hasDate = true
      if (this.#inMessageId) this.#messageId = line.toString('latin1', name[0].length)
    }
    if (folded && this.#inMessageId) this.#messageId += line.toString('latin1')
    if (this.#skipping) return
    this.#out(this.#sevenBit(line))
    if (this.#problem === undefined) this.#out(CRLF)
  }

  #sevenBit(line: Buffer): Buffer {
    const { eightBit } = this.#options
    if (eightBit === 'keep' || !line.some((byte) => byte >= 0x80)) return line
    if (eightBit === 'munge') return line.map((byte) => (byte >= 0x80 ? 0x58 : byte)) as Buffer
    this.#problem = '8bit'
    return Buffer.alloc(0)
  }

  /** Adds what a message must have. An empty Message-ID makes it invalid. */
  #completeHeader(): void {
    if (this.#messageId !== undefined && this.#messageId.trim() === '') {
      this.#problem = 'header'
      return
    }
    if (this.#messageId === undefined) {
      this.#messageId = this.#options.messageId()
      this.#out(Buffer.from(`Message-ID: ${this.#messageId}\r\n`))
    }
    if (!this.#hasDate) this.#out(Buffer.from(`Date: ${this.#options.date}\r\n`))
  }

  /** Body: LF becomes CRLF, CRs that no LF follows vanish. Clean chunks go through as they are. */
  #body(chunk: Buffer): void {
    let bytes = chunk
    if (this.#heldCr && chunk[0] === LF) this.#out(CRLF.subarray(0, 1))
    const startsAfterCr = this.#heldCr
    if (chunk.length > 0) this.#heldCr = false
    if (bytes[bytes.length - 1] === CR) {
      this.#heldCr = true
      bytes = bytes.subarray(0, -1)
    }
    if (bytes.length === 0) return
    this.#out(isClean(bytes, startsAfterCr) ? bytes : cleaned(bytes, startsAfterCr))
  }
}

function lineEnd(bytes: Buffer, from: number): number {
  const lf = bytes.indexOf(LF, from)
  const cr = bytes.indexOf(CR, from)
  return cr === -1 || (lf !== -1 && lf < cr) ? lf : cr
}

/** Whether every LF has its CR and every CR its LF. */
function isClean(bytes: Buffer, startsAfterCr: boolean): boolean {
  for (let lf = bytes.indexOf(LF); lf !== -1; lf = bytes.indexOf(LF, lf + 1)) {
    if (lf === 0 ? !startsAfterCr : bytes[lf - 1] !== CR) return false
  }
  for (let cr = bytes.indexOf(CR); cr !== -1; cr = bytes.indexOf(CR, cr + 1)) if (bytes[cr + 1] !== LF) return false
  return true
}

function cleaned(bytes: Buffer, startsAfterCr: boolean): Buffer {
  const out = Buffer.alloc(bytes.length * 2)
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === CR) continue
    if (byte === LF && !(at === 0 && startsAfterCr)) out[length++] = CR
    out[length++] = byte
  }
  return out.subarray(0, length)
}
