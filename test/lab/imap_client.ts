/** A small IMAP client for tests and benchmarks: sends commands, reads whole responses with their literals, takes them apart. */
import { connect, type Socket } from 'node:net'

/** A parsed value: an atom, quoted string or literal as Buffer; NIL as null; a parenthesised list. */
export type Value = Buffer | null | Value[]

/** One untagged response: its text (literals included, as latin1) and, on demand, its values. */
export class Response {
  constructor(readonly raw: Buffer) {}

  get text(): string {
    return this.raw.toString('latin1')
  }

  /** Everything after `* ` as values. */
  values(): Value[] {
    return parseValues(this.raw)
  }
}

/** What a command was answered. */
export interface Answer {
  /** OK, NO or BAD */
  status: string
  /** the tagged line after the status */
  text: string
  untagged: Response[]
}

export class ImapClient {
  #buffer: Buffer[] = []
  #buffered = 0
  #wake: (() => void) | undefined
  #ended = false
  #tag = 0
  greeting = ''

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#buffer.push(chunk)
      this.#buffered += chunk.length
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
    socket.on('error', () => {})
  }

  /** Connects and reads the greeting. */
  static async connect(port: number, host = '127.0.0.1'): Promise<ImapClient> {
    const socket = connect({ port, host })
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const client = new ImapClient(socket)
    client.greeting = (await client.response()).toString('latin1')
    return client
  }

  /**
   * Sends a command and reads up to its tagged answer.
   * @param command without tag and line end
   * @param literals sent one by one at each continuation request
   */
  async command(command: string, ...literals: Buffer[]): Promise<Answer> {
    const tag = this.send(command)
    const untagged: Response[] = []
    for (;;) {
      const raw = await this.response()
      if (raw[0] === 0x2b) {
        const literal = literals.shift()
        if (literal !== undefined) this.socket.write(literal)
        else this.socket.write('\r\n')
        continue
      }
      const text = raw.toString('latin1')
      if (text.startsWith(`${tag} `)) {
        const rest = text.slice(tag.length + 1)
        const space = rest.indexOf(' ')
        return {
          status: space < 0 ? rest : rest.slice(0, space),
          text: space < 0 ? '' : rest.slice(space + 1),
          untagged,
        }
      }
      untagged.push(new Response(raw))
    }
  }

  /** As `command`. @throws {Error} unless the answer is OK */
  async ok(command: string, ...literals: Buffer[]): Promise<Answer> {
    const answer = await this.command(command, ...literals)
    if (answer.status !== 'OK')
      throw new Error(`${command.replace(/^(LOGIN \S+) .*/, '$1 …')}: ${answer.status} ${answer.text}`)
    return answer
  }

  /** APPEND with a literal. */
  append(mailbox: string, message: Buffer, options = ''): Promise<Answer> {
    return this.ok(
      `APPEND ${mailbox} ${options}${options === '' ? '' : ' '}{${message.length}}`,
      Buffer.concat([message, Buffer.from('\r\n')]),
    )
  }

  /** Sends a command without waiting. @returns its tag */
  send(command: string): string {
    const tag = `t${++this.#tag}`
    this.socket.write(`${tag} ${command}\r\n`)
    return tag
  }

  /** Sends a line without a tag (`DONE`). */
  sendLine(line: string): void {
    this.socket.write(`${line}\r\n`)
  }

  /** The next response: a line without its end, with the literals in it. @throws {Error} when the connection ends */
  async response(): Promise<Buffer> {
    let whole: Buffer = Buffer.alloc(0)
    for (;;) {
      const line = await this.#line()
      whole = whole.length === 0 ? line : Buffer.concat([whole, line])
      const literal = /\{(\d+)\}$/.exec(line.toString('latin1', Math.max(0, line.length - 16)))
      if (literal === null) return whole
      whole = Buffer.concat([whole, Buffer.from('\r\n'), await this.#bytes(Number(literal[1]))])
    }
  }

  async logout(): Promise<void> {
    await this.command('LOGOUT')
    this.socket.destroy()
  }

  close(): void {
    this.socket.destroy()
  }

  async #line(): Promise<Buffer> {
    let seen = 0
    for (;;) {
      const all = this.#joined()
      const end = all.indexOf('\r\n', Math.max(0, seen - 1))
      if (end >= 0) {
        this.#take(end + 2)
        return all.subarray(0, end)
      }
      seen = all.length
      await this.#more()
    }
  }

  async #bytes(count: number): Promise<Buffer> {
    while (this.#buffered < count) await this.#more()
    const all = this.#joined()
    this.#take(count)
    return all.subarray(0, count)
  }

  #joined(): Buffer {
    if (this.#buffer.length > 1) this.#buffer = [Buffer.concat(this.#buffer)]
    return this.#buffer[0] ?? Buffer.alloc(0)
  }

  #take(count: number): void {
    const rest = this.#joined().subarray(count)
    this.#buffer = rest.length === 0 ? [] : [rest]
    this.#buffered = rest.length
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new Error('the server closed the connection')
    await new Promise<void>((resolve) => (this.#wake = resolve))
    this.#wake = undefined
  }
}

/** Takes a response apart; `BODY[…]` with blanks and parentheses inside the brackets is one atom. */
export function parseValues(raw: Buffer): Value[] {
  let at = raw[0] === 0x2a ? 2 : 0
  const list = (): Value[] => {
    const values: Value[] = []
    while (at < raw.length && raw[at] !== 0x29) {
      const byte = raw[at]!
      if (byte === 0x20) at++
      else if (byte === 0x28) {
        at++
        values.push(list())
        at++
      } else if (byte === 0x22) values.push(quoted())
      else if (byte === 0x7b) values.push(literal())
      else values.push(atom())
    }
    return values
  }
  const quoted = (): Buffer => {
    const bytes: number[] = []
    for (at++; raw[at] !== 0x22 && at < raw.length; at++) {
      if (raw[at] === 0x5c) at++
      bytes.push(raw[at]!)
    }
    at++
    return Buffer.from(bytes)
  }
  const literal = (): Buffer => {
    const end = raw.indexOf('}\r\n', at)
    const size = Number(raw.toString('latin1', at + 1, end))
    at = end + 3 + size
    return raw.subarray(end + 3, at)
  }
  const atom = (): Value => {
    const start = at
    let depth = 0
    while (at < raw.length) {
      const byte = raw[at]!
      if (byte === 0x5b) depth++
      else if (byte === 0x5d) depth--
      else if (depth === 0 && (byte === 0x20 || byte === 0x28 || byte === 0x29)) break
      at++
    }
    const text = raw.subarray(start, at)
    return text.toString('latin1').toUpperCase() === 'NIL' ? null : text
  }
  return list()
}
