/**
 * The client's end of a replication connection (csync.md §1, §15): the transport that the replica speaks, login, compression, and one command
 * at a time with its untagged answers. Knows how things are said; what is to be said is the planner's.
 */
import { Connection } from '../../net/connection.js'
import { list, stringsOf } from '../dlist.js'
import { Peer23 } from '../v23/client/peer.js'
import { FOUNDING_RELEASE, type Release } from '../v23/release.js'
import type { FileSinks, WireItem } from '../wire_reader.js'
import { dial, isLoopback } from './dial.js'
import { login } from './login.js'
import { PeerGoneError, PeerRefusalError } from './peer_errors.js'
import { PeerWire, type Piece, type Trace } from './peer_wire.js'
import type { Target } from './target.js'
import { readGreeting, type Transport } from './transport.js'

/** How a peer is opened. */
export interface PeerOptions {
  /** APPLY FORCE after connecting (-O) */
  readonly force?: boolean
  /** fail unless compressed (-z) */
  readonly requireCompression?: boolean
  /** compress even to this machine itself */
  readonly compress?: boolean
  /** told of what is sent ('>') and received ('<'), for -vv */
  readonly trace?: Trace
  /** false: as with a replica that does not take the #sieve mailbox */
  readonly sieve?: boolean
}

const DROP: FileSinks = () => ({ write: () => {}, end: () => {}, abort: () => {} })

export class Peer {
  readonly #wire: PeerWire
  readonly #transport: Transport
  /** commands said */
  #said = 0
  /** SIEVE-MAILBOX is enabled: the #sieve mailbox travels like any other */
  sieveMailbox = false
  /** of a replica of the 2.3 generation, with which nothing can be done here but `handOver` */
  release: Release | undefined
  readonly #trace: Trace | undefined

  private constructor(wire: PeerWire, transport: Transport, trace: Trace | undefined) {
    this.#trace = trace
    this.#wire = wire
    this.#transport = transport
  }

  /** Whether the connection can be used no more. */
  get closed(): boolean {
    return this.#wire.connection.closed
  }

  /** `csync` or `imap` */
  get transport(): string {
    return this.#transport.name
  }

  /** Calls back when the replica closes the connection, or it is lost. */
  onClose(listener: () => void): void {
    this.#wire.connection.socket.once('close', listener)
  }

  /**
   * Connects, authenticates, and agrees on capabilities. Which transport it is the greeting tells; without a port of its own the replica's
   * IMAP service is tried first (`sync_try_imap`), and its csync service if that does not replicate.
   * @throws {PeerGoneError} saying why it cannot be
   */
  static async open(target: Target, options: PeerOptions = {}): Promise<Peer> {
    const ports = target.imapPort === undefined ? [target.port] : [target.imapPort, target.port]
    const failures: string[] = []
    for (const port of ports) {
      try {
        return await Peer.#openAt(port, target, options)
      } catch (error) {
        if (!(error instanceof PeerGoneError)) throw error
        failures.push(error.message)
      }
    }
    throw new PeerGoneError(failures.reverse().join('; over IMAP: '))
  }

  static async #openAt(port: number, target: Target, options: PeerOptions): Promise<Peer> {
    const socket = await dial(target, port)
    const connection = new Connection(socket, { idleTimeout: Math.max(3, target.connectTimeout) })
    const wire = new PeerWire(connection, options.trace)
    try {
      const { transport, offer: greeted } = await readGreeting(wire)
      if (transport.name === 'imap' && !target.tryImap)
        throw new PeerGoneError('this is an IMAP server; set sync_port to the port of its sync_server')
      const offer = await login(wire, transport, greeted ?? (await transport.offer(wire)), target)
      const peer = new Peer(wire, transport, options.trace)
      if (!offer.replication) {
        await wire.send('Q01 LOGOUT\r\n')
        await wire.flush()
        throw new PeerGoneError(
          `this is an IMAP server without replication for "${target.user ?? ''}"; set sync_port to the port of its sync_server`,
        )
      }
      peer.release = releaseOf(target, offer.release)
      if (peer.release?.compress === false) offer.deflate = false
      const local = target.unix || isLoopback(socket.remoteAddress)
      if (offer.deflate && (options.requireCompression || options.compress || !local)) await peer.#compress(options)
      else if (options.requireCompression) throw new PeerGoneError('the replica does not offer compression')
      connection.idleTimeout = target.timeout
      if (offer.sieve && options.sieve !== false) {
        const { items } = await peer.ask('APPLY', 'CAPABILITIES', [list(['SIEVE-MAILBOX'], 'client')]).catch(refused)
        peer.sieveMailbox = items.some(
          ({ key, value }) => key.toUpperCase() === 'ENABLED' && stringsOf(value).includes('SIEVE-MAILBOX'),
        )
      }
      if (options.force && peer.release === undefined) await peer.ask('APPLY', 'FORCE', ['%()'])
      return peer
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  /**
   * One APPLY or GET.
   * @param pieces the value; sent with back-pressure as they come
   * @returns the untagged answers
   * @throws {PeerRefusalError}, {PeerGoneError}
   */
  async ask(
    verb: 'APPLY' | 'GET',
    key: string,
    pieces: Iterable<Piece> | AsyncIterable<Piece>,
    sinks: FileSinks = DROP,
  ): Promise<{ items: WireItem[] }> {
    const wire = this.#wire
    const tag = this.#tag()
    return wire.guarded(async () => {
      await wire.send(`${tag === '' ? '' : `${tag} `}${this.#transport.verb(verb)} ${key} `)
      for await (const piece of pieces) await wire.send(piece)
      await wire.send('\r\n')
      await wire.flush()
      return { items: await wire.items(tag, `${verb} ${key}`, sinks) }
    })
  }

  /** The same conversation with a replica of the 2.3 generation; this peer is of no use any more. */
  handOver(): Peer23 {
    const { connection } = this.#wire
    return new Peer23(connection, this.#wire.takeAhead(), this.release ?? FOUNDING_RELEASE, this.#trace)
  }

  /** RESTART: the replica forgets what was staged. */
  async restart(): Promise<void> {
    await this.#wire.plain(this.#tag(), this.#transport.verb('RESTART'))
  }

  async noop(): Promise<void> {
    await this.#wire.plain(...this.#transport.fixed.noop)
  }

  /** EXIT, without caring for the answer. */
  async exit(): Promise<void> {
    if (this.closed) return
    await this.#wire.plain(...this.#transport.fixed.exit).catch(() => {})
    this.#wire.connection.close()
  }

  destroy(): void {
    this.#wire.connection.destroy()
  }

  #tag(): string {
    return this.#transport.tag(this.#said++)
  }

  async #compress(options: PeerOptions): Promise<void> {
    try {
      await this.#wire.plain('', 'COMPRESS DEFLATE')
    } catch (error) {
      if (error instanceof PeerRefusalError && !options.requireCompression) return
      throw error
    }
    this.#wire.connection.startDeflate()
  }
}

/** The release that is spoken with a replica; undefined for the later generation. @param greeted what its greeting says it is */
function releaseOf({ protocol }: Target, greeted: Release | undefined): Release | undefined {
  if (protocol === '3') return undefined
  return protocol === 'auto' ? greeted : protocol
}

function refused(error: unknown): { items: WireItem[] } {
  if (error instanceof PeerRefusalError) return { items: [] }
  throw error
}
