/** The items of FETCH (RFC 3501 §6.4.5) from their text. Pure. */
import { type AnnotationRequest, parseAnnotationRequest } from './annotation_arguments.js'
import type { ArgumentReader } from './argument_reader.js'
import { type PartialRange, parsePartialRange } from './partial_range.js'
import { astring } from './wire_text.js'

/** Which bytes of a part: all, its MIME header, or of the message in it the header, the text, some fields. */
export type SectionItem = '' | 'MIME' | 'HEADER' | 'TEXT' | 'HEADER.FIELDS' | 'HEADER.FIELDS.NOT'

export interface SectionRequest {
  /** What stands before the string in the answer: `BODY[1.HEADER]<0>`, `RFC822.TEXT`. */
  readonly label: string
  readonly path: readonly number[]
  readonly item: SectionItem
  /** Lower-case names of HEADER.FIELDS and .NOT. */
  readonly fields: ReadonlySet<string>
  /** First byte and most bytes wanted. */
  readonly partial: { readonly offset: number; readonly length: number } | undefined
  /** As the bytes stand there, decoded (BINARY), or only how many those are (BINARY.SIZE). */
  readonly form: 'raw' | 'binary' | 'size'
  /** Whether asking sets \Seen. */
  readonly marksSeen: boolean
}

const METADATA = [
  'FLAGS',
  'UID',
  'DIGEST.SHA1',
  'INTERNALDATE',
  'LASTUPDATED',
  'MODSEQ',
  'RFC822.SIZE',
  'PREVIEW',
  'RFC822.FILESIZE',
  'RFC822.SHA1',
  'EMAILID',
  'THREADID',
  'SAVEDATE',
  'CREATEDMODSEQ',
  'FOLDER',
  'UIDVALIDITY',
] as const

/** An item whose value is one short text. */
export type MetadataItem = (typeof METADATA)[number]

const IS_METADATA: ReadonlySet<string> = new Set(METADATA)

export interface FetchRequest {
  readonly metadata: Set<MetadataItem>
  envelope: boolean
  body: boolean
  bodystructure: boolean
  readonly sections: SectionRequest[]
  /** message annotations (RFC 5257 §4.3) */
  readonly annotations: AnnotationRequest[]
  /** only messages changed after this mod-sequence (RFC 7162 §3.1.4.1) */
  changedSince: number | undefined
  /** only so many of the messages (RFC 9394 §3.3) */
  partial: PartialRange | undefined
  /** tell also what has gone since (RFC 7162 §3.2.6) */
  vanished: boolean
}

const NO_FIELDS: ReadonlySet<string> = new Set()
const MAX_SECTIONS = 200
const MAX_ANNOTATIONS = 20
const MAX_PATH = 200

function whole(label: string, item: SectionItem, marksSeen: boolean): SectionRequest {
  return { label, path: [], item, fields: NO_FIELDS, partial: undefined, form: 'raw', marksSeen }
}

function emptyRequest(): FetchRequest {
  return {
    metadata: new Set(),
    envelope: false,
    body: false,
    bodystructure: false,
    sections: [],
    annotations: [],
    changedSince: undefined,
    partial: undefined,
    vanished: false,
  }
}

/** @throws {ImapSyntaxError} when nothing is asked for */
function finished(args: ArgumentReader, request: FetchRequest): FetchRequest {
  request.sections.sort((a, b) => place(a) - place(b))
  const { sections, annotations, metadata, envelope, body, bodystructure } = request
  if (sections.length === 0 && annotations.length === 0 && metadata.size === 0 && !envelope && !body && !bodystructure)
    args.fail('Invalid Fetch attribute')
  return request
}

/** Items in parentheses, one item, or a macro; then modifiers. @throws {ImapSyntaxError} */
export function parseFetchItems(args: ArgumentReader): FetchRequest {
  const request = emptyRequest()
  if (args.peek() === '(') args.list(() => item(args, request))
  else if (!macro(args, request)) item(args, request)
  finished(args, request)
  if (args.tryChar(' ')) modifiers(args, request)
  return request
}

