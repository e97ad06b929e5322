/**
 * The table of a message's parts: where each lies, how it is encoded. Flat, in the order of the message, so that one
 * part is found without building anything. Numbering is IMAP's (RFC 3501 §6.4.5). Pure.
 *
 * A record: kind, encoding, length of charset, 0 (a byte each); then as 32-bit big-endian the number of child records,
 * header start and size, body start and size; then the charset's name.
 */
import { type Entity, isMessage } from './mime.js'

/** How a body is encoded in the message; `unknown` cannot be decoded. */
export type Encoding = 'none' | 'quoted-printable' | 'base64' | 'unknown'
export type PartKind = 'other' | 'text' | 'multipart' | 'message'

/** Where a part lies; offsets and sizes in bytes of the whole message. */
export interface Part {
  readonly kind: PartKind
  readonly headerStart: number
  readonly headerSize: number
  readonly bodyStart: number
  readonly bodySize: number
  readonly encoding: Encoding
  /** As the message names it, lower case; us-ascii for text without a name, '' for what is no text. */
  readonly charset: string
  /** Number of parts directly within: those of a multipart, one for a message. */
  readonly children: number
}

const KINDS: PartKind[] = ['other', 'text', 'multipart', 'message']
const ENCODINGS: Encoding[] = ['none', 'quoted-printable', 'base64', 'unknown']
const FIXED = 24

function encodingOf(entity: Entity): Encoding {
  switch (entity.encoding) {
    case undefined:
    case '7BIT':
    case '8BIT':
    case 'BINARY':
      return 'none'
    case 'QUOTED-PRINTABLE':
      return 'quoted-printable'
    case 'BASE64':
      return 'base64'
    default:
      return 'unknown'
  }
}

function kindOf(entity: Entity): PartKind {
  if (entity.type === 'MULTIPART') return 'multipart'
  if (isMessage(entity)) return 'message'
  return entity.type === 'TEXT' ? 'text' : 'other'
}

function record(entity: Entity): Buffer {
  const kind = kindOf(entity)
  const named = entity.parameters.findLast(({ name }) => name === 'CHARSET')?.value
  const charset = kind === 'text' ? (named || 'us-ascii').toLowerCase().slice(0, 64) : ''
  const empty = kind === 'multipart' && entity.children.length === 0
  const bytes = Buffer.allocUnsafe(FIXED + charset.length)
  bytes[0] = KINDS.indexOf(kind)
  bytes[1] = ENCODINGS.indexOf(encodingOf(entity))
  bytes[2] = charset.length
  bytes[3] = 0
  bytes.writeUInt32BE(entity.children.length, 4)
  bytes.writeUInt32BE(entity.headerStart, 8)
  bytes.writeUInt32BE(entity.headerSize, 12)
  bytes.writeUInt32BE(entity.bodyStart, 16)
  bytes.writeUInt32BE(empty ? 0 : entity.bodySize, 20)
  bytes.write(charset, FIXED, 'latin1')
  return bytes
}

/** The table of a whole message, its own record first. */
export function sectionTable(entity: Entity, into: Buffer[] = []): Buffer[] {
  into.push(record(entity))
  for (const child of entity.children) sectionTable(child, into)
  return into
}

function partAt(table: Buffer, at: number): Part {
  return {
    kind: KINDS[table[at]!]!,
    encoding: ENCODINGS[table[at + 1]!]!,
    charset: table.toString('latin1', at + FIXED, at + FIXED + table[at + 2]!),
    children: table.readUInt32BE(at + 4),
    headerStart: table.readUInt32BE(at + 8),
    headerSize: table.readUInt32BE(at + 12),
    bodyStart: table.readUInt32BE(at + 16),
    bodySize: table.readUInt32BE(at + 20),
  }
}

/** The offset behind a record and everything below it. */
function skip(table: Buffer, from: number): number {
  let at = from
  for (let left = 1; left > 0; left -= 1) {
    left += table.readUInt32BE(at + 4)
    at += FIXED + table[at + 2]!
  }
  return at
}

function childAt(table: Buffer, parent: number, index: number): number {
  let at = parent + FIXED + table[parent + 2]!
  for (let i = 0; i < index; i += 1) at = skip(table, at)
  return at
}

/**
 * Finds a part by its number, [] the message itself. A message that is no multipart has the one part 1: its body.
 * @returns undefined when there is no such part. `message` is set when the part holds a message: where that lies.
 */
export function findPart(table: Buffer, path: readonly number[]): (Part & { message?: Part }) | undefined {
  let at = 0
  let container = true // what we stand on is a message, whose parts are those of its own multipart, or itself as part 1
  for (const number of path) {
    const kind = KINDS[table[at]!]!
    if (!container && kind === 'message') {
      at = childAt(table, at, 0)
      container = true
    }
    const children = table.readUInt32BE(at + 4)
    if (KINDS[table[at]!] === 'multipart' && children > 0) {
      if (number < 1 || number > children) return undefined
      at = childAt(table, at, number - 1)
    } else if (!container || number !== 1) {
      return undefined
    }
    container = false
  }
  const part = partAt(table, at)
  if (path.length > 0 && part.kind === 'message') return { ...part, message: partAt(table, childAt(table, at, 0)) }
  return part
}

/** Every part in the order of the message, with the message itself first. */
export function* allParts(table: Buffer): Generator<Part> {
  for (let at = 0; at < table.length; at += FIXED + table[at + 2]!) yield partAt(table, at)
}
