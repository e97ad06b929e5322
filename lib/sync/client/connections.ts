/**
 * The connections of one client to one replica: one as long as there is work, more while there is enough work to share. Connecting further
 * ones never holds up the work: what comes first, a free connection or a new one, takes the next item.
 */
import type { AnySession } from './any_generation.js'
import { PeerGoneError } from './peer_errors.js'

export interface ConnectionOptions<S extends AnySession = AnySession> {
  /** opens a connection; its failure is a PeerGoneError */
  readonly connect: () => Promise<S>
  /** connections at most (`sync_parallel`) */
  readonly most: number
  /** a new connection in the place of one that is older, ms; 0 never */
  readonly lifetime: number
}

/** One more connection for so many items that wait. */
const ITEMS_EACH = 2
/** A connection beyond the first is given up when it had nothing to do for so long, ms. */
const IDLE = 60_000

interface Connection<S> {
  readonly session: S
  readonly since: number
  usedAt: number
}

export class Connections<S extends AnySession = AnySession> {
  readonly #options: ConnectionOptions<S>
  #connections: Connection<S>[] = []
  #connecting = new Set<Promise<void>>()
  #ended = false

  constructor(options: ConnectionOptions<S>) {
    this.#options = options
  }

  /** How many there are. */
  get size(): number {
    return this.#connections.length
  }

  /** When the oldest was made, ms since the epoch; undefined without any. */
  get since(): number | undefined {
    const oldest = this.#connections[0]?.since
    return oldest === undefined ? undefined : Date.now() - (performance.now() - oldest)
  }

  /** Makes sure that there is a connection. @throws {PeerGoneError} */
  async connected(): Promise<void> {
    await this.#renew()
    if (this.#connections.length === 0) await this.#connect()
  }

  /**
   * Does all items of a queue, each on one connection; items that connections are lost with go back to its front.
   * @param queue emptied as the items are taken
   * @param giveUp whether an item with which a connection was lost is not to be done again
   * @throws the last connection's failure, when none is left and items are
   */
  async share<T>(
    queue: T[],
    work: (session: S, item: T) => Promise<void>,
    giveUp: (item: T) => boolean = () => false,
  ): Promise<void> {
    await this.connected()
    const serving = new Set<Promise<void>>()
    let failure: unknown
    let over = false
    const serve = async (connection: Connection<S>): Promise<void> => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
        try {
          connection.usedAt = performance.now()
          await work(connection.session, item)
        } catch (error) {
          this.#drop(connection)
          if (!giveUp(item)) queue.unshift(item)
          failure = error
          return
        }
      }
    }
    const start = (connection: Connection<S>): void => {
      const served = serve(connection).finally(() => serving.delete(served))
      serving.add(served)
    }
    const wanted = Math.min(this.#options.most, Math.max(1, Math.ceil(queue.length / ITEMS_EACH)))
    for (const connection of this.#connections.slice(0, wanted)) start(connection)
    for (let n = this.#connections.length + this.#connecting.size; n < wanted; n++) {
      const connecting = this.#connect()
        .then((connection) => {
          if (!over) start(connection)
        })
        // those that are there do the work; the next round tries again
        .catch(() => {})
        .finally(() => this.#connecting.delete(connecting))
      this.#connecting.add(connecting)
    }
    while (serving.size > 0) await Promise.all(serving)
    over = true
    if (queue.length > 0) throw failure ?? new PeerGoneError('the connection is closed')
  }

  /** Finds out whether the replica still answers, and gives up what is not needed. */
  async idle(): Promise<void> {
    const now = performance.now()
    for (const connection of this.#connections.slice(1))
      if (now - connection.usedAt > IDLE) await this.#leave(connection)
    const [first] = this.#connections
    if (first !== undefined) await first.session.peer.noop().catch(() => this.#drop(first))
  }

  /** Says goodbye. */
  async end(): Promise<void> {
    this.#ended = true
    for (const connection of [...this.#connections]) await this.#leave(connection)
  }

  async #connect(): Promise<Connection<S>> {
    const session = await this.#options.connect()
    const now = performance.now()
    const connection = { session, since: now, usedAt: now }
    if (this.#ended) {
      session.peer.destroy()
      throw new PeerGoneError('told to stop')
    }
    this.#connections.push(connection)
    return connection
  }

  /** Lets go of connections that are closed or too old. */
  async #renew(): Promise<void> {
    const { lifetime } = this.#options
    for (const connection of [...this.#connections]) {
      if (connection.session.peer.closed) this.#drop(connection)
      else if (lifetime > 0 && performance.now() - connection.since > lifetime) {
        await connection.session.restart().catch(() => {})
        await this.#leave(connection)
      }
    }
  }

  async #leave(connection: Connection<S>): Promise<void> {
    this.#connections = this.#connections.filter((each) => each !== connection)
    await connection.session.peer.exit()
  }

  #drop(connection: Connection<S>): void {
    this.#connections = this.#connections.filter((each) => each !== connection)
    connection.session.peer.destroy()
  }
}