/** Items in parentheses and nothing else, as NOTIFY and SEARCH's UPDATE take them (RFC 5465 §8). @throws {ImapSyntaxError} */
export function parseFetchAttributes(args: ArgumentReader): FetchRequest {
  const request = emptyRequest()
  args.list(() => item(args, request))
  return finished(args, request)
}

/** `(CHANGEDSINCE n VANISHED)` */
function modifiers(args: ArgumentReader, request: FetchRequest): void {
  const found = args.list(() => {
    const name = args.keyword()
    if (name === 'CHANGEDSINCE') {
      args.space()
      request.changedSince = args.modseq()
    } else if (name === 'PARTIAL') {
      args.space()
      request.partial = parsePartialRange(args)
    } else if (name === 'VANISHED') {
      request.vanished = true
    } else {
      args.fail(`Invalid ${args.command} modifier ${name.slice(0, 40)}`)
    }
    return name
  })
  if (found.length === 0) args.fail(`Invalid ${args.command} modifier`)
  if (request.vanished && request.changedSince === undefined)
    args.fail(`Invalid ${args.command} modifier VANISHED`, 'it needs CHANGEDSINCE')
  if (request.changedSince !== undefined) request.metadata.add('MODSEQ')
}

/** Cyrus answers RFC822.HEADER, RFC822.TEXT, RFC822 in this order before every BODY[…], then BINARY[…], then BINARY.SIZE[…]. */
function place({ label, form }: SectionRequest): number {
  const at = ['RFC822.HEADER', 'RFC822.TEXT', 'RFC822'].indexOf(label)
  return at === -1 ? 3 + ['raw', 'binary', 'size'].indexOf(form) : at
}

