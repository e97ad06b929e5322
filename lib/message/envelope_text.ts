/** A stored ENVELOPE taken apart again, as far as sorting and threading need it. Pure. */

/** Values are as in the header, latin1, encoded words and all; null is NIL. */
export interface EnvelopeFields {
  readonly date: string | null
  readonly subject: string | null
  readonly from: EnvelopeAddress | undefined
  readonly to: EnvelopeAddress | undefined
  readonly cc: EnvelopeAddress | undefined
  readonly inReplyTo: string | null
  readonly messageId: string | null
}

/** The first address of a field. */
export interface EnvelopeAddress {
  readonly name: string | null
  readonly mailbox: string | null
  readonly host: string | null
}

/** @param envelope as summary.ts keeps it */
export function readEnvelope(envelope: Buffer): EnvelopeFields {
  const reader = new Reader(envelope.toString('latin1'))
  const date = reader.nstring()
  const subject = reader.nstring()
  const from = reader.addresses()
  reader.addresses() // sender
  reader.addresses() // reply-to
  const to = reader.addresses()
  const cc = reader.addresses()
  reader.addresses() // bcc
  return { date, subject, from, to, cc, inReplyTo: reader.nstring(), messageId: reader.nstring() }
}

class Reader {
  #at = 1

  constructor(readonly text: string) {}

  nstring(): string | null {
    const { text } = this
    while (text[this.#at] === ' ') this.#at += 1
    const start = this.#at
    if (text[start] === '"') {
      const end = text.indexOf('"', start + 1)
      this.#at = end + 1
      return text.slice(start + 1, end)
    }
    if (text[start] === '{') {
      const brace = text.indexOf('}', start)
      const size = Number(text.slice(start + 1, brace))
      this.#at = brace + 3 + size
      return text.slice(brace + 3, this.#at)
    }
    this.#at += 3
    return null
  }

  /** Goes past a list of addresses. @returns the first; a group's name stands where its mailbox would */
  addresses(): EnvelopeAddress | undefined {
    const { text } = this
    while (text[this.#at] === ' ') this.#at += 1
    if (text[this.#at] !== '(') {
      this.#at += 3
      return undefined
    }
    this.#at += 1
    let first: EnvelopeAddress | undefined
    while (text[this.#at] === '(') {
      this.#at += 1
      const name = this.nstring()
      this.nstring()
      const address = { name, mailbox: this.nstring(), host: this.nstring() }
      this.#at += 1
      if (address.mailbox !== null) first ??= address
    }
    this.#at += 1
    return first
  }
}
