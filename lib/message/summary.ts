/**
 * What is kept of a message beside the index: the answers to ENVELOPE, BODY and BODYSTRUCTURE ready to send, the
 * header fields that are often asked for, and the table of its parts. One Buffer, made once when a message comes in.
 *
 * Layout: version 1, flags (1: the header text is there), two zero bytes; five 32-bit big-endian lengths; then
 * envelope, body, bodystructure, header fields, section table. Pure.
 */
import { cachedHeaderText, isCachedHeader } from './cached_headers.js'
import { sentDay } from './date.js'
import { guidOf } from './guid.js'
import { headerFields, unfolded } from './header_fields.js'
import { bodyText, envelopeText } from './imap_text.js'
import { LineCounter } from './line_counter.js'
import { fieldText, parseMime } from './mime.js'
import { allParts, findPart, type Part, sectionTable } from './sections.js'

export { guidOf, isCachedHeader }

const VERSION = 1
const HAS_HEADERS = 1
const HEAD = 24
const EMPTY = Buffer.alloc(0)

export interface Summary {
  /** Bytes of the header block with its closing empty line. */
  readonly headerSize: number
  /** Start of the day of the Date: field, unix seconds; 0 when there is none to be read. */
  readonly sentdate: number
  /** For MessageCache. */
  readonly cache: Buffer
}

/** Reads a message once. Takes any bytes and never throws; time and output are bounded (lib/message/mime.ts). */
export function summarize(message: Buffer): Summary {
  const entity = parseMime(message)
  const lines = new LineCounter(message)
  const headers = entity.headerCut ? undefined : cachedHeaderText(entity.header, entity.fields)
  const texts = [envelopeText(entity), bodyText(entity, lines, false), bodyText(entity, lines, true), headers ?? '']
  const pieces = [EMPTY, ...texts.map((text) => Buffer.from(text, 'latin1')), Buffer.concat(sectionTable(entity))]
  const head = Buffer.alloc(HEAD)
  head[0] = VERSION
  head[1] = headers === undefined ? 0 : HAS_HEADERS
  for (let i = 1; i < pieces.length; i += 1) head.writeUInt32BE(pieces[i]!.length, i * 4)
  pieces[0] = head
  return {
    headerSize: entity.headerSize,
    sentdate: sentDay(fieldText(entity, 'date') ?? ''),
    cache: Buffer.concat(pieces),
  }
}

/** The answers that lie in a summary ready to send. */
export enum Ready {
  Envelope = 0,
  Body = 1,
  BodyStructure = 2,
}

/** Reads what summarize wrote; nothing is copied. @throws {RangeError} when the bytes are none of ours */
export class MessageCache {
  readonly bytes: Buffer
  readonly #hasHeaders: boolean
  /** where each piece ends, and in front of them the head */
  readonly #ends: readonly number[]

  constructor(cache: Buffer) {
    const { length } = cache
    if (length < HEAD || cache[0] !== VERSION) throw new RangeError('damaged message cache')
    const envelope = HEAD + cache.readUInt32BE(4)
    const body = envelope + cache.readUInt32BE(8)
    const bodystructure = body + cache.readUInt32BE(12)
    const headers = bodystructure + cache.readUInt32BE(16)
    const sections = headers + cache.readUInt32BE(20)
    if (sections !== length) throw new RangeError('damaged message cache')
    this.bytes = cache
    this.#hasHeaders = (cache[1]! & HAS_HEADERS) !== 0
    this.#ends = [HEAD, envelope, body, bodystructure, headers, sections]
  }

  #piece(index: number): Buffer {
    return this.bytes.subarray(this.#ends[index], this.#ends[index + 1])
  }

  /** Where in `bytes` an answer begins. */
  startOf(answer: Ready): number {
    return this.#ends[answer]!
  }

  /** Where in `bytes` an answer ends. */
  endOf(answer: Ready): number {
    return this.#ends[answer + 1]!
  }

  /** ENVELOPE, ready to send. */
  get envelope(): Buffer {
    return this.#piece(Ready.Envelope)
  }

  /** BODY, ready to send. */
  get body(): Buffer {
    return this.#piece(Ready.Body)
  }

  /** BODYSTRUCTURE, ready to send. */
  get bodystructure(): Buffer {
    return this.#piece(Ready.BodyStructure)
  }

  /**
   * The fields of these names as they stand in the message, in its order, without the empty line.
   * @param names lower case  @returns undefined when the cache cannot tell and the file must be read
   */
  headers(names: ReadonlySet<string>): Buffer | undefined {
    if (!this.#hasHeaders) return undefined
    for (const name of names) if (!isCachedHeader(name)) return undefined
    const bytes = this.#piece(3)
    const text = bytes.toString('latin1', 0, bytes.length)
    const wanted = headerFields(text, Number.POSITIVE_INFINITY).filter((field) => names.has(field.name))
    if (wanted.length === 0) return EMPTY
    return Buffer.concat(wanted.map((field) => bytes.subarray(field.start, field.end)))
  }

  /** The fields of one name, as `headers` gives them. @param name any case */
  header(name: string): Buffer | undefined {
    return this.headers(new Set([name.toLowerCase()]))
  }

  /**
   * Values of all fields of a name, unfolded; what SEARCH compares. @param name lower case
   * @returns undefined when the cache cannot tell and the file must be read
   */
  headerValues(name: string): string[] | undefined {
    if (!this.#hasHeaders || !isCachedHeader(name)) return undefined
    const bytes = this.#piece(3)
    const text = bytes.toString('latin1')
    const lower = text.toLowerCase()
    const values: string[] = []
    const field = `${name}:`
    for (let at = lower.indexOf(field); at !== -1; at = lower.indexOf(field, at + 1)) {
      if (at > 0 && text[at - 1] !== '\n') continue
      values.push(...headerFields(text.slice(at), 1).map((found) => unfolded(text.slice(at), found)))
    }
    return values
  }

  /** A part by its number ([] the message itself), undefined when there is none; `message` is what a message/rfc822 part holds. */
  part(section: readonly number[]): (Part & { message?: Part }) | undefined {
    return findPart(this.#piece(4), section)
  }

  /** Every part in the order of the message, the message itself first. */
  parts(): Iterable<Part> {
    return allParts(this.#piece(4))
  }
}
