/** Modified UTF-7, the encoding of mailbox names on the wire (RFC 3501 §5.1.3). Pure. */

/** @param text any Unicode  @returns ASCII */
export function encodeMailboxUtf7(text: string): string {
  return text.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === '&') return '&-'
    const utf16 = Buffer.from(run, 'utf16le').swap16()
    return `&${utf16.toString('base64').replace(/=+$/, '').replace(/\//g, ',')}-`
  })
}

/**
 * @returns the Unicode text
 * @throws {RangeError} on what is no valid, shortest encoding: 8-bit, an open shift, encoded printable ASCII, half a surrogate pair
 */
export function decodeMailboxUtf7(name: string): string {
  if (/[^\x20-\x7e]/.test(name)) throw new RangeError('not modified UTF-7: unencoded character')
  const text = name.replace(/&([^-]*)(-?)/g, (_, shifted: string, end: string) => {
    if (end === '') throw new RangeError('not modified UTF-7: "&" without "-"')
    return shifted === '' ? '&' : decodeShifted(shifted)
  })
  if (encodeMailboxUtf7(text) !== name) throw new RangeError('not modified UTF-7: not the shortest form')
  return text
}

function decodeShifted(shifted: string): string {
  if (/[^A-Za-z0-9+,]/.test(shifted)) throw new RangeError('not modified UTF-7: bad base64')
  const bytes = Buffer.from(shifted.replace(/,/g, '/'), 'base64')
  if (bytes.length === 0 || bytes.length % 2 === 1) throw new RangeError('not modified UTF-7: bad base64')
  const text = Buffer.from(bytes).swap16().toString('utf16le')
  if (/\p{Surrogate}/u.test(text)) throw new RangeError('not modified UTF-7: half a surrogate pair')
  return text
}
