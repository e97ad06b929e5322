/** Items of FETCH for which the message itself must be read: its preview, its digest, its size on disk. */
import { createHash } from 'node:crypto'
import type { MetadataItem } from '../../../lib/imap/fetch_items.js'
import { quotedOrLiteral } from '../../../lib/imap/wire_text.js'
import type { MessageSource } from '../../../lib/mailbox/message_source.js'
import { headerFields, unfolded } from '../../../lib/message/header_fields.js'
import { PREVIEW_BYTES, previewOf } from '../../../lib/message/preview.js'
import { decodeCharset } from '../../../lib/message/search_text.js'
import type { Part } from '../../../lib/message/sections.js'
import { decodeBody } from '../../../lib/message/transfer_encoding.js'

type Compute = (source: MessageSource) => Promise<string>

const COMPUTE: ReadonlyMap<MetadataItem, Compute> = new Map<MetadataItem, Compute>([
  ['PREVIEW', preview],
  ['RFC822.FILESIZE', async (source) => String(await source.fileSize())],
  ['RFC822.SHA1', digest],
])

/** What was read for one message: item → its value as text. */
export type Computed = ReadonlyMap<MetadataItem, string>

export function needsComputing(wanted: ReadonlySet<MetadataItem>): boolean {
  return [...COMPUTE.keys()].some((item) => wanted.has(item))
}

/** @throws {MessageFileError} */
export async function computeItems(source: MessageSource, wanted: ReadonlySet<MetadataItem>): Promise<Computed> {
  const found = new Map<MetadataItem, string>()
  for (const [item, compute] of COMPUTE) if (wanted.has(item)) found.set(item, await compute(source))
  return found
}

async function digest(source: MessageSource): Promise<string> {
  const hash = createHash('sha1')
  for await (const piece of source.pieces(0, source.size)) hash.update(piece)
  return hash.digest('hex')
}

/** Of the first text/plain part, else of the first other text; empty for a message without text. */
async function preview(source: MessageSource): Promise<string> {
  let other: Part | undefined
  for (const part of (await source.cache()).parts()) {
    if (part.kind !== 'text') continue
    const subtype = await subtypeOf(source, part)
    if (subtype === 'plain') {
      const text = await firstWords(source, part, false)
      if (text !== '') return quotedOrLiteral(latin1(text))
    } else if (subtype === 'html') {
      other ??= part
    }
  }
  return quotedOrLiteral(other ? latin1(await firstWords(source, other, true)) : '')
}

const latin1 = (text: string): string => Buffer.from(text).toString('latin1')

async function firstWords(source: MessageSource, part: Part, isHtml: boolean): Promise<string> {
  const bytes = await source.bytes(part.bodyStart, Math.min(part.bodySize, PREVIEW_BYTES))
  const decoded = decodeBody(bytes, part.encoding)
  return decoded ? previewOf(decodeCharset(decoded, part.charset), isHtml) : ''
}

async function subtypeOf(source: MessageSource, { headerStart, headerSize }: Part): Promise<string> {
  const text = (await source.bytes(headerStart, headerSize)).toString('latin1')
  const field = headerFields(text, Number.POSITIVE_INFINITY).findLast(({ name }) => name === 'content-type')
  return (field && /^\s*text\s*\/\s*([\w.+-]+)/i.exec(unfolded(text, field))?.[1]?.toLowerCase()) || 'plain'
}
