/** One connection to a server under test: text goes out, whole answers come in, one after the other. */
import { once } from 'node:events'
import net from 'node:net'

export class Wire {
  #data = Buffer.alloc(0)
  /** where the first answer begins that was not taken */
  #from = 0
  #ended = false
  #wake: (() => void) | undefined

  private constructor(
    readonly socket: net.Socket,
    private readonly patience: number | undefined,
  ) {
    socket.on('data', (chunk) => {
      this.#data = Buffer.concat([this.#data.subarray(this.#from), chunk])
      this.#from = 0
      this.#wake?.()
    })
    const end = () => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', end)
    socket.on('error', end)
    socket.on('close', end)
  }

  /** @param patience milliseconds after which a silent server counts as gone; for ever unless told */
  static async open(port: number, patience?: number): Promise<Wire> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Wire(socket, patience)
  }

  /** @param text latin1 */
  write(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'))
  }

  /** The next answer with the literals in it, without its CRLF, latin1; `EOF` at the end. */
  async next(): Promise<string> {
    for (;;) {
      const end = this.#complete()
      if (end > 0) {
        const answer = this.#data.toString('latin1', this.#from, end - 2)
        this.#from = end
        return answer
      }
      if (this.#ended) return 'EOF'
      const late =
        this.patience === undefined
          ? undefined
          : setTimeout(() => {
              this.#ended = true
              this.#wake?.()
            }, this.patience)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      clearTimeout(late)
    }
  }

  /** Where the answer at hand ends; 0 while it is not whole. */
  #complete(): number {
    let from = this.#from
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
