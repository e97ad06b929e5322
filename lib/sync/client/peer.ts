/**
 * The client's end of a replication connection (csync.md §1): connect, greeting, authentication, compression, and one command at a time with
 * its untagged answers. Knows how things are said; what is to be said is the planner's.
 */
import net from 'node:net'
import tls from 'node:tls'
import { Connection, ConnectionClosedError, TimeoutError } from '../../net/connection.js'
import { ClientMechanismError, startClientMechanism } from '../../sasl/client_mechanism.js'
import { list, stringsOf } from '../dlist.js'
import { DlistSyntaxError, DlistTooBigError } from '../dlist_parser.js'
import { type FileSinks, type WireItem, WireReader } from '../wire_reader.js'
import type { Target } from './target.js'

/** The replica cannot be reached, has gone away, or does not speak the protocol: nothing more can be said on this connection. */
export class PeerGoneError extends Error {
  override name = 'PeerGoneError'
}

/** A command was refused; `code` is the word after NO, '' if it is none of the known form. */
export class PeerRefusalError extends Error {
  override name = 'PeerRefusalError'
  constructor(
    readonly command: string,
    readonly code: string,
    text: string,
  ) {
    super(`${command}: ${text}`)
  }
}

/** How a peer is opened. */
export interface PeerOptions {
  /** APPLY FORCE after connecting (-O) */
  readonly force?: boolean
  /** fail unless compressed (-z) */
  readonly requireCompression?: boolean
  /** compress even to this machine itself */
  readonly compress?: boolean
  /** told of what is sent ('>') and received ('<'), for -vv */
  readonly trace?: (direction: '>' | '<', bytes: Buffer) => void
  /** false: as with a replica that does not take the #sieve mailbox */
  readonly sieve?: boolean
}

const DROP: FileSinks = () => ({ write: () => {}, end: () => {}, abort: () => {} })
const SEND_ABOVE = 64 * 1024

/** What a command sends: text of bytes, or raw bytes. */
export type Piece = string | Buffer

/** Of what a replica says; the UIDs somebody has seen of a large mailbox are one word. Bytes. */
const LONGEST_WORD = 4 * 1024 * 1024
const LONGEST_LITERAL = 64 * 1024 * 1024

export class Peer {
  readonly #connection: Connection
  readonly #reader: WireReader
  readonly #options: PeerOptions
  #sasl: string[] = []
  #starttls = false
  #deflate = false
  #sieve = false
  /** SIEVE-MAILBOX is enabled: the #sieve mailbox travels like any other */
  sieveMailbox = false

  private constructor(connection: Connection, options: PeerOptions) {
    this.#connection = connection
    this.#options = options
    this.#reader = new WireReader(connection, { literal: LONGEST_LITERAL, quoted: LONGEST_WORD, word: LONGEST_WORD })
    if (options.trace) this.#reader.trace = (bytes) => options.trace!('<', bytes)
  }

  /** Whether the connection can be used no more. */
  get closed(): boolean {
    return this.#connection.closed
  }

  /** Calls back when the replica closes the connection, or it is lost. */
  onClose(listener: () => void): void {
    this.#connection.socket.once('close', listener)
  }

