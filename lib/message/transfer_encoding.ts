/** Content transfer encodings undone (RFC 2045 §6), leniently: what is malformed is passed over or kept. Pure. */
import type { Encoding } from './sections.js'

const EQUALS = 61
const LF = 10
const CR = 13

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1
  if (byte >= 48 && byte <= 57) return byte - 48
  const lower = byte | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** Quoted-printable; soft line breaks vanish, a malformed `=` stays. */
export function decodeQuotedPrintable(bytes: Buffer): Buffer {
  if (bytes.indexOf(EQUALS) === -1) return bytes
  const out = Buffer.allocUnsafe(bytes.length)
  let length = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]!
    if (byte !== EQUALS) {
      out[length++] = byte
      continue
    }
    const high = hexDigit(bytes[at + 1])
    const low = hexDigit(bytes[at + 2])
    if (high >= 0 && low >= 0) {
      out[length++] = high * 16 + low
      at += 2
      continue
    }
    let end = at + 1
    while (bytes[end] === 32 || bytes[end] === 9) end += 1
    if (bytes[end] === CR && bytes[end + 1] === LF) at = end + 1
    else if (bytes[end] === LF) at = end
    else out[length++] = byte
  }
  return out.subarray(0, length)
}

/** Base64; anything that is no base64 is skipped. */
export function decodeBase64(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1'), 'base64')
}

/** @returns undefined when the encoding is unknown */
export function decodeBody(bytes: Buffer, encoding: Encoding): Buffer | undefined {
  switch (encoding) {
    case 'none':
      return bytes
    case 'quoted-printable':
      return decodeQuotedPrintable(bytes)
    case 'base64':
      return decodeBase64(bytes)
    case 'unknown':
      return undefined
  }
}

/** Where the beginning of a body can be cut so that both pieces decode by themselves. @returns bytes of the first piece */
export function decodableEnd(slice: Buffer, encoding: Encoding): number {
  if (encoding === 'none') return slice.length
  const lf = slice.lastIndexOf(LF)
  let end = lf === -1 ? slice.length : lf + 1
  if (encoding !== 'base64') return end
  // base64 is cut after a multiple of four of its own characters
  let digits = 0
  for (let at = 0; at < end; at += 1) if (/* A-Z a-z 0-9 + / = */ slice[at]! > 32) digits += 1
  for (let extra = digits % 4; extra > 0; end -= 1) if (slice[end - 1]! > 32) extra -= 1
  return end
}
