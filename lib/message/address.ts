/**
 * Address lists of header fields (RFC 5322 §3.4), read as leniently as Cyrus reads them: groups, routes, comments as
 * names, missing domains, garbage. Text is latin1. Pure, linear in the length of the field.
 */

/** One address as ENVELOPE shows it (RFC 3501 §7.4.2); a group begins with only a mailbox and ends with nothing. */
export interface Address {
  readonly name: string | null
  readonly route: string | null
  readonly mailbox: string | null
  readonly domain: string | null
}

const SPACE = /[ \t\r\n\v\f]/
const DOMAIN_CHAR = /[A-Za-z0-9\-[\]:]/
const ROUTE_CHAR = /[A-Za-z0-9\-[\],@]/
/** What Cyrus shows where an address has no domain. */
const NO_DOMAIN = 'unspecified-domain'

class Scanner {
  #at = 0
  constructor(readonly text: string) {}

  /** Steps back over the delimiter just taken. */
  back(): void {
    this.#at -= 1
  }

  /** Takes everything up to and with a character. @returns false when it never comes */
  skipPast(char: string): boolean {
    const found = this.text.indexOf(char, this.#at)
    this.#at = found === -1 ? this.text.length : found + 1
    return found !== -1
  }

  #skipSpace(): void {
    const { text } = this
    for (;;) {
      const char = text[this.#at]
      if (char === '(') this.#skipComment()
      else if (char !== undefined && SPACE.test(char)) this.#at += 1
      else return
    }
  }

  #skipComment(): void {
    const { text } = this
    let depth = 0
    while (this.#at < text.length) {
      const char = text[this.#at++]
      if (char === '\\') this.#at += 1
      else if (char === '(') depth += 1
      else if (char === ')' && --depth === 0) return
    }
    this.#at = Math.min(this.#at, text.length)
  }

  /**
   * Words up to one of the delimiters, quotes undone, blanks and comments each become one space.
   * @returns the words and the delimiter, '' at the end of the text; an unclosed quote ends everything
   */
  phrase(delimiters: string): { phrase: string; delimiter: string } {
    const { text } = this
    let phrase = ''
    this.#skipSpace()
    for (;;) {
      const char = text[this.#at++]
      if (char === undefined || char === '\0' || delimiters.includes(char)) {
        return {
          phrase: phrase.endsWith(' ') ? phrase.slice(0, -1) : phrase,
          delimiter: char === '\0' ? '' : (char ?? ''),
        }
      }
      if (char === '"') {
        const quoted = this.#quoted()
        if (quoted === undefined) {
          this.#at = text.length
          return { phrase: '', delimiter: '' }
        }
        phrase += quoted
      } else if (char === '(' || SPACE.test(char)) {
        this.#at -= 1
        this.#skipSpace()
        phrase += ' '
      } else {
        phrase += char
      }
    }
  }

  #quoted(): string | undefined {
    const { text } = this
    let out = ''
    while (this.#at < text.length) {
      let char = text[this.#at++]!
      if (char === '\r' && text[this.#at] === '\n') {
        this.#at += 1
        continue
      }
      if (char === '"') return out
      if (char === '\\') {
        if (this.#at >= text.length) return undefined
        char = text[this.#at++]!
        if (char === '\r' && text[this.#at] === '\n') {
          this.#at += 1
          continue
        }
      } else if (char === '\n' || char === '\r') {
        char = ' '
      } else if ((char < ' ' && char !== '\t') || char === '\x7f') {
        continue
      }
      out += char
    }
    return undefined
  }

  /** A domain; a comment that ends it is returned for those who write their name there. */
  domain(): { domain: string; comment: string | null; delimiter: string } {
    const { text } = this
    let domain = ''
    let comment: string | null = null
    this.#skipSpace()
    for (;;) {
      const char = text[this.#at++]
      if (char !== undefined && (DOMAIN_CHAR.test(char) || char === '@')) {
        domain += char
        comment = null
      } else if (char === '.') {
        if (domain !== '' && !domain.endsWith('.')) domain += char
        comment = null
      } else if (char === '(') {
        const start = this.#at
        this.#at -= 1
        this.#skipComment()
        const closed = text[this.#at - 1] === ')' ? this.#at - 1 : this.#at
        comment = text.slice(start, closed).replace(/\\([\s\S])/g, '$1')
      } else if (char === undefined || !SPACE.test(char)) {
        return { domain: domain.endsWith('.') ? domain.slice(0, -1) : domain, comment, delimiter: char ?? '' }
      }
    }
  }

  /** A source route, `@one,@two`. */
  route(): { route: string; delimiter: string } {
    const { text } = this
    let route = ''
    this.#skipSpace()
    for (;;) {
      const char = text[this.#at++]
      if (char !== undefined && ROUTE_CHAR.test(char)) {
        route += char
      } else if (char === '.') {
        if (route !== '' && !route.endsWith('.')) route += char
      } else if (char === '(' || (char !== undefined && SPACE.test(char))) {
        this.#at -= 1
        this.#skipSpace()
      } else {
        return { route: route.replace(/[.,@]+$/, ''), delimiter: char ?? '' }
      }
    }
  }
}

function bracketed(scanner: Scanner, name: string): Address {
  const first = scanner.phrase('@>')
  if (first.delimiter !== '@') return address(name, null, first.phrase, '')
  let route: string | null = null
  let mailbox = first.phrase
  if (mailbox === '') {
    scanner.back()
    const taken = scanner.route()
    route = taken.route
    if (taken.delimiter !== ':') {
      if (taken.delimiter !== '' && taken.delimiter !== '>') scanner.skipPast('>')
      return address(name, route, '', '')
    }
    const second = scanner.phrase('@>')
    mailbox = second.phrase
    if (second.delimiter !== '@') return address(name, route, mailbox, '')
  }
  const { domain, delimiter } = scanner.domain()
  if (delimiter !== '' && delimiter !== '>') scanner.skipPast('>')
  return address(name, route, mailbox, domain)
}

function address(name: string | null, route: string | null, mailbox: string, domain: string): Address {
  return { name: name || null, route: route || null, mailbox, domain: domain || NO_DOMAIN }
}

const GROUP_END: Address = { name: null, route: null, mailbox: null, domain: null }

/** @param text a field's value as it stands in the message (folded, latin1)  @returns its addresses in order */
export function parseAddresses(text: string): Address[] {
  const scanner = new Scanner(text.endsWith('\n') ? text.replace(/\r?\n$/, '') : text)
  const found: Address[] = []
  let inGroup = false
  const endGroup = () => {
    found.push(GROUP_END)
    inGroup = false
  }
  for (;;) {
    const { phrase, delimiter } = scanner.phrase(inGroup ? ',@<;' : ',@<:')
    if (delimiter === ',' || delimiter === ';' || delimiter === '') {
      if (phrase !== '') found.push(address(null, null, phrase, ''))
      if (delimiter === ';') endGroup()
      if (delimiter === '') break
    } else if (delimiter === ':') {
      found.push({ name: null, route: null, mailbox: phrase, domain: null })
      inGroup = true
    } else if (delimiter === '@') {
      const end = scanner.domain()
      found.push(address(end.comment, null, phrase, end.domain))
      if (end.delimiter === ';') endGroup()
      if (end.delimiter === '') break
    } else {
      found.push(bracketed(scanner, phrase))
    }
  }
  if (inGroup) found.push(GROUP_END)
  return found
}
