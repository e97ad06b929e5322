/** Strings on their way to a client: atom, quoted or literal, chosen as Cyrus chooses (prot_printastring). Pure. */

const MAX_QUOTED = 1024

/** An astring: as an atom where that can be, else quoted, else a literal. Text is latin1, one character a byte. */
export function astring(text: string): string {
  if (
    text !== '' &&
    text.length < MAX_QUOTED &&
    !/[^!#$&'+,\-./0-9:;<=>?@A-Z[\]^_`a-z|}~]/.test(text) &&
    !/^nil$/i.test(text)
  )
    return text
  return quotedOrLiteral(text)
}

/** A string: quoted, or a literal when it is long or holds NUL, CR, LF, `"`, `%`, `\` or 8-bit. */
export function quotedOrLiteral(text: string): string {
  if (text.length >= MAX_QUOTED || /[\0\r\n"%\\\x80-\xff]/.test(text)) return `{${text.length}}\r\n${text}`
  return `"${text}"`
}

/** The head of a string whose bytes follow: `{5}\r\n`; an empty one is `""` in whole. */
export function literalHead(size: number): string {
  return size === 0 ? '""' : `{${size}}\r\n`
}
