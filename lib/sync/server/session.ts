/**
 * One replication session on the csync port, from greeting to EXIT (csync.md §1, §3): authentication, TLS, compression, and the loop that
 * reads a command, runs it, and answers. Answers OK only when what was asked is on disk. A client of the 2.3 generation is known by its first
 * command after login, and goes on in lib/sync/v23; with `sync_protocol: 2.3` it is greeted as its own kind would.
 */

import { hostname } from 'node:os'
import type { Config } from '../../config/config.js'
import { type Channel, channelOf } from '../../net/channel.js'
import { type Connection, ConnectionClosedError, TimeoutError } from '../../net/connection.js'
import type { ServerTls } from '../../net/server_tls.js'
import type { Logger } from '../../process/log.js'
import { isAdmin } from '../../sasl/identity.js'
import { serverMechanisms, startServerMechanism } from '../../sasl/server_mechanism.js'
import type { MailStore } from '../../store/store.js'
import { DlistTooBigError } from '../dlist_parser.js'
import { type Protocol, protocolOf, type Release } from '../v23/release.js'
import { isOwnCommand, serveGeneration23 } from '../v23/server/session.js'
import { WireReader } from '../wire_reader.js'
import type { SessionContext } from './context.js'
import { runDlistCommand } from './dlist_command.js'
import { Staging } from './staging.js'

/** What a session needs from its process. */
export interface ServerOptions {
  readonly config: Config
  readonly store: MailStore
  readonly log: Logger
  /** bits of protection that something else gives the connection (-p) */
  readonly protectedOutside: number
  /** for STARTTLS; undefined if no certificate is configured */
  readonly tls: ServerTls | undefined
  readonly setUser: (user: string) => void
  /** the process is to end: say BYE at the next safe point */
  readonly stopping: AbortSignal
}

const SEND_ABOVE = 64 * 1024
const FLUSHED = Promise.resolve()

/** Runs a session to its end; resolves when the connection is closed or lost. Never throws for what a peer does. */
export async function serveReplication(connection: Connection, options: ServerOptions): Promise<void> {
  const session = new Session(connection, options)
  await session.run()
}

class Session {
  readonly #connection: Connection
  readonly #options: ServerOptions
  readonly #reader: WireReader
  readonly #context: SessionContext
  #user: string | undefined
  #admin = false
  #tls = false
  #compressed = false
  #unsent = 0
  #busy = false
  readonly #protocol: Protocol

