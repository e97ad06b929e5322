/**
 * The MIME tree of a message (RFC 2045–2046) by offsets into it. Takes any bytes: missing boundaries, bare LF, NUL,
 * 8-bit headers, no blank line; and bounds what hostile ones cost (depth, parts, header text, boundary comparisons),
 * treating what lies beyond a bound as plain content. Follows Cyrus' reading of broken messages. Pure, never throws.
 */
import {
  type Parameter,
  parseContentType,
  parseDisposition,
  parseEncoding,
  parseLanguages,
  type TypedValue,
} from './content_fields.js'
import { decodeHeader } from './encoded_words.js'
import { type HeaderField, headerFields, unfolded } from './header_fields.js'

export interface Entity {
  /** Header block with its closing empty line. */
  readonly headerStart: number
  readonly headerSize: number
  readonly bodyStart: number
  bodySize: number
  /** The header block's text, latin1; cut off at a bound that `headerCut` tells of. */
  readonly header: string
  readonly headerCut: boolean
  readonly fields: HeaderField[]
  /** Upper case. */
  readonly type: string
  readonly subtype: string
  readonly parameters: Parameter[]
  readonly encoding: string | undefined
  readonly disposition: TypedValue | undefined
  readonly languages: string[]
  /** A multipart's parts; of message/rfc822 the one message in it. */
  readonly children: Entity[]
}

/** What one message may cost. The first two are Cyrus' figures (boundary_limit, maxheaderlines). */
const MAX_DEPTH = 1000
const MAX_HEADER_FIELDS = 1000
const MAX_HEADER_TEXT = 256 * 1024
const MAX_PARTS = 10_000
const MAX_COMPARISONS = 500_000

const LF = 10
const CR = 13
const DASH = 45
const LF_DASH_DASH = Buffer.from('\n--')

const TEXT_PLAIN = parseContentType('TEXT/PLAIN; CHARSET=us-ascii')!
const MESSAGE_RFC822 = parseContentType('MESSAGE/RFC822')!

/** Whether an entity is a message with a message in it (Cyrus 3.6 takes message/global for no such thing). */
export function isMessage(entity: Entity): boolean {
  return entity.type === 'MESSAGE' && entity.subtype === 'RFC822'
}

/** The last field of a name, as Cyrus takes it; undefined when there is none. */
export function lastField(entity: Entity, name: string): HeaderField | undefined {
  for (let i = entity.fields.length - 1; i >= 0; i -= 1) if (entity.fields[i]!.name === name) return entity.fields[i]
  return undefined
}

/** The unfolded value of the last field of a name, null when there is none. */
export function fieldText(entity: Entity, name: string): string | null {
  const field = lastField(entity, name)
  return field ? unfolded(entity.header, field) : null
}

function rawValue(header: string, field: HeaderField): string {
  return header.slice(field.valueStart, field.end)
}

/** Some old mail programs sent the whole field as an encoded word; Cyrus reads that. */
function readableType(value: string): string {
  if (!value.trimStart().startsWith('=?')) return value
  const decoded = decodeHeader(value)
  return /^[\x00-\x7f]*$/.test(decoded) ? decoded : value
}

class MimeParser {
  #at = 0
  #boundaries: string[] = []
  #endedByBoundary = false
  #parts = 0
  #comparisons = MAX_COMPARISONS

  constructor(readonly message: Buffer) {}

