/**
 * Reads the arguments of one IMAP command (RFC 3501 §9). The bytes are the whole command as it came, literals and all
 * (`… {5}\r\nhello …`), without the last CRLF. Takes what Cyrus takes where that is more than the grammar. Pure.
 */

import { parseSequenceSet, SAVED_RESULT, type SequenceSet } from './sequence_set.js'
import { ImapSyntaxError } from './syntax_error.js'

const SP = 32
const OPEN = 40
const CLOSE = 41
const QUOTE = 34
const BACKSLASH = 92
const BRACE = 123
const CR = 13
const LF = 10

function table(exclude: string, alsoAllow = ''): Uint8Array {
  const allowed = new Uint8Array(256)
  for (let code = 33; code < 127; code += 1) allowed[code] = exclude.includes(String.fromCharCode(code)) ? 0 : 1
  for (const char of alsoAllow) allowed[char.charCodeAt(0)] = 1
  return allowed
}

const DIGIT = (byte: number): boolean => byte >= 48 && byte <= 57
const ATOM = table('(){%*"\\]')
const ASTRING = table('(){%*"\\')
const LIST_MAILBOX = table('(){"\\')
const LETTERS = table('(){%*"\\]<>[')
const TAG = table('(){%*"\\+')

/** Longest quoted string; longer ones must be literals (Cyrus: `maxquoted`). */
const MAX_QUOTED = 131072
/** Deepest nesting of lists that any command of ours takes. */
export const MAX_NESTING = 64

export class ArgumentReader {
  #at: number
  /** The command's name as its errors show it: `Fetch`. */
  command = 'command'

  constructor(
    readonly bytes: Buffer,
    start = 0,
  ) {
    this.#at = start
  }

  get offset(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at >= this.bytes.length
  }

  /** @throws {ImapSyntaxError} always */
  fail(problem: string, detail = ''): never {
    throw new ImapSyntaxError(problem, this.#at + 1, detail)
  }

  #missing(): never {
    return this.fail(`Missing required argument to ${this.command}`)
  }

