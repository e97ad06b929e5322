/**
 * Looks for a string in one part's text, however large: decoded slice by slice, other connections getting their turn
 * between slices.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TextDecoder } from 'node:util'
import { decodeCharset, knowsCharset, searchForm } from '../../../lib/message/search_text.js'
import type { Part } from '../../../lib/message/sections.js'
import { decodeBody } from '../../../lib/message/transfer_encoding.js'
import type { MessageSource } from '../fetch/message_source.js'

/** Bytes decoded at once. */
const SLICE = 256 * 1024
const LF = 10

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
    const end = at < bodySize ? sliceEnd(slice, encoding) : slice.length
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

/** Where a slice can be cut so that both halves decode by themselves. */
function sliceEnd(slice: Buffer, encoding: Part['encoding']): number {
  const lf = slice.lastIndexOf(LF)
  if (encoding !== 'base64') return lf === -1 ? slice.length : lf + 1
  // base64 is cut after a multiple of four of its own characters
  let end = lf === -1 ? slice.length : lf + 1
  let digits = 0
  for (let at = 0; at < end; at += 1) if (/* A-Z a-z 0-9 + / = */ slice[at]! > 32) digits += 1
  for (let extra = digits % 4; extra > 0; end -= 1) if (slice[end - 1]! > 32) extra -= 1
  return end
}