function macro(args: ArgumentReader, request: FetchRequest): boolean {
  const word = /^(?:ALL|FULL|FAST)$/i.exec(args.bytes.toString('latin1', args.offset))?.[0]
  if (!word) return false
  args.keyword()
  for (const each of ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'] as const) request.metadata.add(each)
  request.envelope = word.toUpperCase() !== 'FAST'
  request.body = word.toUpperCase() === 'FULL'
  return true
}

function item(args: ArgumentReader, request: FetchRequest): void {
  const name = args.keyword()
  switch (name) {
    case 'ANNOTATION':
      args.space()
      request.annotations.push(parseAnnotationRequest(args))
      if (request.annotations.length > MAX_ANNOTATIONS) args.fail('Too many annotations in Fetch')
      break
    case 'ENVELOPE':
      request.envelope = true
      break
    case 'BODYSTRUCTURE':
      request.bodystructure = true
      break
    case 'RFC822.HEADER':
      add(args, request, whole(name, 'HEADER', false))
      break
    case 'RFC822.TEXT':
      add(args, request, whole(name, 'TEXT', true))
      break
    case 'RFC822.TEXT.PEEK':
      add(args, request, whole('RFC822.TEXT', 'TEXT', false))
      break
    case 'RFC822.HEADER.LINES':
    case 'RFC822.HEADER.LINES.NOT': {
      const item = name === 'RFC822.HEADER.LINES' ? 'HEADER.FIELDS' : 'HEADER.FIELDS.NOT'
      args.space()
      add(args, request, { ...whole('RFC822.HEADER', item, false), fields: new Set(fieldNames(args).map(lower)) })
      break
    }
    case 'RFC822':
    case 'RFC822.PEEK':
      add(args, request, whole('RFC822', '', name === 'RFC822'))
      break
    case 'BODY':
    case 'BODY.PEEK':
      if (args.tryChar('[')) add(args, request, section(args, name === 'BODY'))
      else if (name === 'BODY') request.body = true
      else args.fail('Invalid Fetch attribute BODY.PEEK')
      break
    case 'BINARY':
    case 'BINARY.PEEK':
    case 'BINARY.SIZE':
      if (!args.tryChar('[')) args.fail(`Invalid Fetch attribute ${name}`)
      add(args, request, binarySection(args, name))
      break
    default:
      if (!IS_METADATA.has(name)) args.fail(`Invalid Fetch attribute ${name.slice(0, 40)}`)
      request.metadata.add(name as MetadataItem)
      if (name === 'PREVIEW') previewModifier(args)
  }
}

function add(args: ArgumentReader, request: FetchRequest, wanted: SectionRequest): void {
  if (request.sections.length >= MAX_SECTIONS) args.fail('Too many body sections in Fetch')
  request.sections.push(wanted)
}

const lower = (text: string): string => text.toLowerCase()

function fieldNames(args: ArgumentReader): string[] {
  const names = args.list(() => args.astring().toString('latin1'))
  return names.length === 0 ? args.fail(BAD_SECTION, 'no header field is named') : names
}

/** ` (LAZY)`: previews are made so quickly that it changes nothing. */
function previewModifier(args: ArgumentReader): void {
  const rest = args.bytes.toString('latin1', args.offset, args.offset + 3)
  if (!/^ \([A-Z]/i.test(rest) || !args.tryChar(' ')) return
  args.list(() => {
    if (args.keyword() !== 'LAZY') args.fail('Invalid preview modifier')
  })
}

/** `section-binary`: part numbers only; `[` has been taken. */
function binarySection(args: ArgumentReader, name: string): SectionRequest {
  const problem = 'Invalid binary section'
  const path: number[] = []
  while (args.peek() !== ']') {
    if (path.length > 0 && !args.tryChar('.')) args.fail(problem)
    path.push(args.number(problem))
    if (path.length > MAX_PATH) args.fail(problem, 'too deep')
  }
  args.tryChar(']')
  const isSize = name === 'BINARY.SIZE'
  const partial = isSize ? undefined : parsePartial(args)
  const label = `${isSize ? name : 'BINARY'}[${path.join('.')}]${partial ? `<${partial.offset}>` : ''}`
  const form = isSize ? 'size' : 'binary'
  return { label, path, item: '', fields: NO_FIELDS, partial, form, marksSeen: name === 'BINARY' }
}

const BAD_SECTION = 'Invalid body section'

/** A section as a URL has it, up to its `]`. @throws {ImapSyntaxError} */
export function parseSection(args: ArgumentReader): SectionRequest {
  return section(args, false)
}

/** `section-spec` and what follows it; `[` has been taken. */
function section(args: ArgumentReader, marksSeen: boolean): SectionRequest {
  const path: number[] = []
  let item: SectionItem = ''
  let fields = NO_FIELDS
  let label = ''
  while (/\d/.test(args.peek())) {
    path.push(args.number(BAD_SECTION))
    if (path.length > MAX_PATH) args.fail(BAD_SECTION, 'too deep')
    label = path.join('.')
    if (!args.tryChar('.')) break
    if (args.peek() === ']') args.fail(BAD_SECTION)
  }
  if (args.peek() !== ']') {
    if (path.length > 0 && args.bytes[args.offset - 1] !== 46) args.fail(BAD_SECTION)
    item = sectionItem(args, path)
    label += (label ? '.' : '') + item
    if (item === 'HEADER.FIELDS' || item === 'HEADER.FIELDS.NOT') {
      args.space()
      const names = fieldNames(args)
      fields = new Set(names.map(lower))
      label += ` (${names.map(astring).join(' ')})`
    }
  }
  if (!args.tryChar(']')) args.fail(BAD_SECTION)
  const partial = parsePartial(args)
  return {
    label: `BODY[${label}]${partial ? `<${partial.offset}>` : ''}`,
    path,
    item,
    fields,
    partial,
    form: 'raw',
    marksSeen,
  }
}

function sectionItem(args: ArgumentReader, path: number[]): SectionItem {
  const word = args.keyword()
  const fits = ['HEADER', 'TEXT', 'HEADER.FIELDS', 'HEADER.FIELDS.NOT'].includes(word)
  if (!fits && !(word === 'MIME' && path.length > 0)) args.fail(BAD_SECTION)
  return word as SectionItem
}

function parsePartial(args: ArgumentReader): { offset: number; length: number } | undefined {
  if (!args.tryChar('<')) return undefined
  const problem = 'Invalid body partial'
  const offset = args.number(problem)
  if (!args.tryChar('.')) args.fail(problem)
  const length = args.number(problem)
  if (length === 0 || !args.tryChar('>')) args.fail(problem)
  return { offset, length }
}
