/**
 * The MIME fields of an entity's header: Content-Type, Content-Disposition with their parameters (RFC 2045 §5.1,
 * RFC 2183, RFC 2231 continuations joined), Content-Transfer-Encoding, Content-Language. Malformed ones are taken or
 * dropped as Cyrus does. Values are latin1 text. Pure.
 */
import { joinContinuations } from './continuations.js'

export interface Parameter {
  /** Upper case, with a `*` at its end when the value is in RFC 2231's extended form. */
  readonly name: string
  readonly value: string
}

export interface TypedValue {
  /** Upper case. */
  readonly type: string
  readonly parameters: Parameter[]
}

const TOKEN = /[^\x00-\x20\x7f-\xff()<>@,;:\\"/[\]?=]*/y
const LOOSE_VALUE = /(?:[^\x00-\x08\x0b-\x1f;(\n]|\r\n[ \t])*/y

/** Reads on through a field's value; `at` is -1 once its end was met (the end of the text, or a line not continued). */
class Cursor {
  at = 0
  constructor(readonly text: string) {
    this.skipSpace()
  }

  get ended(): boolean {
    return this.at === -1
  }

  peek(): string | undefined {
    return this.at === -1 ? undefined : this.text[this.at]
  }

  /** Skips blanks, folds and comments. */
  skipSpace(): void {
    const { text } = this
    let depth = 0
    if (this.at === -1) return
    while (this.at < text.length) {
      const char = text[this.at]!
      if (char === '\n') {
        const next = text[this.at + 1]
        if (next !== ' ' && next !== '\t') break
      } else if (char === '\\' && depth > 0) {
        this.at += 1
      } else if (char === '(') {
        depth += 1
      } else if (char === ')' && depth > 0) {
        depth -= 1
      } else if (depth === 0 && !/[ \t\r\v\f]/.test(char)) {
        if (char === '\0') break
        return
      }
      this.at += 1
    }
    this.at = -1
  }

  /** A token; empty when there is none. */
  token(): string {
    TOKEN.lastIndex = this.at
    const token = TOKEN.exec(this.text)![0]
    this.at += token.length
    return token
  }

  /** Goes past the next `;` of this line. */
  skipParameter(): void {
    const { text } = this
    while (this.at < text.length && !';\r\n'.includes(text[this.at]!)) this.at += 1
    if (text[this.at] === ';') this.at += 1
  }

  /** A quoted string with its quotes undone, or whatever stands there up to `;`. Undefined when a quote never closes. */
  value(): string | undefined {
    const { text } = this
    if (text[this.at] !== '"') {
      LOOSE_VALUE.lastIndex = this.at
      const raw = LOOSE_VALUE.exec(text)![0]
      const value = raw.replace(/[ \t\r\n]+$/, '')
      this.at += value.length
      return value
    }
    let value = ''
    for (let at = this.at + 1; at < text.length; at += 1) {
      const char = text[at]!
      if (char === '"') {
        this.at = at + 1
        return value
      }
      if (char === '\\') {
        at += 1
        value += text[at] ?? ''
      } else if (char === '\r' || char === '\n') {
        const lf = char === '\r' ? at + 1 : at
        if (text[lf] !== '\n' || (text[lf + 1] !== ' ' && text[lf + 1] !== '\t')) return undefined
        at = lf
      } else {
        value += char
      }
    }
    return undefined
  }
}

const MAX_PARAMETERS = 1000

function parameters(cursor: Cursor): Parameter[] {
  const found: Parameter[] = []
  while (found.length < MAX_PARAMETERS) {
    cursor.skipSpace()
    if (cursor.ended) break
    const name = cursor.token()
    cursor.skipSpace()
    if (cursor.ended) break
    if (cursor.peek() !== '=') {
      cursor.skipParameter()
      continue
    }
    cursor.at += 1
    cursor.skipSpace()
    if (cursor.ended) break
    const value = cursor.value()
    if (value === undefined) break
    cursor.skipSpace()
    if (!cursor.ended && cursor.peek() !== ';') {
      cursor.skipParameter()
      continue
    }
    found.push({ name: name.toUpperCase(), value })
    if (cursor.ended) break
    cursor.at += 1
  }
  return joinContinuations(found)
}

/** Content-Type's value. @returns undefined when it is blank or does not name a type and a subtype */
export function parseContentType(text: string): (TypedValue & { subtype: string }) | undefined {
  const cursor = new Cursor(text)
  if (cursor.ended) return undefined
  const type = cursor.token()
  cursor.skipSpace()
  if (cursor.peek() !== '/') return undefined
  cursor.at += 1
  cursor.skipSpace()
  if (cursor.ended) return undefined
  const subtype = cursor.token()
  cursor.skipSpace()
  if (!cursor.ended && cursor.peek() !== ';') return undefined
  if (!cursor.ended) cursor.at += 1
  return { type: type.toUpperCase(), subtype: subtype.toUpperCase(), parameters: parameters(cursor) }
}

/** Content-Disposition's value. @returns undefined when it is blank or malformed */
export function parseDisposition(text: string): TypedValue | undefined {
  const cursor = new Cursor(text)
  if (cursor.ended) return undefined
  const type = cursor.token()
  cursor.skipSpace()
  if (!cursor.ended && cursor.peek() !== ';') return undefined
  if (!cursor.ended) cursor.at += 1
  return { type: type.toUpperCase(), parameters: parameters(cursor) }
}

/** Content-Transfer-Encoding's value in upper case. @returns undefined when it is blank or malformed */
export function parseEncoding(text: string): string | undefined {
  const cursor = new Cursor(text)
  if (cursor.ended) return undefined
  const token = cursor.token()
  cursor.skipSpace()
  return cursor.ended ? token.toUpperCase() : undefined
}

/** Content-Language's tags in upper case (RFC 3282); what follows a malformed one is dropped. */
export function parseLanguages(text: string): string[] {
  const cursor = new Cursor(text)
  const tags: string[] = []
  while (!cursor.ended) {
    const tag = /^[A-Za-z-]*/.exec(text.slice(cursor.at, cursor.at + 100))![0]
    cursor.at += tag.length
    const next = cursor.peek()
    if (next !== undefined && !/[ \t\r\n,(]/.test(next)) break
    cursor.skipSpace()
    if (!cursor.ended && cursor.peek() !== ',') break
    tags.push(tag.toUpperCase())
    if (cursor.ended) break
    cursor.at += 1
    cursor.skipSpace()
  }
  return tags
}
