/** An IMAP client for measurements. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { PASSWORD } from '../test/lab/instance.js'

/** A client that only counts what comes until its command is answered, so that it is the server that is measured. */
export class Probe {
  #tag = 0
  #waiting: { tag: string; tail: string; bytes: number; done: (bytes: number) => void } | undefined
  /** called for untagged data while nothing is waited for */
  onData: ((text: string) => void) | undefined

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => {})
  }

  static async open(port: number): Promise<Probe> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'data')
    return new Probe(socket)
  }

  static async login(port: number, user: string, password = PASSWORD): Promise<Probe> {
    const probe = await Probe.open(port)
    await probe.run(`LOGIN ${user} ${password}`)
    return probe
  }

  #take(chunk: Buffer): void {
    const { length } = chunk
    const text = chunk.toString('latin1', Math.max(0, length - 4000))
    const waiting = this.#waiting
    if (!waiting) {
      this.onData?.(chunk.toString('latin1'))
      return
    }
    waiting.bytes += length
    waiting.tail = (waiting.tail + text).slice(-8000)
    if (!waiting.tail.endsWith('\r\n')) return
    const line = waiting.tail.slice(waiting.tail.lastIndexOf('\n', waiting.tail.length - 2) + 1)
    if (!line.startsWith(`${waiting.tag} `)) return
    this.#waiting = undefined
    if (!line.startsWith(`${waiting.tag} OK`)) throw new Error(line)
    waiting.done(waiting.bytes)
  }

  /** @returns bytes answered @throws unless the answer is OK */
  run(command: string | Buffer): Promise<number> {
    const tag = `t${++this.#tag}`
    return new Promise((done) => {
      this.#waiting = { tag, tail: '', bytes: 0, done }
      this.socket.write(`${tag} `)
      this.socket.write(command)
      this.socket.write('\r\n')
    })
  }

  /** Begins IDLE. */
  async idle(): Promise<void> {
    const tag = `t${++this.#tag}`
    const begun = new Promise<void>((resolve) => (this.onData = (text) => text.includes('+') && resolve()))
    this.socket.write(`${tag} IDLE\r\n`)
    await begun
  }
}
