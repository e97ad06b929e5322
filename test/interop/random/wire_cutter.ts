/** A wire between a sync_client and its replica that can be cut, or go silent. Not a test. */
import net from 'node:net'

export class WireCutter {
  readonly #server: net.Server
  readonly #pairs = new Set<[net.Socket, net.Socket]>()
  /** where the other end is: a port of 127.0.0.1 */
  target = 0

  private constructor(server: net.Server) {
    this.#server = server
    server.on('connection', (near) => this.#join(near))
  }

  static async start(): Promise<WireCutter> {
    const server = net.createServer({ pauseOnConnect: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new WireCutter(server)
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  #join(near: net.Socket): void {
    const far = net.connect({ port: this.target, host: '127.0.0.1' })
    const pair: [net.Socket, net.Socket] = [near, far]
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    near.pipe(far)
    far.pipe(near)
  }

  /** Both ends lose their connections; new ones are possible at once. @returns how many there were */
  cut(): number {
    const count = this.#pairs.size
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
    return count
  }

  /** Nothing comes through the present connections any more, and neither end is told. @returns how many there were */
  silence(): number {
    for (const [near, far] of this.#pairs) {
      near.unpipe(far)
      far.unpipe(near)
      near.pause()
      far.pause()
    }
    return this.#pairs.size
  }

  stop(): void {
    this.cut()
    this.#server.close()
  }
}
