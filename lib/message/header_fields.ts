/**
 * The fields of a header block, found by offset. Text here is latin1: one character a byte, so lengths and offsets
 * are those of the message and nothing is lost whatever the bytes are. Lenient as Cyrus: CRLF and bare LF both end a
 * line, a line that is no field is passed over. Pure.
 */

/** One field; offsets count from the start of the text. */
export interface HeaderField {
  /** Lower-case name. */
  readonly name: string
  /** Where the field's first line begins. */
  readonly start: number
  /** What follows the colon begins here. */
  readonly valueStart: number
  /** Past the last line's LF (or the end of the text). */
  readonly end: number
}

const NAME_MAX = 256

function skipContinuations(text: string, from: number): number {
  let end = text.indexOf('\n', from)
  while (end !== -1 && (text[end + 1] === ' ' || text[end + 1] === '\t')) end = text.indexOf('\n', end + 1)
  return end === -1 ? text.length : end + 1
}

/**
 * All fields in order. A name is what stands before the colon, without blanks (RFC 5322 §3.6.8); "Subject :" is none.
 * @param text a header block, with or without its closing empty line
 * @param maxLines lines looked at; Cyrus stops after `maxheaderlines`
 */
export function headerFields(text: string, maxLines = 1000): HeaderField[] {
  const fields: HeaderField[] = []
  let at = 0
  for (let lines = 0; at < text.length && lines < maxLines; lines += 1) {
    const colon = text.indexOf(':', at)
    if (colon === -1) break
    const lf = text.indexOf('\n', at)
    if (lf !== -1 && lf < colon) {
      at = lf + 1
      continue
    }
    const name = colon - at <= NAME_MAX ? text.slice(at, colon).toLowerCase() : ''
    const end = skipContinuations(text, colon)
    if (/^[!-9;-~]+$/.test(name)) fields.push({ name, start: at, valueStart: colon + 1, end })
    at = end
  }
  return fields
}

/** A field's value on one line: leading blanks and every line end taken out, what else it holds kept (Cyrus' envelope). */
export function unfolded(text: string, field: HeaderField): string {
  let start = field.valueStart
  let end = field.end
  if (text[end - 1] === '\n') end -= 1
  if (end > start && text[end - 1] === '\r') end -= 1
  while (start < end && (text[start] === ' ' || text[start] === '\t')) start += 1
  const value = text.slice(start, end)
  return value.includes('\n') ? value.replace(/\r?\n/g, '') : value
}
