/**
 * ENVELOPE, BODY and BODYSTRUCTURE of a parsed message as IMAP sends them (RFC 3501 §7.4.2), byte for byte as Cyrus
 * writes them. Text is latin1, one character a byte. Pure.
 */
import { type Address, parseAddresses } from './address.js'
import type { Parameter, TypedValue } from './content_fields.js'
import type { LineCounter } from './line_counter.js'
import { type Entity, fieldText, isMessage, lastField } from './mime.js'

const QUOTED_MAX = 1024

/** A string as Cyrus chooses to send it: NIL, quoted, or a literal when it is long or holds NUL, CR, LF, `"`, `%`, `\` or 8-bit. */
export function nstring(text: string | null | undefined): string {
  if (text === null || text === undefined) return 'NIL'
  if (text.length >= QUOTED_MAX || /[\0\r\n"%\\\x80-\xff]/.test(text)) return `{${text.length}}\r\n${text}`
  return `"${text}"`
}

function addressText({ name, route, mailbox, domain }: Address): string {
  return `(${nstring(name)} ${nstring(route)} ${nstring(mailbox)} ${nstring(domain)})`
}

function addressList(entity: Entity, name: string): string | undefined {
  const field = lastField(entity, name)
  if (!field) return undefined
  const list = parseAddresses(entity.header.slice(field.valueStart, field.end))
  return list.length > 0 ? `(${list.map(addressText).join('')})` : undefined
}

/** ENVELOPE. Sender and Reply-To fall back to From. */
export function envelopeText(entity: Entity): string {
  const from = addressList(entity, 'from') ?? 'NIL'
  return `(${[
    nstring(fieldText(entity, 'date')),
    nstring(fieldText(entity, 'subject')),
    from,
    addressList(entity, 'sender') ?? from,
    addressList(entity, 'reply-to') ?? from,
    addressList(entity, 'to') ?? 'NIL',
    addressList(entity, 'cc') ?? 'NIL',
    addressList(entity, 'bcc') ?? 'NIL',
    nstring(fieldText(entity, 'in-reply-to')),
    nstring(fieldText(entity, 'message-id')),
  ].join(' ')})`
}

function parameterList(list: Parameter[]): string {
  return list.length === 0
    ? 'NIL'
    : `(${list.map(({ name, value }) => `${nstring(name)} ${nstring(value)}`).join(' ')})`
}

function dispositionText(value: TypedValue | undefined): string {
  return value ? `(${nstring(value.type)} ${parameterList(value.parameters)})` : 'NIL'
}

function languageText(tags: string[]): string {
  return tags.length === 0 ? 'NIL' : `(${tags.map(nstring).join(' ')})`
}

/** The extension data that ends every BODYSTRUCTURE. */
function extension(entity: Entity): string {
  const location = nstring(fieldText(entity, 'content-location'))
  return ` ${dispositionText(entity.disposition)} ${languageText(entity.languages)} ${location}`
}

/** A multipart without parts is shown as empty text, since the grammar has no other way. */
const NO_PARTS = '("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 0 0'

/** BODY, or BODYSTRUCTURE when extended. */
export function bodyText(entity: Entity, lines: LineCounter, extended: boolean): string {
  if (entity.type === 'MULTIPART') {
    if (entity.children.length === 0) return extended ? `${NO_PARTS} NIL NIL NIL NIL)` : `${NO_PARTS})`
    const parts = entity.children.map((part) => bodyText(part, lines, extended)).join('')
    const head = `(${parts} ${nstring(entity.subtype)}`
    return extended ? `${head} ${parameterList(entity.parameters)}${extension(entity)})` : `${head})`
  }
  const text = [
    nstring(entity.type),
    nstring(entity.subtype),
    parameterList(entity.parameters),
    nstring(fieldText(entity, 'content-id')),
    nstring(fieldText(entity, 'content-description')),
    nstring(entity.encoding ?? '7BIT'),
    String(entity.bodySize),
  ]
  const lineCount = () => String(lines.count(entity.bodyStart, entity.bodyStart + entity.bodySize))
  if (entity.type === 'TEXT') {
    text.push(lineCount())
  } else if (isMessage(entity)) {
    const inner = entity.children[0]!
    text.push(envelopeText(inner), bodyText(inner, lines, extended), lineCount())
  }
  const head = `(${text.join(' ')}`
  return extended ? `${head} ${nstring(fieldText(entity, 'content-md5'))}${extension(entity)})` : `${head})`
}
