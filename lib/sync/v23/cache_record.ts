/**
 * The cache record of a PARSED message (csync-2.3.md §5.1), which a replica of 2.3.8 takes on trust. Made only for messages of which it is sure
 * what 2.3.8 itself would have made of them: one text part, all of it ASCII. Others are sent SIMPLE, and parsed over there. Pure.
 */
import { parseAddresses } from '../../message/address.js'
import { bodyText, envelopeText, nstring } from '../../message/imap_text.js'
import { LineCounter } from '../../message/line_counter.js'
import { type Entity, fieldText, lastField, parseMime } from '../../message/mime.js'

/** Beyond so much a message is not parsed here only to spare the replica that. */
const LARGEST = 1024 * 1024
/** The version of the record's list of header fields. */
export const CACHE_VERSION = 2

/** What goes with a PARSED message. */
export interface ParsedMessage {
  readonly headerSize: number
  readonly contentLines: number
  readonly cache: Buffer
}

const X_HEADERS = new Set(['x-mailer', 'x-trace', 'x-ref', 'x-priority', 'x-msmail-priority', 'x-msoesrec'])
const NEVER = new Set([
  'bcc',
  'cc',
  'date',
  'delivery-date',
  'envelope-to',
  'from',
  'in-reply-to',
  'mime-version',
  'reply-to',
  'received',
  'return-path',
  'sender',
  'subject',
  'to',
])

const ENCODINGS: Readonly<Record<string, number>> = {
  '7BIT': 0,
  '8BIT': 0,
  BINARY: 0,
  'QUOTED-PRINTABLE': 1,
  BASE64: 2,
}

/** @returns undefined for a message that is better parsed by the replica */
export function parsedMessage(message: Buffer): ParsedMessage | undefined {
  if (message.length > LARGEST) return undefined
  const entity = parseMime(message)
  const encoding = entity.encoding === undefined ? 0 : ENCODINGS[entity.encoding]
  const charset = entity.parameters.find(({ name }) => name === 'CHARSET')?.value ?? 'us-ascii'
  if (
    entity.type !== 'TEXT' ||
    entity.headerCut ||
    encoding === undefined ||
    charset.toLowerCase() !== 'us-ascii' ||
    /[^\x00-\x7f]|=\?/.test(entity.header)
  )
    return undefined
  const lines = new LineCounter(message)
  const texts = [envelopeText(entity), structure(entity, lines), bodyText(entity, lines, false)]
  // a value that is no quoted string is written otherwise there
  if (texts.some((text) => text.includes('{'))) return undefined
  const fields = [
    ...texts.map((text) => Buffer.from(text, 'latin1')),
    sections(entity, encoding),
    Buffer.from(cachedHeaders(entity), 'latin1'),
    ...['from', 'to', 'cc', 'bcc'].map((name) => Buffer.from(addresses(entity, name), 'latin1')),
    Buffer.from(subject(entity), 'latin1'),
  ]
  return {
    headerSize: entity.headerSize,
    contentLines: lines.count(entity.bodyStart, entity.bodyStart + entity.bodySize),
    cache: Buffer.concat(fields.flatMap(field)),
  }
}

function field(bytes: Buffer): Buffer[] {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return [length, bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]
}

/** BODYSTRUCTURE as 2.3 has it: without Content-Location at its end. */
function structure(entity: Entity, lines: LineCounter): string {
  const text = bodyText(entity, lines, true)
  const location = ` ${nstring(fieldText(entity, 'content-location'))})`
  return `${text.slice(0, text.length - location.length)})`
}

/** Part 0, the message, and part 1, its text, which has no parts. */
function sections({ headerStart, headerSize, bodyStart, bodySize }: Entity, encoding: number): Buffer {
  const numbers = [2]
  for (const code of [0xffff0000, encoding]) numbers.push(headerStart, headerSize, bodyStart, bodySize, code)
  numbers.push(0)
  const table = Buffer.alloc(4 * numbers.length)
  for (const [at, number] of numbers.entries()) table.writeUInt32BE(number, 4 * at)
  return table
}

function cachedHeaders({ header, fields }: Entity): string {
  let text = ''
  for (const { name, start, end } of fields)
    if (name.startsWith('x-') ? X_HEADERS.has(name) : !NEVER.has(name)) text += header.slice(start, end)
  return text
}

/** A text as 2.3 makes it comparable: without blanks, in lower case. */
const searchForm = (text: string): string => text.replace(/\s+/g, '').toLowerCase()

function addresses(entity: Entity, name: string): string {
  const found = lastField(entity, name)
  if (found === undefined) return ''
  let text = ''
  let separate = false
  for (const { name: called, route, mailbox, domain } of parseAddresses(
    entity.header.slice(found.valueStart, found.end),
  )) {
    if (domain === null) {
      if (mailbox === null) text += ';'
      else text += `${separate ? ',' : ''}${searchForm(mailbox)}:`
      separate = mailbox === null
      continue
    }
    if (separate) text += ','
    if (called !== null) text += `${searchForm(called)} `
    text += `<${route === null ? '' : `${route.toLowerCase()}:`}${(mailbox ?? '').toLowerCase()}@${domain.toLowerCase()}>`
    separate = true
  }
  return text
}

function subject(entity: Entity): string {
  const text = fieldText(entity, 'subject')
  return text === null ? 'NIL' : nstring(searchForm(text))
}