  /** Reads one entity from where we are to where it ends. @returns it and the offset where its body ends */
  entity(fallback: typeof TEXT_PLAIN, depth: number): { entity: Entity; end: number } {
    const headerStart = this.#at
    const { headerEnd, sawBoundary } = this.#header()
    const entity = this.#describe(headerStart, headerEnd, fallback)
    if (sawBoundary) {
      if (isMessage(entity)) entity.children.push(this.#nothing())
      return { entity, end: headerEnd }
    }
    let end: number
    if (entity.type === 'MULTIPART') {
      end = this.#multipart(entity, depth)
    } else if (isMessage(entity) && depth < MAX_DEPTH) {
      const inner = this.entity(TEXT_PLAIN, depth + 1)
      entity.children.push(inner.entity)
      end = inner.end
    } else {
      if (isMessage(entity)) entity.children.push(this.#nothing())
      end = this.#content()
    }
    entity.bodySize = Math.max(0, end - entity.bodyStart)
    return { entity, end }
  }

  /** Goes past a header block. A boundary of an enclosing multipart ends it too. */
  #header(): { headerEnd: number; sawBoundary: boolean } {
    const { message } = this
    const start = this.#at
    while (this.#at < message.length) {
      const line = this.#at
      const lf = message.indexOf(LF, line)
      const next = lf === -1 ? message.length : lf + 1
      this.#at = next
      if (message[line] === LF || (message[line] === CR && message[line + 1] === LF)) break
      if (message[line] === DASH && this.#isBoundary(line, next)) {
        this.#endedByBoundary = true
        return { headerEnd: this.#beforeLineEnd(start, line), sawBoundary: true }
      }
    }
    this.#endedByBoundary = false
    return { headerEnd: this.#at, sawBoundary: false }
  }

  #describe(start: number, end: number, fallback: typeof TEXT_PLAIN): Entity {
    const cut = Math.min(end, start + MAX_HEADER_TEXT)
    const header = this.message.toString('latin1', start, cut)
    const fields = headerFields(header, MAX_HEADER_FIELDS)
    let type: ReturnType<typeof parseContentType>
    let encoding: string | undefined
    let disposition: TypedValue | undefined
    let languages: string[] = []
    for (const field of fields) {
      if (!field.name.startsWith('content-')) continue
      if (field.name === 'content-type') {
        type = parseContentType(readableType(rawValue(header, field)))
      } else if (field.name === 'content-transfer-encoding') {
        encoding = parseEncoding(rawValue(header, field))
      } else if (field.name === 'content-disposition') {
        disposition = parseDisposition(rawValue(header, field))
      } else if (field.name === 'content-language') {
        languages = parseLanguages(rawValue(header, field))
      }
    }
    const { type: main, subtype, parameters } = type ?? fallback
    return {
      headerStart: start,
      headerSize: end - start,
      bodyStart: this.#at,
      bodySize: 0,
      header,
      headerCut: cut < end || fields.length >= MAX_HEADER_FIELDS,
      fields,
      type: main,
      subtype,
      parameters,
      encoding,
      disposition,
      languages,
      children: [],
    }
  }

  #nothing(): Entity {
    const { type, subtype, parameters } = TEXT_PLAIN
    const none = { headerStart: this.#at, headerSize: 0, bodyStart: this.#at, bodySize: 0 }
    const plain = { header: '', headerCut: false, fields: [], type, subtype, parameters, encoding: undefined }
    return { ...none, ...plain, disposition: undefined, languages: [], children: [] }
  }

  /** @returns where the multipart's body ends */
  #multipart(entity: Entity, depth: number): number {
    const named = entity.parameters.find(({ name }) => name === 'BOUNDARY' || name === 'BOUNDARY*')
    if (!named) return this.#content()
    const fallback = entity.subtype === 'DIGEST' ? MESSAGE_RFC822 : TEXT_PLAIN
    this.#boundaries.push(named.name === 'BOUNDARY' ? named.value : decodedBoundary(named.value))
    const level = this.#boundaries.length
    let end = this.#content()
    while (this.#boundaries.length === level && level < MAX_DEPTH && depth < MAX_DEPTH) {
      this.#parts += 1
      if (this.#parts > MAX_PARTS) {
        this.#boundaries = []
        this.#at = this.message.length
        return this.#at
      }
      const part = this.entity(fallback, depth + 1)
      if (this.#at >= this.message.length && !this.#endedByBoundary) this.#boundaries = []
      entity.children.push(part.entity)
      end = part.end
    }
    return this.#boundaries.length === level - 1 ? this.#content() : end
  }

  /** Goes past content up to and with the next boundary line. @returns where the content ends, the line end before a boundary belongs to it */
  #content(): number {
    const { message } = this
    const start = this.#at
    this.#endedByBoundary = false
    let line = start
    while (this.#boundaries.length > 0 && this.#comparisons > 0) {
      if (message[line] !== DASH || message[line + 1] !== DASH || line >= message.length) {
        const found = message.indexOf(LF_DASH_DASH, line)
        if (found === -1) break
        line = found + 1
      }
      const lf = message.indexOf(LF, line)
      const next = lf === -1 ? message.length : lf + 1
      if (this.#isBoundary(line, next)) {
        this.#at = next
        this.#endedByBoundary = true
        return line - start > 1 ? this.#beforeLineEnd(start, line) : line
      }
      line = next - 1 // at the LF, which may begin the next find
      if (lf === -1) break
    }
    this.#at = message.length
    return message.length
  }

  /** The offset of the CRLF or LF that ends just before `line`, not before `start`. */
  #beforeLineEnd(start: number, line: number): number {
    if (line <= start || this.message[line - 1] !== LF) return line
    return line - 1 > start && this.message[line - 2] === CR ? line - 2 : line - 1
  }

  /** Whether a line is a delimiter of any open multipart; a closing one closes it and all within it. */
  #isBoundary(line: number, next: number): boolean {
    const { message } = this
    if (message[line] !== DASH || message[line + 1] !== DASH) return false
    const length = next - line - 2
    const text = message.toString('latin1', line + 2, Math.min(next, line + 2 + 1024))
    for (let i = 0; i < this.#boundaries.length; i += 1) {
      if (this.#comparisons-- <= 0) return false
      const boundary = this.#boundaries[i]!
      if (!text.startsWith(boundary)) continue
      const after = text.slice(boundary.length, boundary.length + 2)
      if (after === '--') {
        this.#boundaries.length = i
        return true
      }
      // a longer word that merely begins like the boundary is another one's
      if (length > boundary.length + 1 && !/^[\0\s]/.test(after)) continue
      return true
    }
    return false
  }
}

function decodedBoundary(extended: string): string {
  const value = /^[^']*'[^']*'([\s\S]*)$/.exec(extended)?.[1] ?? extended
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The tree of a whole message. */
export function parseMime(message: Buffer): Entity {
  return new MimeParser(message).entity(TEXT_PLAIN, 0).entity
}