  /** Connects, authenticates, and agrees on capabilities. @throws {PeerGoneError} saying why it cannot be */
  static async open(target: Target, options: PeerOptions = {}): Promise<Peer> {
    const socket = await connect(target)
    const peer = new Peer(new Connection(socket, { idleTimeout: Math.max(3, target.connectTimeout) }), options)
    try {
      await peer.#greeting()
      await peer.#authenticate(target)
      const local = target.unix || isLoopback(socket.remoteAddress)
      if (peer.#deflate && (options.requireCompression || options.compress || !local)) await peer.#compress()
      else if (options.requireCompression) throw new PeerGoneError('the replica does not offer compression')
      peer.#connection.idleTimeout = target.timeout
      if (peer.#sieve && options.sieve !== false) {
        const { items } = await peer.ask('APPLY', 'CAPABILITIES', [list(['SIEVE-MAILBOX'], 'client')]).catch(refused)
        peer.sieveMailbox = items.some(
          ({ key, value }) => key.toUpperCase() === 'ENABLED' && stringsOf(value).includes('SIEVE-MAILBOX'),
        )
      }
      if (options.force) await peer.ask('APPLY', 'FORCE', ['%()'])
      return peer
    } catch (error) {
      peer.#connection.destroy()
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
    return this.#guarded(async () => {
      await this.#send(`${verb} ${key} `)
      for await (const piece of pieces) await this.#send(piece)
      await this.#send('\r\n')
      await this.#flush()
      const items: WireItem[] = []
      for (;;) {
        const word = await this.#reader.word()
        if (word === null) throw new ConnectionClosedError('instead of an answer')
        if (word === '*') {
          await this.#reader.blank()
          items.push(await this.#reader.item(sinks))
          continue
        }
        this.#final(`${verb} ${key}`, word, await this.#reader.line())
        return { items }
      }
    })
  }

  /** RESTART: the replica forgets what was staged. */
  async restart(): Promise<void> {
    await this.#plain('RESTART')
  }

  async noop(): Promise<void> {
    await this.#plain('NOOP')
  }

  /** EXIT, without caring for the answer. */
  async exit(): Promise<void> {
    if (this.closed) return
    await this.#plain('EXIT').catch(() => {})
    this.#connection.close()
  }

  destroy(): void {
    this.#connection.destroy()
  }

  async #plain(command: string): Promise<void> {
    await this.#guarded(async () => {
      await this.#send(`${command}\r\n`)
      await this.#flush()
      const [word, ...rest] = (await this.#line()).split(' ')
      this.#final(command, word!, rest.join(' '))
    })
  }

  #final(command: string, word: string, rest: string | null): void {
    const text = (rest ?? '').trim()
    if (/^OK$/i.test(word)) return
    if (/^BYE$/i.test(word)) throw new PeerGoneError(`the replica says BYE ${text}`)
    if (!/^(?:NO|BAD)$/i.test(word))
      throw new PeerGoneError(`${command}: not an answer: ${word.slice(0, 80)} ${text.slice(0, 80)}`)
    const code = /^NO$/i.test(word) ? (/^[A-Z][A-Z_]+(?= |$)/.exec(text)?.[0] ?? '') : ''
    throw new PeerRefusalError(command, code, `${word} ${text}`)
  }

  async #greeting(): Promise<void> {
    await this.#guarded(async () => {
      this.#sasl = []
      this.#starttls = this.#deflate = this.#sieve = false
      for (;;) {
        const line = await this.#line()
        const [star, name = '', ...words] = line.split(' ')
        if (star !== '*') throw new PeerGoneError(`not a replication server: ${line.slice(0, 80)}`)
        switch (name.toUpperCase()) {
          case 'OK':
            if (/^\[CAPABILITY /i.test(words.join(' ')))
              throw new PeerGoneError('this is an IMAP server; set sync_port to the port of its sync_server')
            return
          case 'BYE':
            throw new PeerGoneError(`the replica says ${line.slice(2)}`)
          case 'SASL':
            this.#sasl = words
            break
          case 'STARTTLS':
            this.#starttls = true
            break
          case 'COMPRESS':
            this.#deflate = words.some((word) => word.toUpperCase() === 'DEFLATE')
            break
          case 'SIEVE-MAILBOX':
            this.#sieve = true
        }
      }
    })
  }

  async #authenticate(target: Target): Promise<void> {
    if (target.noauth) return
    if (target.user === undefined || target.password === undefined) {
      if (this.#sasl.length === 0 && !this.#starttls) return
      throw new PeerGoneError('sync_authname and sync_password are not set')
    }
    const credentials = {
      user: target.user,
      password: target.password,
      realm: target.realm,
      service: 'csync',
      host: target.host,
    }
    let mechanism = startClientMechanism(this.#sasl, credentials, target.mechanisms)
    if (mechanism === undefined && this.#starttls) {
      await this.#startTls(target)
      mechanism = startClientMechanism(this.#sasl, credentials, target.mechanisms)
    }
    if (mechanism === undefined)
      throw new PeerGoneError(
        `no mechanism in common with the replica, which offers: ${this.#sasl.join(' ') || 'none'}`,
      )
    const { name, initial } = mechanism
    await this.#guarded(async () => {
      const first = initial === undefined ? '' : ` ${initial.toString('base64') || '='}`
      await this.#send(`AUTHENTICATE ${name}${first}\r\n`)
      for (;;) {
        await this.#flush()
        const line = await this.#line()
        if (!line.startsWith('+')) {
          const [word, ...rest] = line.split(' ')
          if (/^(?:NO|BAD)$/i.test(word!))
            throw new PeerGoneError(`login as ${target.user} with ${name} refused: ${rest.join(' ')}`)
          this.#final('AUTHENTICATE', word!, rest.join(' '))
          if (!mechanism.complete)
            throw new PeerGoneError(`${name}: the replica has not proved that it knows the password`)
          return
        }
        const answer = await mechanism.step(Buffer.from(line.slice(1).trim(), 'base64'))
        await this.#send(`${answer.toString('base64')}\r\n`)
      }
    })
  }

  async #startTls(target: Target): Promise<void> {
    await this.#plain('STARTTLS')
    this.#reader.clear()
    try {
      // as Cyrus: an unknown certificate does not stop it, for there is no list of whom to trust
      const servername = net.isIP(target.host) ? undefined : target.host
      await this.#connection.startTls({ servername, rejectUnauthorized: false }, 'client')
    } catch (error) {
      throw new PeerGoneError(`TLS with the replica failed: ${(error as Error).message}`)
    }
    await this.#greeting()
  }

  async #compress(): Promise<void> {
    try {
      await this.#plain('COMPRESS DEFLATE')
    } catch (error) {
      if (error instanceof PeerRefusalError && !this.#options.requireCompression) return
      throw error
    }
    this.#connection.startDeflate()
  }

  #unsent = 0

  async #send(piece: Piece): Promise<void> {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
    this.#options.trace?.('>', bytes)
    this.#connection.write(bytes)
    this.#unsent += bytes.length
    if (this.#unsent >= SEND_ABOVE) await this.#flush()
  }

  #flush(): Promise<void> {
    this.#unsent = 0
    return this.#connection.flush()
  }

  async #line(): Promise<string> {
    const line = await this.#reader.line()
    if (line === null) throw new ConnectionClosedError('instead of an answer')
    return line
  }

  /** Everything that makes the connection useless becomes a PeerGoneError. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof PeerRefusalError) throw error
      this.#connection.destroy()
      if (
        error instanceof ConnectionClosedError ||
        error instanceof TimeoutError ||
        error instanceof DlistSyntaxError ||
        error instanceof DlistTooBigError ||
        error instanceof ClientMechanismError
      ) {
        throw new PeerGoneError(error.message)
      }
      throw error
    }
  }
}

function refused(error: unknown): { items: WireItem[] } {
  if (error instanceof PeerRefusalError) return { items: [] }
  throw error
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:127\.|::1$|::ffff:127\.)/.test(address)
}

function connect(target: Target): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const where = target.unix ? target.host : `${target.host}:${target.port}`
    const socket = target.unix
      ? net.connect({ path: target.host })
      : target.tls
        ? tls.connect({ host: target.host, port: target.port, rejectUnauthorized: false })
        : net.connect({ host: target.host, port: target.port })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new PeerGoneError(`${where}: no connection within ${target.connectTimeout} s`))
    }, target.connectTimeout * 1000)
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer)
      reject(new PeerGoneError(`${where}: ${error.code ?? error.message}`))
    }
    socket.once('error', fail)
    socket.once(target.tls && !target.unix ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      if (!target.unix) {
        socket.setNoDelay(true)
        socket.setKeepAlive(true, 60_000)
      }
      resolve(socket)
    })
  })
}
