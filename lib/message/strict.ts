/**
 * Whether bytes are a message that may be stored (what Cyrus checks of APPEND and LMTP): no NUL, no bare LF, a header
 * whose lines are fields. Checked as the bytes stream by; nothing is kept. Pure.
 */
const LF = 10
const CR = 13
const SP = 32
const TAB = 9
const COLON = 58
const FROM_LINE = Buffer.from('From ')

type Where = 'line start' | 'name' | 'rest of line'

export class MessageCheck {
  readonly #allowNul: boolean
  #problem: string | undefined
  #inHeader = true
  #where: Where = 'line start'
  #last = LF
  /** bytes of the line's beginning, while it may still be an mbox "From " line */
  #from = 0

  /** @param options allowNul: for what was sent as binary (RFC 3516) */
  constructor({ allowNul = false }: { allowNul?: boolean } = {}) {
    this.#allowNul = allowNul
  }

  /** Looks at the next bytes. */
  push(chunk: Buffer): void {
    if (this.#problem !== undefined && this.#problem !== BAD_HEADER) return
    if (!this.#allowNul && chunk.includes(0)) {
      this.#problem = 'Message contains NUL characters'
      return
    }
    let at = 0
    while (this.#inHeader && at < chunk.length) this.#header(chunk[at++]!)
    this.#body(chunk, at)
  }

  /** @returns what is wrong with the message, undefined if nothing is */
  end(): string | undefined {
    if (this.#problem === undefined && this.#inHeader && this.#where !== 'line start') return BAD_HEADER
    return this.#problem
  }

  #header(byte: number): void {
    if (byte === LF) {
      if (this.#last !== CR) this.#problem = BARE_NEWLINE
      else if (this.#where === 'line start') this.#inHeader = false
      // a name without a colon, up to the CR, passes as it does in Cyrus only if nothing else is wrong with it
      this.#where = 'line start'
      this.#from = 0
    } else if (byte === CR) {
      if (this.#where === 'name') this.#badHeader()
    } else if (this.#where === 'line start') {
      this.#from = byte === FROM_LINE[0] ? 1 : 0
      this.#where = byte === SP || byte === TAB ? 'rest of line' : 'name'
      if (this.#where === 'name' && (byte === COLON || byte < SP)) this.#badHeader()
    } else if (this.#where === 'name') {
      if (byte === COLON) this.#where = 'rest of line'
      else if (this.#from > 0 && byte === FROM_LINE[this.#from]) this.#fromLine()
      else if (byte <= SP) this.#badHeader()
      else this.#from = 0
    }
    this.#last = byte
  }

  #fromLine(): void {
    this.#from += 1
    if (this.#from === FROM_LINE.length) this.#where = 'rest of line'
  }

  #badHeader(): void {
    this.#problem ??= BAD_HEADER
    this.#where = 'rest of line'
  }

  #body(chunk: Buffer, from: number): void {
    for (let lf = chunk.indexOf(LF, from); lf !== -1; lf = chunk.indexOf(LF, lf + 1)) {
      if ((lf > 0 ? chunk[lf - 1] : this.#last) !== CR) {
        this.#problem = BARE_NEWLINE
        return
      }
    }
    this.#last = chunk[chunk.length - 1] ?? this.#last
  }
}

const BAD_HEADER = 'Message contains invalid header'
const BARE_NEWLINE = 'Message contains bare newlines'
