/** One end of a captured conversation on a socket, byte for byte. Not a test. */
import net from 'node:net'

/** How long what is expected may take. */
const PATIENCE = 10_000

const open = new Set<Player>()

export class Player {
  #bytes = ''
  #wake: (() => void) | undefined
  ended = false

  constructor(readonly socket: net.Socket) {
    socket.setNoDelay(true)
    open.add(this)
    socket.on('data', (data) => {
      this.#bytes += data.toString('latin1')
      this.#wake?.()
    })
    const end = (): void => {
      this.ended = true
      this.#wake?.()
    }
    socket.on('close', end)
    socket.on('end', end)
    socket.on('error', end)
  }

  static async connect(port: number): Promise<Player> {
    const socket = net.connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new Player(socket)
  }

  say(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'))
  }

  /** As many bytes as are expected, or fewer if no more come; what is more stays. */
  async take(size: number): Promise<string> {
    await this.#until(() => this.#bytes.length >= size)
    const taken = this.#bytes.slice(0, size)
    this.#bytes = this.#bytes.slice(size)
    return taken
  }

  /** Everything up to and with the end of a line that matches. */
  async until(pattern: RegExp): Promise<string> {
    await this.#until(() => pattern.test(this.#bytes))
    const match = pattern.exec(this.#bytes)
    return this.take(match === null ? this.#bytes.length : match.index + match[0].length)
  }

  /** A command, or part of one that ends with a literal that must be asked for, and the answer to its last line. */
  async ask(text: string): Promise<string> {
    this.say(text)
    return this.until(/^(?:OK|NO|BAD|\+)[^\n]*\n/m)
  }

  /** What has come and nobody expected. */
  get rest(): string {
    return this.#bytes
  }

  close(): void {
    open.delete(this)
    this.socket.destroy()
  }

  /** At the end of a test. */
  static closeAll(): void {
    for (const player of open) player.close()
  }

  async #until(enough: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE
    while (!enough() && !this.ended && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now())
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}
