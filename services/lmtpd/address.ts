/**
 * The arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3, §4.1.2; RFC 1870; RFC 6152; RFC 4954 §5; Cyrus' IGNOREQUOTA). Pure.
 */

/** A path: `mailbox` is what stands between the angle brackets after any source route, '' for `<>`. */
export interface Path {
  /** local part as it is meant: unquoted, backslashes undone, 8-bit characters as X */
  readonly local: string
  /** undefined without @ */
  readonly domain: string | undefined
  /** `local@domain` as written */
  readonly mailbox: string
}

/** An argument that is refused, with the reply's code and text. */
export class ArgumentError extends Error {}

const SYNTAX = '501 5.5.4 Syntax error in parameters'
const ROUTE = /^(?:@(?:\[[\d.]*\]|[A-Za-z0-9.-]*)(?:,(?=@)|:(?!@)))*/
const DOMAIN = /^@(\[[\d.]*\]|\[IPv6:[\da-fA-F:.]*\]|[A-Za-z0-9.-]*)/

/**
 * Reads `<path>` at the start of a text. 8-bit characters of the local part become X, so that nobody is made a source of backscatter by
 * addresses that an MTA let through.
 * @param text latin-1
 * @returns the path and what follows it
 * @throws {ArgumentError}
 */
export function parsePath(text: string): { path: Path; rest: string } {
  if (text[0] !== '<') throw new ArgumentError(SYNTAX)
  let at = 1 + ROUTE.exec(text.slice(1))![0].length
  const start = at
  let local = ''
  if (text[at] === '"') {
    for (at++; text[at] !== '"'; at++) {
      if (text[at] === '\\') at++
      if (text[at] === undefined) throw new ArgumentError(SYNTAX)
      local += text[at]
    }
    at++
  } else {
    for (; at < text.length && text[at] !== '@' && text[at] !== '>'; at++) {
      if (text[at] === '\\') {
        at++
        if (text[at] === undefined) throw new ArgumentError(SYNTAX)
      } else if (text[at]! <= ' ' || '<>()[]\\,;:"\x7f'.includes(text[at]!)) throw new ArgumentError(SYNTAX)
      local += text[at]
    }
  }
  const domain = DOMAIN.exec(text.slice(at))
  if (domain !== null) at += domain[0].length
  const mailbox = text.slice(start, at)
  const after = text[at + 1]
  if (text[at] !== '>' || (after !== undefined && after !== ' ')) throw new ArgumentError(SYNTAX)
  return {
    path: { local: munged(local), domain: domain?.[1], mailbox: munged(mailbox) },
    rest: text.slice(at + 1),
  }
}

const munged = (text: string): string => text.replace(/[\x80-\xff]/g, 'X')

/** What MAIL says. */
export interface MailArguments {
  readonly path: Path
  /** SIZE=, bytes; 0 if not said */
  readonly size: number
  /** AUTH=, the user on whose behalf; undefined if not said or `<>` */
  readonly authUser: string | undefined
}

/**
 * @param text what follows `MAIL `
 * @param largest bytes, 0 for no limit
 * @throws {ArgumentError}
 */
export function parseMail(text: string, largest: number): MailArguments {
  if (!/^from:/i.test(text)) throw new ArgumentError(SYNTAX)
  const { path, rest } = parsePath(text.slice(5))
  let size = 0
  let authUser: string | undefined
  for (const word of words(rest)) {
    const [, name = '', value = ''] = /^([A-Za-z0-9-]+)=(.*)$/s.exec(word) ?? []
    switch (name.toUpperCase()) {
      case 'SIZE':
        if (!/^\d+$/.test(value)) throw new ArgumentError('501 5.5.2 SIZE requires a value')
        size = Number(value)
        if (size > (largest || 2 ** 31 - 1)) {
          throw new ArgumentError(
            `552 5.2.3 Message SIZE exceeds fixed maximum message size (${largest || 2 ** 31 - 1})`,
          )
        }
        break
      case 'BODY':
        if (!/^(7bit|8bitmime)$/i.test(value)) throw new ArgumentError('501 5.5.4 Unrecognized BODY type')
        break
      case 'AUTH':
        authUser = value === '' || value === '<>' ? undefined : unXtext(value)
        break
      default:
        throw new ArgumentError('501 5.5.4 Unrecognized parameters')
    }
  }
  return { path, size, authUser }
}

/** What RCPT says. */
export interface RecipientArguments {
  readonly path: Path
  readonly ignoreQuota: boolean
}

/** @param text what follows `RCPT `  @throws {ArgumentError} */
export function parseRecipient(text: string): RecipientArguments {
  if (!/^to:/i.test(text)) throw new ArgumentError(SYNTAX)
  const { path, rest } = parsePath(text.slice(3))
  let ignoreQuota = false
  for (const word of words(rest)) {
    if (!/^ignorequota$/i.test(word)) throw new ArgumentError('501 5.5.4 Unrecognized parameters')
    ignoreQuota = true
  }
  return { path, ignoreQuota }
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '')
}

/** xtext of RFC 3461 §4. */
function unXtext(text: string): string {
  return text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
