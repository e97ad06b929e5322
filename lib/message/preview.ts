/** The first words of a message for PREVIEW (RFC 8970): what a person would read first. Pure. */

/** Characters of a preview (RFC 8970 §3.1). */
export const PREVIEW_LENGTH = 200
/** Bytes of a part's body that are looked at for it. */
export const PREVIEW_BYTES = 16 * 1024

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

/** @param text a part's beginning, decoded  @returns its first words on one line, at most 200 characters */
export function previewOf(text: string, isHtml: boolean): string {
  const plain = isHtml ? withoutMarkup(text) : withoutQuotes(text)
  const line = plain.replace(/[\s\p{C}\ufffd]+/gu, ' ').trim()
  return [...line].slice(0, PREVIEW_LENGTH).join('').trimEnd()
}

/** Lines that quote an earlier message say nothing new, unless there is nothing else. */
function withoutQuotes(text: string): string {
  const own = text
    .split('\n')
    .filter((line) => !line.startsWith('>'))
    .join('\n')
  return /\S/.test(own) ? own : text
}

function withoutMarkup(html: string): string {
  return html
    .replace(/<(script|style|head|title)\b[\s\S]*?(?:<\/\1\s*>|$)/gi, ' ')
    .replace(/<!--[\s\S]*?(?:-->|$)/g, ' ')
    .replace(/<[^>]*(?:>|$)/g, ' ')
    .replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,6}));/gi, (whole, decimal, hex, name: string | undefined) => {
      if (name) return ENTITIES[name.toLowerCase()] ?? whole
      const code = decimal ? Number(decimal) : Number.parseInt(hex, 16)
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : ' '
    })
}
