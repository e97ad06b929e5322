/**
 * Reads dlist text as it comes (csync.md §2.5): give it what has arrived, it goes as far as it can and says what it needs – more text, the
 * bytes of a literal, or those of a file. Never looks at bytes twice except for a token cut off at the end of a chunk. Pure.
 */
import { type Dlist, DlistFile, DlistMap } from './dlist.js'

/** Text that is no dlist; the message says what was found. */
export class DlistSyntaxError extends Error {
  override name = 'DlistSyntaxError'
}

/** A value longer than the limits allow: the session ends, as Cyrus ends it. The message is what Cyrus says. */
export class DlistTooBigError extends Error {
  override name = 'DlistTooBigError'
}

/** Largest values read, in bytes (`maxliteral`, `maxquoted`, `maxword`). */
export interface DlistLimits {
  readonly literal: number
  readonly quoted: number
  readonly word: number
}

export const DEFAULT_LIMITS: DlistLimits = { literal: 131072, quoted: 131072, word: 131072 }

/** What the parser needs next. */
export type DlistNeed =
  | { readonly need: 'text' }
  | { readonly need: 'literal'; readonly size: number }
  | { readonly need: 'file'; readonly partition: string; readonly guid: string; readonly size: number }
  | { readonly need: 'nothing' }

const DEEPEST = 16
const TEXT: DlistNeed = { need: 'text' }
const NOTHING: DlistNeed = { need: 'nothing' }

