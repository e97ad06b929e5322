/** A small LMTP client: one connection, one message after the other, each with the reply for every recipient. */
import { connect, type Socket } from 'node:net'

export class LmtpClient {
  #buffer = ''
  #wake: (() => void) | undefined
  #ended = false

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#buffer += chunk.toString('latin1')
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
    socket.on('error', () => {})
  }

  /** Connects to a port of 127.0.0.1 or to a UNIX socket, and says LHLO. */
  static async connect(where: number | string): Promise<LmtpClient> {
    const socket = typeof where === 'number' ? connect({ port: where, host: '127.0.0.1' }) : connect({ path: where })
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const client = new LmtpClient(socket)
    await client.reply()
    await client.command('LHLO lab.example')
    return client
  }

  /**
   * Delivers one message.
   * @param message with CRLF line ends
   * @returns the reply for each recipient, in order: `250 2.1.5 Ok`
   * @throws {Error} if MAIL, or every recipient, or DATA is refused
   */
  async deliver(message: Buffer, ...recipients: string[]): Promise<string[]> {
    const envelope = [
      'MAIL FROM:<sender@example.com>',
      ...recipients.map((recipient) => `RCPT TO:<${recipient}>`),
      'DATA',
    ]
    this.socket.write(`${envelope.join('\r\n')}\r\n`)
    const replies: string[] = []
    for (const line of envelope) {
      const reply = await this.reply()
      if (/^[45]/.test(reply) && line === 'DATA') throw new Error(`DATA: ${reply}`)
      if (/^[45]/.test(reply) && line.startsWith('MAIL')) throw new Error(`${line}: ${reply}`)
      replies.push(reply)
    }
    this.socket.write(stuffed(message))
    const accepted = replies.slice(1, -1).filter((reply) => reply.startsWith('2')).length
    const results: string[] = []
    for (let n = 0; n < accepted; n++) results.push(await this.reply())
    return results
  }

  /** Sends a line and reads its reply. */
  async command(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`)
    return this.reply()
  }

  /** One reply; of several lines, joined by \n. */
  async reply(): Promise<string> {
    for (;;) {
      const match = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/.exec(this.#buffer)
      if (match !== null) {
        this.#buffer = this.#buffer.slice(match[0].length)
        return match[0].trimEnd().replaceAll('\r\n', '\n')
      }
      if (this.#ended) throw new Error('the LMTP server closed the connection')
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }

  async quit(): Promise<void> {
    await this.command('QUIT').catch(() => '')
    this.socket.destroy()
  }
}

/** A message as DATA carries it: dots doubled at line starts, a lone dot at the end (RFC 5321 §4.5.2). */
export function stuffed(message: Buffer): Buffer {
  const text = message.toString('latin1').replace(/(^|\r\n)\./g, '$1..')
  return Buffer.from(`${text.endsWith('\r\n') ? text : `${text}\r\n`}.\r\n`, 'latin1')
}
