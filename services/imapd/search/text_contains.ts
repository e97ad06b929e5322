/**
 * Looks for a string in one part's text, however large: decoded slice by slice, other connections getting their turn
 * between slices.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TextDecoder } from 'node:util'
import { decodeCharset, knowsCharset, searchForm } from '../../../lib/message/search_text.js'
import type { Part } from '../../../lib/message/sections.js'
import { decodableEnd, decodeBody } from '../../../lib/message/transfer_encoding.js'
import type { MessageSource } from '../fetch/message_source.js'

/** Bytes decoded at once. */
const SLICE = 256 * 1024

/** @param value in the form of searchForm  @throws {MessageFileError} */
export async function textContains(source: MessageSource, part: Part, value: string): Promise<boolean> {
  const { bodyStart, bodySize, encoding, charset } = part
  if (bodySize <= SLICE) {
    const body = decodeBody(await source.bytes(bodyStart, bodySize), encoding)
    return body !== undefined && searchForm(decodeCharset(body, charset)).includes(value)
  }
  const decoder = new TextDecoder(charset !== 'us-ascii' && knowsCharset(charset) ? charset : 'utf-8')
  let before = ''
  let rest: Buffer = Buffer.alloc(0)
  for (let at = 0; at < bodySize; ) {
    const length = Math.min(SLICE, bodySize - at)
    const slice = Buffer.concat([rest, await source.bytes(bodyStart + at, length)])
    at += length
    const end = at < bodySize ? decodableEnd(slice, encoding) : slice.length
    rest = slice.subarray(end)
    const body = decodeBody(slice.subarray(0, end), encoding)
    if (body === undefined) return false
    // what may begin in one slice and end in the next is looked at again
    const text = searchForm(before + decoder.decode(body, { stream: at < bodySize }))
    if (text.includes(value)) return true
    before = text.slice(-Math.max(value.length, 1))
    await nextTurn()
  }
  return false
}
