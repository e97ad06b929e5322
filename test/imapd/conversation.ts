/**
 * A script player for IMAP conversations. Each line of a script is `NAME> text` (sent, CRLF added), `NAME< text`
 * (expected, in order, nothing between) or `NAME~ text` (expected, whatever untagged answers stand before it); NAME is a connection, opened when first used, its greeting read. In sent and
 * expected text `\r\n` stands for a line end within (literals), `…` in expected text for anything.
 */
import type { Test } from 'tap'
import { Wire } from './wire.js'

export class Conversation {
  readonly #clients = new Map<string, Wire>()

  constructor(
    readonly t: Test,
    readonly port: number,
  ) {
    t.teardown(() => {
      for (const { socket } of this.#clients.values()) socket.destroy()
    })
  }

  async client(name: string): Promise<Wire> {
    let client = this.#clients.get(name)
    if (!client) {
      client = await Wire.open(this.port)
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
        client.write(`${plain}\r\n`)
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
