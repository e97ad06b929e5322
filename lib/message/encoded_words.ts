/** Encoded words of header fields (RFC 2047, RFC 2231 §5) decoded. Pure. */
import { decodeCharset } from './search_text.js'
import { decodeQuotedPrintable } from './transfer_encoding.js'

const WORD = /=\?([^?*\s]{1,64})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=/g

interface Run {
  readonly charset: string
  readonly bytes: Buffer[]
}

/**
 * A field's value as Unicode. White space between encoded words vanishes; adjacent words of one character set are
 * joined before decoding, as senders split characters across words. Bytes outside of words are UTF-8 if they can be.
 * @param value latin1
 */
export function decodeHeader(value: string): string {
  if (!value.includes('=?')) return plain(value)
  let out = ''
  let run: Run | undefined
  let last = 0
  const flush = () => {
    if (run) out += decodeCharset(Buffer.concat(run.bytes), run.charset)
    run = undefined
  }
  for (const match of value.matchAll(WORD)) {
    const between = value.slice(last, match.index)
    const charset = match[1]!.toLowerCase()
    const adjacent = run !== undefined && /^\s*$/.test(between)
    if (!adjacent || run!.charset !== charset) flush()
    if (!adjacent) out += plain(between)
    const bytes = wordBytes(match[2]!, match[3]!)
    if (run) run.bytes.push(bytes)
    else run = { charset, bytes: [bytes] }
    last = match.index + match[0].length
  }
  flush()
  return out + plain(value.slice(last))
}

function wordBytes(encoding: string, text: string): Buffer {
  if (encoding === 'b' || encoding === 'B') return Buffer.from(text, 'base64')
  return decodeQuotedPrintable(Buffer.from(text.replace(/_/g, ' '), 'latin1'))
}

function plain(text: string): string {
  return /[\x80-\xff]/.test(text) ? decodeCharset(Buffer.from(text, 'latin1'), 'utf-8') : text
}