  /** The next byte as a character, '' at the end. */
  peek(): string {
    return this.atEnd ? '' : String.fromCharCode(this.bytes[this.#at]!)
  }

  /** Takes a character if it is the next one. */
  tryChar(char: string): boolean {
    if (this.bytes[this.#at] !== char.charCodeAt(0)) return false
    this.#at += 1
    return true
  }

  /** Takes the space before an argument. @throws {ImapSyntaxError} when there is none */
  space(): void {
    if (this.bytes[this.#at] !== SP) this.#missing()
    this.#at += 1
  }

  /** Everything that is left, as it is. */
  remaining(): Buffer {
    const rest = this.bytes.subarray(this.#at)
    this.#at = this.bytes.length
    return rest
  }

  /** Nothing may follow. @throws {ImapSyntaxError} */
  end(): void {
    if (!this.atEnd) this.fail(`Unexpected extra arguments to ${this.command}`)
  }

  #word(allowed: Uint8Array): string {
    const start = this.#at
    while (this.#at < this.bytes.length && allowed[this.bytes[this.#at]!] === 1) this.#at += 1
    return this.bytes.toString('latin1', start, this.#at)
  }

  /** A command's tag; empty when there is none. */
  tag(): string {
    return this.#word(TAG)
  }

  /** An atom. @throws {ImapSyntaxError} when there is none */
  atom(): string {
    const word = this.#word(ATOM)
    return word === '' ? this.#missing() : word
  }

  /** A word of letters, digits, dots and dashes, in upper case; '' when there is none. Stops before `[` and `<`. */
  keyword(): string {
    return this.#word(LETTERS).toUpperCase()
  }

  /** An atom (which may hold `]`), a quoted string or a literal, as bytes. */
  astring(): Buffer {
    return this.#stringOr(ASTRING)
  }

  /** As `astring`, but an atom may hold the wildcards of LIST. */
  listMailbox(): Buffer {
    return this.#stringOr(LIST_MAILBOX)
  }

  #stringOr(allowed: Uint8Array): Buffer {
    const string = this.#tryString()
    if (string) return string
    const start = this.#at
    // 8-bit in an atom is no grammar, but clients that send raw UTF-8 names get an answer about the name
    while (this.#at < this.bytes.length) {
      const byte = this.bytes[this.#at]!
      if (allowed[byte] !== 1 && byte < 128) break
      this.#at += 1
    }
    if (this.#at === start) this.#missing()
    return this.bytes.subarray(start, this.#at)
  }

  /** A mailbox name as it was sent, latin1 (one character a byte); INBOX in any case becomes INBOX. */
  mailbox(): string {
    const name = this.astring().toString('latin1')
    return /^inbox$/i.test(name) ? 'INBOX' : name
  }

  /** A quoted string or a literal; undefined when neither begins here. */
  #tryString(): Buffer | undefined {
    const byte = this.bytes[this.#at]
    if (byte === QUOTE) return this.#quoted()
    return byte === BRACE ? this.#literal() : undefined
  }

  #quoted(): Buffer {
    const { bytes } = this
    const start = this.#at + 1
    let escaped = false
    for (let at = start; at < bytes.length && at - start <= MAX_QUOTED; at += 1) {
      const byte = bytes[at]!
      if (byte === QUOTE) {
        this.#at = at + 1
        const raw = bytes.subarray(start, at)
        return escaped ? unescaped(raw) : raw
      }
      if (byte === BACKSLASH) {
        escaped = true
        at += 1
      } else if (byte === CR || byte === LF || byte === 0) {
        break
      }
    }
    return this.fail(`Missing required argument to ${this.command}`, 'the quoted string that begins here does not end')
  }

  #literal(): Buffer {
    const header = literalHeader(this.bytes, this.#at)
    if (!header || header.end + header.size > this.bytes.length)
      return this.fail(`Missing required argument to ${this.command}`, 'a literal is not complete')
    this.#at = header.end + header.size
    return this.bytes.subarray(header.end, this.#at)
  }

  /** The announcement of a literal that was not read with the command (a message to be appended). */
  literalAnnouncement(): { size: number; synchronizing: boolean } | undefined {
    const header = literalHeader(this.bytes, this.#at)
    if (!header || header.end < this.bytes.length) return undefined
    this.#at = header.end
    return header
  }

  /** A number of RFC 3501: 0 to 4294967295. */
  number(problem = `Missing required argument to ${this.command}`): number {
    const start = this.#at
    let value = 0
    while (this.#at < this.bytes.length && this.#at - start < 11) {
      const digit = this.bytes[this.#at]! - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      this.#at += 1
    }
    if (this.#at === start || value > 4294967295) {
      this.#at = start
      this.fail(problem, 'a number up to 4294967295 is wanted')
    }
    return value
  }

  /** A mod-sequence of RFC 7162: 0 to 9223372036854775807; those beyond 2^53, which no mailbox reaches, lose their last digits. */
  modseq(problem = `Missing required argument to ${this.command}`): number {
    const start = this.#at
    while (this.#at - start < 20 && this.#at < this.bytes.length && DIGIT(this.bytes[this.#at]!)) this.#at += 1
    const text = this.bytes.toString('latin1', start, this.#at)
    if (text === '' || text.length > 19 || (text.length === 19 && text > '9223372036854775807')) {
      this.#at = start
      this.fail(problem, 'a mod-sequence is wanted')
    }
    return Number(text)
  }

  /** A sequence set; `$` is SAVED_RESULT. @throws {ImapSyntaxError} */
  sequenceSet(): SequenceSet {
    const start = this.#at
    const text = this.bytes.toString('latin1', start, this.#wordEnd())
    if (text === '$') {
      this.#at += 1
      return SAVED_RESULT
    }
    if (text === '') this.#missing()
    this.#at += text.length
    return parseSequenceSet(text, start + 1, `Invalid sequence in ${this.command}`)
  }

  #wordEnd(): number {
    let end = this.#at
    while (
      end < this.bytes.length &&
      !(this.bytes[end] === SP || this.bytes[end] === OPEN || this.bytes[end] === CLOSE)
    )
      end += 1
    return end
  }

  /** Opens a list. @throws {ImapSyntaxError} */
  open(): void {
    if (!this.tryChar('(')) this.#missing()
  }

  /** Closes a list. @throws {ImapSyntaxError} */
  close(): void {
    if (!this.tryChar(')')) this.fail(`Missing close parenthesis in ${this.command}`)
  }

  /** A parenthesised list of things, possibly empty. */
  list<T>(item: () => T): T[] {
    const items: T[] = []
    this.open()
    if (this.tryChar(')')) return items
    for (;;) {
      items.push(item())
      if (!this.tryChar(' ')) break
    }
    this.close()
    return items
  }

  /** One flag, `\Seen` or a keyword, as written. */
  flag(problem: string): string {
    const slash = this.tryChar('\\') ? '\\' : ''
    const word = this.#word(ATOM)
    return word === '' ? this.fail(problem, 'a flag is wanted') : slash + word
  }
}

function unescaped(raw: Buffer): Buffer {
  const out = Buffer.allocUnsafe(raw.length)
  let length = 0
  for (let at = 0; at < raw.length; at += 1) {
    if (raw[at] === BACKSLASH && at + 1 < raw.length) at += 1
    out[length++] = raw[at]!
  }
  return out.subarray(0, length)
}

/** `{n}` or `{n+}` with its CRLF at an offset. @returns undefined when none stands there; `end` is where its bytes begin */
export function literalHeader(
  bytes: Buffer,
  at: number,
): { size: number; synchronizing: boolean; end: number } | undefined {
  const match = /^\{(\d{1,10})(\+?)\}\r\n/.exec(bytes.toString('latin1', at, at + 16))
  if (!match) return undefined
  return { size: Number(match[1]), synchronizing: match[2] === '', end: at + match[0].length }
}

/** The literal that a line (without its CRLF) announces at its end; undefined when it announces none. */
export function announcedLiteral(line: Buffer): { size: number; synchronizing: boolean } | undefined {
  if (line[line.length - 1] !== 125) return undefined
  const match = /\{(\d{1,10})(\+?)\}$/.exec(line.toString('latin1', Math.max(0, line.length - 14)))
  return match ? { size: Number(match[1]), synchronizing: match[2] === '' } : undefined
}
