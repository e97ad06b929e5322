/** BINARY[…] (RFC 3516): a part's body with its transfer encoding undone, however large, without holding it. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SectionRequest } from '../../../lib/imap/fetch_items.js'
import type { MessageSource } from '../../../lib/mailbox/message_source.js'
import type { Part } from '../../../lib/message/sections.js'
import { decodableEnd, decodeBody } from '../../../lib/message/transfer_encoding.js'
import { No } from '../errors.js'

/** Encoded bytes decoded at once. */
const SLICE = 256 * 1024

/** Bytes to be sent: their number, whether there is NUL among them, and the bytes piece by piece. */
export interface BinaryData {
  readonly size: number
  readonly hasNul: boolean
  pieces(): AsyncIterable<Buffer>
}

/**
 * What a section names.
 * @returns undefined when there is no such part
 * @throws {No} with UNKNOWN-CTE; {MessageFileError}
 */
export async function locateBinary(
  source: MessageSource,
  { path, partial }: SectionRequest,
): Promise<BinaryData | undefined> {
  const cache = await source.cache()
  const part = cache.part(path)
  if (!part) return undefined
  // the whole message is never encoded
  const whole: Part = { ...part, bodyStart: 0, bodySize: source.size, encoding: 'none' }
  const wanted = path.length === 0 ? whole : part
  if (wanted.encoding === 'unknown')
    throw new No(`[UNKNOWN-CTE] Message ${source.uid}: the encoding of part ${path.join('.')} is not known`)
  const all = () => decodedPieces(source, wanted)
  if (!partial) return measured(all)
  return measured(() => cut(all(), partial.offset, partial.length))
}

/** Small data is kept, of larger only what must be told before it is sent. */
async function measured(make: () => AsyncIterable<Buffer>): Promise<BinaryData> {
  const kept: Buffer[] = []
  let size = 0
  let hasNul = false
  for await (const piece of make()) {
    if (size <= SLICE) kept.push(piece)
    size += piece.length
    hasNul ||= piece.includes(0)
  }
  const small = size <= SLICE
  return { size, hasNul, pieces: small ? () => each(kept) : make }
}

async function* each(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces
}

async function* decodedPieces(source: MessageSource, { bodyStart, bodySize, encoding }: Part): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for (let at = 0; at < bodySize; ) {
    if (at > 0) await nextTurn()
    const length = Math.min(SLICE, bodySize - at)
    const slice = Buffer.concat([rest, await source.bytes(bodyStart + at, length)])
    at += length
    const end = at < bodySize ? decodableEnd(slice, encoding) : slice.length
    rest = slice.subarray(end)
    const body = decodeBody(slice.subarray(0, end), encoding)!
    if (body.length > 0) yield body
  }
}

async function* cut(pieces: AsyncIterable<Buffer>, offset: number, length: number): AsyncGenerator<Buffer> {
  let at = 0
  for await (const piece of pieces) {
    const from = Math.max(offset - at, 0)
    const to = Math.min(offset + length - at, piece.length)
    if (from < to) yield piece.subarray(from, to)
    at += piece.length
    if (at >= offset + length) return
  }
}