const LITERAL = /\{(\d{1,10})\+?\}\r?\n/y
const FILE = /%\{("[^"\r\n]*"|[^\s"(){}%]+) +([0-9a-fA-F]{40}) +(\d{1,10})\}\r?\n/y
const WORD_END = /[\s()"]/g

interface Frame {
  readonly list: Dlist[] | undefined
  readonly map: DlistMap | undefined
  key: string | undefined
}

/** One `KEY value` with its line end. A new parser for each. */
export class DlistParser {
  /** position up to which the last `parse` has understood its text */
  at = 0
  key: string | undefined
  value: Dlist | undefined
  readonly #stack: Frame[] = []
  readonly #limits: DlistLimits
  #file: { partition: string; guid: string; size: number } | undefined

  constructor(limits: DlistLimits = DEFAULT_LIMITS) {
    this.#limits = limits
  }

  /**
   * Goes on from `text[at]`; afterwards `this.at` is where it stopped. When it needs text, call again with `text.slice(this.at)` and what came
   * after it, and at 0. When it needs bytes they start at `this.at`: take them away and call `literal` or `file` first.
   * @param ended no more text will come: an unfinished value is an error
   * @throws {DlistSyntaxError}, {DlistTooBigError}
   */
  parse(text: string, at: number): DlistNeed {
    this.at = at
    for (;;) {
      if (this.value !== undefined && this.#stack.length === 0) return this.#lineEnd(text)
      const need = this.#step(text)
      if (need !== undefined) return need
    }
  }

  /** Hands over the bytes of a literal. */
  literal(bytes: string): void {
    this.#take(bytes)
  }

  /** Hands over what became of a file's bytes. */
  file(content: unknown): void {
    const { partition, guid, size } = this.#file!
    this.#take(new DlistFile(partition, guid, size, content))
  }

  /** One token. @returns undefined to go on */
  #step(text: string): DlistNeed | undefined {
    let at = this.at
    let code = text.charCodeAt(at)
    while (code === 0x20 || code === 0x0d || code === 0x0a || code === 0x09) {
      // A line that ends before the value is there is incomplete; real servers wait for ever.
      if (code === 0x0a && this.#stack.length === 0) {
        this.at = at
        throw new DlistSyntaxError(this.key === undefined ? 'no name' : `no value after ${this.key}`)
      }
      code = text.charCodeAt(++at)
    }
    this.at = at
    if (Number.isNaN(code)) return TEXT
    const top = this.#stack.at(-1)
    switch (code) {
      case 0x28: // (
        this.#push({ list: [], map: undefined, key: undefined })
        this.at++
        return undefined
      case 0x29: // )
        if (top === undefined) throw new DlistSyntaxError('")" without "("')
        if (top.key !== undefined) throw new DlistSyntaxError(`no value after ${top.key}`)
        this.at++
        this.#stack.pop()
        this.#take(top.list ?? top.map!)
        return undefined
      case 0x25: // %
        return this.#percent(text)
      case 0x7b: // {
        return this.#literal(text)
      case 0x22: // "
        return this.#quoted(text)
      default:
        return this.#word(text)
    }
  }

  #percent(text: string): DlistNeed | undefined {
    const next = text.charCodeAt(this.at + 1)
    if (Number.isNaN(next)) return TEXT
    if (next === 0x28) {
      this.#push({ list: undefined, map: new DlistMap(), key: undefined })
      this.at += 2
      return undefined
    }
    if (next !== 0x7b) throw new DlistSyntaxError('"%" that begins neither "%(" nor "%{"')
    FILE.lastIndex = this.at
    const match = FILE.exec(text)
    if (match === null) return this.#incomplete(text, 'a file literal "%{partition guid size}"')
    this.at = FILE.lastIndex
    const size = Number(match[3])
    if (size > 0xffffffff) throw new DlistSyntaxError(`file of ${match[3]} bytes`)
    this.#file = { partition: match[1]!.replace(/^"|"$/g, ''), guid: match[2]!.toLowerCase(), size }
    return { need: 'file', ...this.#file }
  }

  #literal(text: string): DlistNeed | undefined {
    LITERAL.lastIndex = this.at
    const match = LITERAL.exec(text)
    if (match === null) return this.#incomplete(text, 'a literal "{size+}"')
    const size = Number(match[1])
    if (size > this.#limits.literal) throw new DlistTooBigError('[TOOBIG] Literal size exceeds fixed limit')
    this.at = LITERAL.lastIndex
    return { need: 'literal', size }
  }

  #quoted(text: string): DlistNeed | undefined {
    let end = this.at + 1
    let value = ''
    for (;;) {
      const code = text.charCodeAt(end)
      if (end - this.at > this.#limits.quoted) throw new DlistTooBigError('[TOOBIG] Quoted value too long')
      if (Number.isNaN(code)) return TEXT
      if (code === 0x22) break
      if (code === 0x0d || code === 0x0a) throw new DlistSyntaxError('a line end inside a quoted string')
      if (code === 0x5c) {
        if (end + 1 >= text.length) return TEXT
        if (/[\r\n]/.test(text[end + 1]!)) throw new DlistSyntaxError('a line end inside a quoted string')
        value += text[end + 1]
        end += 2
        continue
      }
      // everything up to the next special character at once
      const from = end
      do end++
      while (end < text.length && !isQuotedSpecial(text.charCodeAt(end)))
      value += text.slice(from, end)
    }
    this.at = end + 1
    this.#take(value)
    return undefined
  }

  #word(text: string): DlistNeed | undefined {
    WORD_END.lastIndex = this.at
    const match = WORD_END.exec(text)
    const end = match === null ? text.length : match.index
    if (end - this.at > this.#limits.word) throw new DlistTooBigError('[TOOBIG] Word too long')
    if (match === null) return TEXT
    const word = text.slice(this.at, end)
    this.at = end
    this.#take(word === 'NIL' ? null : word)
    return undefined
  }

  /** A token with a form of its own that is not all there: yet, or never. */
  #incomplete(text: string, what: string): DlistNeed {
    if (text.indexOf('\n', this.at) >= 0 || text.length - this.at > 1024)
      throw new DlistSyntaxError(`malformed ${what}`)
    return TEXT
  }

  #push(frame: Frame): void {
    if (this.key === undefined) throw new DlistSyntaxError('a list where a name should be')
    const top = this.#stack.at(-1)
    if (top?.map !== undefined && top.key === undefined) throw new DlistSyntaxError('a list where a key should be')
    if (this.#stack.length >= DEEPEST) throw new DlistSyntaxError(`lists more than ${DEEPEST} deep`)
    this.#stack.push(frame)
  }

  #take(value: Dlist): void {
    const top = this.#stack.at(-1)
    if (top === undefined) {
      if (this.key !== undefined) this.value = value
      else if (typeof value === 'string') this.key = value
      else throw new DlistSyntaxError('NIL where a name should be')
    } else if (top.list !== undefined) {
      top.list.push(value)
    } else if (top.key !== undefined) {
      top.map!.add(top.key, value)
      top.key = undefined
    } else if (typeof value === 'string') {
      top.key = value
    } else {
      throw new DlistSyntaxError('NIL where a key should be')
    }
  }

  #lineEnd(text: string): DlistNeed {
    while (text[this.at] === ' ' || text[this.at] === '\t') this.at++
    if (text[this.at] === '\r' && this.at + 1 < text.length) this.at++
    if (this.at >= text.length || (text[this.at] === '\r' && this.at + 1 === text.length)) return TEXT
    if (text[this.at] !== '\n') throw new DlistSyntaxError('something after the value')
    this.at++
    return NOTHING
  }
}

function isQuotedSpecial(code: number): boolean {
  return code === 0x22 || code === 0x5c || code === 0x0d || code === 0x0a
}
