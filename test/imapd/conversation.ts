/**
 * A script player for IMAP conversations. Each line of a script is `NAME> text` (sent, CRLF added), `NAME< text`
 * (expected, in order, nothing between) or `NAME~ text` (expected, whatever untagged answers stand before it); NAME is a connection, opened when first used, its greeting read. In sent and
 * expected text `\r\n` stands for a line end within (literals), `…` in expected text for anything.
 */
import { once } from 'node:events'
import net from 'node:net'
import type { Test } from 'tap'

class Client {
  #data = Buffer.alloc(0)
  #ended = false
  #wake: (() => void) | undefined

  constructor(readonly socket: net.Socket) {
    socket.on('data', (chunk) => {
      this.#data = Buffer.concat([this.#data, chunk])
      this.#wake?.()
    })
    const end = () => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', end)
    socket.on('error', end)
  }

  /** The next answer with the literals in it, without its CRLF, latin1; `EOF` at the end. */
  async next(): Promise<string> {
    for (;;) {
      const length = this.#complete()
      if (length > 0) {
        const answer = this.#data.toString('latin1', 0, length - 2)
        this.#data = this.#data.subarray(length)
        return answer
      }
      if (this.#ended) return 'EOF'
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Whether nothing has come that was not read. */
  get quiet(): boolean {
    return this.#data.length === 0
  }

  #complete(): number {
    let from = 0
    for (;;) {
      const lf = this.#data.indexOf('\r\n', from)
      if (lf === -1) return 0
      const literal = /\{(\d+)\}$/.exec(this.#data.toString('latin1', Math.max(from, lf - 14), lf))
      if (!literal) return lf + 2
      from = lf + 2 + Number(literal[1])
      if (from > this.#data.length) return 0
    }
  }
}

export class Conversation {
  readonly #clients = new Map<string, Client>()

  constructor(
    readonly t: Test,
    readonly port: number,
  ) {
    t.teardown(() => {
      for (const { socket } of this.#clients.values()) socket.destroy()
    })
  }

  async client(name: string): Promise<Client> {
    let client = this.#clients.get(name)
    if (!client) {
      const socket = net.connect({ port: this.port, host: '127.0.0.1', noDelay: true })
      await once(socket, 'connect')
      client = new Client(socket)
      this.#clients.set(name, client)
      const greeting = await client.next()
      if (!greeting.startsWith('* OK [CAPABILITY ')) this.t.fail(`greeting: ${greeting}`)
    }
    return client
  }

  /** Plays a script; stops at the first answer that differs. @returns what the `…` of all expected lines stood for */
  async play(script: string): Promise<string[]> {
    const matched: string[] = []
    for (const line of script.split('\n')) {
      const step = /^\s*(\w+)([<>~]) ?(.*)$/.exec(line)
      if (!step) continue
      const [, name, direction, text] = step as unknown as [string, string, string, string]
      const client = await this.client(name)
      const plain = text.replaceAll('\\r\\n', '\r\n')
      if (direction === '>') {
        client.socket.write(Buffer.from(`${plain}\r\n`, 'latin1'))
        continue
      }
      let answer = await client.next()
      const parts = plain.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      const pattern = new RegExp(`^${parts.join('([^]*)')}$`)
      while (direction === '~' && answer.startsWith('* ') && !pattern.test(answer)) answer = await client.next()
      const found = pattern.exec(answer)
      if (!found) {
        this.t.equal(answer, plain, `${name} answers`)
        throw new Error(`conversation broke off at: ${line.trim()}\n  got: ${answer}`)
      }
      this.t.ok(true, `${name}< ${text}`)
      matched.push(...found.slice(1))
    }
    return matched
  }
}
