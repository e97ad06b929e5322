/**
 * The texts of a message in which SEARCH looks, in the form in which they are compared (lib/message/search_text.ts): the header of the message
 * and of each part, and the bodies that are text, decoded. SEARCH reads them here, and so does who fills the search index:
 * whoever changes what is read raises the version in lib/store/search_file.ts.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { TextDecoder } from 'node:util'
import { decodeHeader } from '../message/encoded_words.js'
import { headerFields, unfolded } from '../message/header_fields.js'
import { decodeCharset, knowsCharset, searchForm } from '../message/search_text.js'
import type { Part } from '../message/sections.js'
import { decodableEnd, decodeBody } from '../message/transfer_encoding.js'
import type { MessageSource } from './message_source.js'

/** Bytes decoded at once. */
const SLICE = 256 * 1024

/** Fields of a part's header with their names, as they can be read in the message. @throws {MessageFileError} */
export async function headerText(source: MessageSource, { headerStart, headerSize }: Part): Promise<string> {
  const text = (await source.bytes(headerStart, headerSize)).toString('latin1')
  const fields = headerFields(text, Number.POSITIVE_INFINITY)
  return searchForm(fields.map((field) => `${field.name}: ${decodeHeader(unfolded(text, field))}`).join('\n'))
}

/**
 * Gives a text part's body piece by piece, however large it is, until it is told to stop; others get their turn between pieces. The pieces
 * one behind the other are the text. A body whose transfer encoding is unknown has none.
 * @param take a piece  @returns whether to stop  @throws {MessageFileError}
 */
export async function eachTextPiece(
  source: MessageSource,
  part: Part,
  take: (piece: string) => boolean,
): Promise<void> {
  const { bodyStart, bodySize, encoding, charset } = part
  if (bodySize <= SLICE) {
    const body = decodeBody(await source.bytes(bodyStart, bodySize), encoding)
    if (body !== undefined) take(searchForm(decodeCharset(body, charset)))
    return
  }
  const decoder = new TextDecoder(charset !== 'us-ascii' && knowsCharset(charset) ? charset : 'utf-8')
  let rest: Buffer = Buffer.alloc(0)
  let endsBlank = false
  for (let at = 0; at < bodySize; ) {
    const length = Math.min(SLICE, bodySize - at)
    const slice = Buffer.concat([rest, await source.bytes(bodyStart + at, length)])
    at += length
    const end = at < bodySize ? decodableEnd(slice, encoding) : slice.length
    rest = slice.subarray(end)
    const body = decodeBody(slice.subarray(0, end), encoding)
    if (body === undefined) return
    const piece = searchForm(decoder.decode(body, { stream: at < bodySize }))
    // a run of white space is one blank, also across pieces
    if (take(endsBlank && piece.startsWith(' ') ? piece.slice(1) : piece)) return
    if (piece !== '') endsBlank = piece.endsWith(' ')
    await nextTurn()
  }
}

/** Whether a string stands in a text part's body. @param value in the form of searchForm  @throws {MessageFileError} */
export async function textContains(source: MessageSource, part: Part, value: string): Promise<boolean> {
  let found = false
  let before = ''
  await eachTextPiece(source, part, (piece) => {
    // what begins in one piece may end in the next
    const text = before + piece
    found = text.includes(value)
    before = value.length > 1 ? text.slice(1 - value.length) : ''
    return found
  })
  return found
}
