/** Which bytes of a message a BODY[…] names (RFC 3501 §6.4.5), decided from the summary where that is possible. */
import type { SectionRequest } from '../../../lib/imap/fetch_items.js'
import type { MessageSource } from '../../../lib/mailbox/message_source.js'
import { headerFields } from '../../../lib/message/header_fields.js'

/** A range of the file, bytes at hand, or nothing (NIL). */
export type SectionData = { start: number; length: number } | Buffer | undefined

const CRLF = Buffer.from('\r\n')

/**
 * The same without waiting, where the summary at hand is enough and no file is needed.
 * @returns null when it is not
 */
export function locateAtHand(source: MessageSource, request: SectionRequest): Buffer | undefined | null {
  const cache = source.cacheAtHand
  if (!cache) return null
  if (request.item === 'HEADER.FIELDS' && request.path.length === 0) {
    const fields = cache.headers(request.fields)
    return fields ? (cut(Buffer.concat([fields, CRLF]), request) as Buffer) : null
  }
  return cache.part(request.path) ? null : undefined
}

/** @throws {MessageFileError} when the file is needed and missing */
export async function locate(source: MessageSource, request: SectionRequest): Promise<SectionData> {
  const { path, item } = request
  if (path.length === 0 && item === '') return cut({ start: 0, length: source.size }, request)
  const cache = await source.cache()
  const part = cache.part(path)
  if (!part) return undefined
  if (item === '') return cut({ start: part.bodyStart, length: part.bodySize }, request)
  if (item === 'MIME') return cut({ start: part.headerStart, length: part.headerSize }, request)
  const message = path.length === 0 ? part : part.message
  if (item === 'HEADER' || item === 'TEXT') {
    if (!message) return undefined
    const { headerStart, headerSize, bodyStart, bodySize } = message
    const range = item === 'TEXT' ? { start: bodyStart, length: bodySize } : { start: headerStart, length: headerSize }
    return cut(range, request)
  }
  // as in Cyrus, fields of a part that holds no message are those of its own header
  const { headerStart, headerSize } = message ?? part
  const wanted = item === 'HEADER.FIELDS'
  const cached = wanted && path.length === 0 ? cache.headers(request.fields) : undefined
  const fields = cached ?? pick(await source.bytes(headerStart, headerSize), request.fields, wanted)
  return cut(Buffer.concat([fields, CRLF]), request)
}

/** The fields of a header block that are (or are not) among the names. */
function pick(header: Buffer, names: ReadonlySet<string>, wanted: boolean): Buffer {
  const fields = headerFields(header.toString('latin1'), Number.POSITIVE_INFINITY)
  return Buffer.concat(
    fields.filter(({ name }) => names.has(name) === wanted).map(({ start, end }) => header.subarray(start, end)),
  )
}

function cut(data: { start: number; length: number } | Buffer, { partial }: SectionRequest): SectionData {
  if (!partial) return data
  const offset = Math.min(partial.offset, data.length)
  const length = Math.min(partial.length, data.length - offset)
  return Buffer.isBuffer(data) ? data.subarray(offset, offset + length) : { start: data.start + offset, length }
}
