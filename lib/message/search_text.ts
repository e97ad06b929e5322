/**
 * Texts made comparable for SEARCH as Cyrus compares them: decoded to Unicode, without case and accents, white space
 * runs as one blank (`search_skipdiacrit`, `search_whitespace: merge`). Pure.
 */

import { TextDecoder } from 'node:util'

const decoders = new Map<string, TextDecoder | undefined>()
const MAX_DECODERS = 100

function decoder(charset: string): TextDecoder | undefined {
  if (decoders.has(charset)) return decoders.get(charset)
  let found: TextDecoder | undefined
  try {
    found = new TextDecoder(charset)
  } catch {
    found = undefined
  }
  if (decoders.size >= MAX_DECODERS) decoders.clear()
  decoders.set(charset, found)
  return found
}

/** Whether texts in this character set can be decoded. @param charset any case */
export function knowsCharset(charset: string): boolean {
  return decoder(charset.toLowerCase()) !== undefined
}

/** Bytes as Unicode; an unknown character set is read as UTF-8, what cannot be decoded becomes U+FFFD. us-ascii is read as its supersets. */
export function decodeCharset(bytes: Buffer, charset: string): string {
  const name = charset.toLowerCase()
  if (name === 'us-ascii' || name === 'utf-8' || name === '') return bytes.toString('utf8')
  const found = decoder(name)
  return found ? found.decode(bytes) : bytes.toString('utf8')
}

/** The form in which texts are compared: contained in each other here means SEARCH finds it. */
export function searchForm(text: string): string {
  const merged = text.replace(/\s+/g, ' ')
  if (/^[\x00-\x7f]*$/.test(merged)) return merged.toLowerCase()
  return merged
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
}