  constructor(connection: Connection, options: ServerOptions) {
    this.#connection = connection
    this.#options = options
    const { config, store, log } = options
    this.#protocol = protocolOf(config, config.string('sync_protocol'))
    this.#reader = new WireReader(connection, {
      literal: config.size('maxliteral'),
      quoted: config.size('maxquoted'),
      word: config.size('maxword'),
    })
    this.#context = {
      store,
      log,
      staging: new Staging(store),
      force: false,
      sieveMailbox: false,
      write: (change) => store.write(change),
      send: (text) => this.#send(Buffer.from(text, 'latin1')),
      sendBytes: (bytes) => this.#send(bytes),
    }
  }

  async run(): Promise<void> {
    const { stopping, log } = this.#options
    const stop = (): void => {
      if (this.#busy) return
      if (this.#release === undefined) this.#connection.write('BYE shutting down\r\n')
      this.#connection.close()
    }
    if (this.#connection.remote === 'unix') {
      this.#user = 'cyrus'
      this.#admin = true
    }
    stopping.addEventListener('abort', stop)
    try {
      this.#greet()
      while (!stopping.aborted && (await this.#command()));
      if (stopping.aborted && !this.#connection.closed && this.#release === undefined)
        this.#connection.write('BYE shutting down\r\n')
    } catch (error) {
      if (error instanceof DlistTooBigError) this.#connection.write(`* Fatal error: ${error.message}\r\n`)
      else if (!(error instanceof ConnectionClosedError || error instanceof TimeoutError)) {
        log.error(`replication session from ${this.#connection.remote}: ${(error as Error).stack ?? error}`)
        this.#connection.write(`* Fatal error: internal error\r\n`)
      }
    } finally {
      stopping.removeEventListener('abort', stop)
      this.#context.staging.clear()
      this.#connection.close()
    }
  }

  /** The release of the 2.3 generation that is spoken, if nothing else is. */
  get #release(): Release | undefined {
    return typeof this.#protocol === 'string' ? undefined : this.#protocol
  }

  #greet(): void {
    const { config, tls } = this.#options
    const lines: string[] = []
    const release = this.#release
    if (this.#user === undefined) {
      const mechanisms = serverMechanisms(config, this.#channel)
      if (mechanisms.length > 0) lines.push(`* SASL ${mechanisms.join(' ')}`)
      if (tls !== undefined && !this.#tls) lines.push('* STARTTLS')
      if (!this.#compressed && !this.#tls && release?.compress !== false) lines.push('* COMPRESS DEFLATE')
      if (release === undefined) lines.push('* SIEVE-MAILBOX')
    }
    const version = release === undefined ? 'cyrus-ts' : `v${release.name}`
    lines.push(`* OK ${config.string('servername') || hostname()} Cyrus sync server ${version}`)
    this.#connection.write(`${lines.join('\r\n')}\r\n`)
  }

  get #channel(): Channel {
    return channelOf(this.#connection, this.#options.protectedOutside)
  }

  /** One command. @returns false when the session is over */
  async #command(): Promise<boolean> {
    await this.#connection.flush()
    const word = await this.#reader.word()
    if (word === null) return false
    this.#busy = true
    try {
      return await this.#run(word)
    } finally {
      this.#busy = false
    }
  }

  async #run(word: string): Promise<boolean> {
    const name = word.toUpperCase()
    if (this.#protocol !== '3' && (this.#release !== undefined || isOwnCommand(name))) {
      if (this.#user !== undefined && this.#admin) return this.#generation23(word)
      const early = ['AUTHENTICATE', 'EXIT', 'RESTART', ''].includes(name)
      const tls = name === 'STARTTLS' && this.#options.tls !== undefined
      if (this.#user === undefined && !early && !tls) {
        if ((await this.#reader.line()) === null) return false
        return this.#say('NO Please authenticate first')
      }
      if (name === 'RESTART') {
        const answered = await this.#plainCommand(name, word)
        return answered && this.#release === undefined
      }
    }
    if (this.#user !== undefined && !this.#admin && !(this.#release !== undefined && name === 'EXIT')) {
      await this.#reader.line()
      return this.#say('NO Permission denied')
    }
    switch (name) {
      case 'APPLY':
      case 'GET':
      case 'RESTORE':
        return this.#dlistCommand(name)
      case 'AUTHENTICATE':
        return this.#authenticate()
      default:
        return this.#plainCommand(name, word)
    }
  }

  /** All the rest of a session whose client is of the 2.3 generation. @returns false: the session is over */
  async #generation23(word: string): Promise<false> {
    const { config, store, log, tls, stopping } = this.#options
    const ahead = Buffer.concat([Buffer.from(word, 'latin1'), this.#reader.takeAhead()])
    await serveGeneration23(this.#connection, ahead, {
      config,
      store,
      log,
      user: this.#user!,
      release: this.#release,
      tlsConfigured: tls !== undefined,
      compressed: this.#compressed,
      stopping,
    })
    return false
  }

  async #plainCommand(name: string, word: string): Promise<boolean> {
    const rest = await this.#reader.line()
    if (rest === null) return false
    const known = ['NOOP', 'EXIT', 'RESTART', 'STARTTLS', 'COMPRESS'].includes(name)
    if (word === '') return this.#say('BAD Null command')
    if (!known || (name === 'STARTTLS' && this.#options.tls === undefined)) {
      this.#options.log.error(`IOERROR: received bad command: command=<${word.slice(0, 40)}>`)
      return this.#say('BAD IMAP_PROTOCOL_ERROR Unrecognized command')
    }
    if (name === 'COMPRESS') return this.#compress(rest.trim())
    if (rest.trim() !== '')
      return this.#say(`BAD Unexpected extra arguments to ${name[0]}${name.slice(1).toLowerCase()}`)
    if (name === 'NOOP') return this.#say('OK Noop completed')
    if (name === 'STARTTLS') return this.#startTls()
    if (name === 'RESTART') {
      this.#context.staging.clear()
      return this.#say('OK Restarting')
    }
    this.#say('OK Finished')
    return false
  }

  #compress(what: string): boolean {
    if (what === '') return this.#say('BAD Missing required argument to Compress')
    if (what.toUpperCase() !== 'DEFLATE') return this.#say(`NO Unknown compression algorithm: ${what}`)
    if (this.#compressed) return this.#say('NO Compression already active: DEFLATE')
    this.#say('OK DEFLATE active')
    this.#compressed = true
    this.#connection.startDeflate()
    return true
  }

  async #startTls(): Promise<boolean> {
    if (this.#tls) return this.#say('BAD Already did a successful Starttls')
    if (this.#user !== undefined) return this.#say("BAD Can't Starttls after authentication")
    this.#say('OK Begin TLS negotiation now')
    this.#reader.clear()
    try {
      await this.#connection.startTls(this.#options.tls!.settings, 'server')
    } catch (error) {
      this.#options.log.notice(`STARTTLS failed: ${this.#connection.remote}: ${(error as Error).message}`)
      return false
    }
    this.#tls = true
    this.#greet()
    return true
  }

  async #dlistCommand(name: 'APPLY' | 'GET' | 'RESTORE'): Promise<boolean> {
    if (!this.#admin) {
      // nothing of it is parsed: an unauthenticated peer costs one line
      if ((await this.#reader.line()) === null) return false
      return this.#say('NO Please authenticate first')
    }
    const line = await runDlistCommand(name, this.#reader, this.#context)
    return line === null ? false : this.#say(line)
  }

  async #authenticate(): Promise<boolean> {
    const { config, log, setUser } = this.#options
    const line = await this.#reader.line()
    if (line === null) return false
    const words = line.split(' ').filter((part) => part !== '')
    if (this.#user !== undefined) return this.#say('BAD Already authenticated')
    if (words.length === 0) return this.#say('BAD Missing required argument to Authenticate')
    if (words.length > 2) return this.#say('BAD Unexpected extra arguments to Authenticate')
    const [name, first] = words as [string, string?]
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(name))
      return this.#say(`BAD Invalid ${this.#release === undefined ? '' : 'authenticate '}mechanism`)
    const peer = `${this.#connection.remote} [${this.#connection.remote}]`
    const mechanism = startServerMechanism({ config, service: 'csync', channel: this.#channel }, name)
    if (typeof mechanism === 'string') {
      log.notice(`badlogin: ${peer} ${name} [${mechanism}]`)
      return this.#say(mechanism === 'unknown' ? 'NO no mechanism available' : 'NO encryption needed to use mechanism')
    }
    let response = first === undefined ? undefined : decode(first)
    for (;;) {
      if (response === null) return this.#say('BAD Invalid base64 string')
      const step = await mechanism.step(response)
      if (step.state === 'failed') {
        log.notice(`badlogin: ${peer} ${mechanism.name} (${step.claimed ?? ''}) [${step.reason}]`)
        return this.#say('NO authentication failure')
      }
      if (step.state === 'done') {
        this.#user = step.user
        this.#admin = isAdmin(config, step.user)
        setUser(step.user)
        log.notice(`login: ${peer} ${step.user} ${mechanism.name}${this.#tls ? '+TLS' : ''} User logged in`)
        if (!this.#admin) log.error(`${step.user} is not in admins: replication refused`)
        return this.#say(this.#tls ? 'OK Success (tls protection)' : 'OK Success (no protection)')
      }
      this.#connection.write(`+ ${step.challenge.toString('base64')}\r\n`)
      await this.#connection.flush()
      const answer = await this.#reader.line()
      if (answer === null) return false
      if (answer === '*') return this.#say('BAD Client canceled authentication')
      response = decode(answer)
    }
  }

  /** A final line. @returns true: the session goes on */
  #say(line: string): true {
    this.#connection.write(`${line}\r\n`)
    return true
  }

  #send(bytes: Buffer): void | Promise<void> {
    this.#connection.write(bytes)
    this.#unsent += bytes.length
    if (this.#unsent < SEND_ABOVE) return
    this.#unsent = 0
    return this.#connection.flush().then(() => FLUSHED)
  }
}

/** @returns null if it is no base64; `=` alone is empty */
function decode(text: string): Buffer | null {
  if (text === '=') return Buffer.alloc(0)
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : null
}
