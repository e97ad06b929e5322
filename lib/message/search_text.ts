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

/** Code points that NFKD leaves apart and Cyrus does not. */
const ALIKE: Readonly<Record<string, string>> = { ς: 'σ', ı: 'i', '⁄': '/' }

/**
 * The form in which texts are compared: contained in each other here means SEARCH finds it. Made code point by code point, but for runs of
 * white space: what a text contains, its form contains.
 */
export function searchForm(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.replace(/\s+/g, ' ').toLowerCase()
  return (
    text
      .normalize('NFKD')
      // marks of other scripts are letters to those who write them
      .replace(/[\u0300-\u036f]+/g, '')
      .toLowerCase()
      .replace(/[ςı⁄]/g, (point) => ALIKE[point]!)
      // U+FEFF is no white space but to JavaScript
      .replace(/[^\S\ufeff]+/g, ' ')
  )
}
