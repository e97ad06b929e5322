/**
 * One client's conversation: reads commands, runs them one after the other, tells changes at the moments the protocol
 * allows. Knows who is logged in and what is selected; everything else is the commands' matter.
 */
import { setMaxListeners } from 'node:events'
import { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { Namespace } from '../../lib/mailbox/names.js'
import { type Channel, channelOf } from '../../lib/net/channel.js'
import { type Connection, ConnectionClosedError, LineTooLongError, TimeoutError } from '../../lib/net/connection.js'
import { readNotice } from '../../lib/process/notices.js'
import type { ServiceSession } from '../../lib/process/service.js'
import { isAdmin } from '../../lib/sasl/identity.js'
import type { Command, State } from './command.js'
import { ANSWERED, type CommandContext, SELECTED } from './command.js'
import { HopelessError, RefusedCommand, readCommand } from './command_reader.js'
import { isSyncCommand } from './commands/sync.js'
import { answerFor } from './errors.js'
import { Features } from './features.js'
import type { Imapd } from './imapd.js'
import { type Pace, pauseIfLong } from './pace.js'
import { findCommand } from './registry.js'
import { Reply } from './reply.js'
import type { Selected } from './selected.js'

const LOGGED_IN_LINE = 1024 * 1024
const MOST_BAD_COMMANDS = 100

export class Session {
  readonly reply: Reply
  /** Set once logged in. */
  user: string | undefined
  namespace: Namespace | undefined
  isAdmin = false
  selected: Selected | undefined
  features = new Features()
  compressed = false
  /** LOGOUT was given, or the conversation cannot go on. */
  finished = false
  #idle = true
  readonly #ends: (() => void)[] = []
  #badCommands = 0

  constructor(
    readonly imapd: Imapd,
    readonly connection: Connection,
    readonly service: ServiceSession,
    /** bits of protection that something else gives the connection */
    readonly outside = 0,
  ) {
    this.reply = new Reply(connection)
  }

  /** Registers what is to be done when the conversation is over. */
  atEnd(work: () => void): void {
    this.#ends.push(work)
  }

  /** What protects the conversation now. */
  get channel(): Channel {
    return channelOf(this.connection, this.outside)
  }

  get state(): State {
    if (this.user === undefined) return 'not authenticated'
    return this.selected ? 'selected' : 'authenticated'
  }

  /** Resolves when the conversation has ended; rejects on a bug only. */
  async run(): Promise<void> {
    const { connection, reply, service } = this
    const stop = () => {
      if (this.#idle) this.goodbye('Server shutting down')
    }
    setMaxListeners(0, service.stopping) // one or two for each connection of the process
    service.stopping.addEventListener('abort', stop)
    try {
      reply.untagged(`OK [CAPABILITY ${this.imapd.greetingCapabilities(this)}] ${this.imapd.greeting}`)
      const motd = readNotice(this.imapd.config, 'motd')
      if (motd) reply.untagged(`OK [ALERT] ${motd}`)
      const pace: Pace = { since: performance.now() }
      while (!this.finished && !connection.closed) {
        if (service.stopping.aborted) this.goodbye('Server shutting down')
        else await this.#next()
        // one who sends many commands at once neither keeps others waiting nor lets unread answers pile up
        if (connection.buffered === 0) pace.since = performance.now()
        else if (connection.congested) await connection.flush()
        else await pauseIfLong(connection, pace)
      }
      await connection.flush()
    } catch (error) {
      if (!(error instanceof ConnectionClosedError || error instanceof TimeoutError)) throw error
    } finally {
      service.stopping.removeEventListener('abort', stop)
      this.deselect()
      connection.close()
      for (const end of this.#ends) end()
    }
  }

  /** `* BYE`, and the conversation ends. */
  goodbye(text: string): void {
    if (this.finished) return
    this.finished = true
    this.reply.untagged(`BYE ${text}`)
    this.connection.close()
  }

  /** Someone has proved who they are. */
  logIn(user: string): void {
    const { config } = this.imapd
    this.user = user
    this.isAdmin = isAdmin(config, user)
    this.namespace = new Namespace(config, user, this.isAdmin)
    this.connection.maxLine = LOGGED_IN_LINE
    this.connection.idleTimeout = this.imapd.idleSeconds
    this.service.setUser(user)
  }

  /** Whether UNAUTHENTICATE may be given (RFC 8437): by who came as an administrator. */
  get mayUnauthenticate(): boolean {
    return this.isAdmin
  }

  /** As before anybody logged in. */
  logOut(): void {
    this.deselect()
    this.user = undefined
    this.isAdmin = false
    this.namespace = undefined
    this.features = new Features()
    this.connection.tap = undefined
    for (const end of this.#ends.splice(0)) end()
    this.service.setUser('')
  }

  /** Leaves the selected mailbox, if any. */
  deselect(): void {
    if (this.selected !== undefined) this.service.setMailbox('')
    this.selected = undefined
  }

  async #next(): Promise<void> {
    let command: Buffer | null
    this.#idle = this.connection.buffered === 0
    try {
      command = await readCommand(this.connection, this.reply, {
        literal: this.imapd.maxLiteral,
        loggedIn: this.user !== undefined,
        isWhole: this.isAdmin ? isSyncCommand : undefined,
      })
    } catch (error) {
      this.#readFailed(error)
      return
    } finally {
      this.#idle = false
    }
    if (command === null) {
      this.finished = true
      return
    }
    // administrators are let in, to take the notice away again
    const shutdown = this.user !== undefined && !this.isAdmin ? readNotice(this.imapd.config, 'shutdown') : undefined
    if (shutdown !== undefined) this.goodbye(`[ALERT] ${shutdown}`)
    else await this.#run(command)
  }

  #readFailed(error: unknown): void {
    if (error instanceof RefusedCommand) this.reply.tagged(error.tag, 'BAD', error.message)
    else if (error instanceof HopelessError) this.goodbye(error.message)
    else if (error instanceof LineTooLongError) this.goodbye(`[TOOBIG] Command ${error.message}`)
    else if (error instanceof TimeoutError) this.goodbye('Idle for too long')
    else throw error
  }

  async #run(bytes: Buffer): Promise<void> {
    const args = new ArgumentReader(bytes)
    const tag = args.tag()
    if (tag === '' || !args.tryChar(' ')) {
      this.#bad('*', 'Invalid tag')
      return
    }
    let name = args.keyword()
    if (name === '') {
      this.#bad(tag, 'Null command')
      return
    }
    const uid = name === 'UID'
    if (uid) {
      if (!args.tryChar(' ')) {
        this.#bad(tag, 'Missing required argument to Uid')
        return
      }
      name = args.keyword()
    }
    const command = findCommand(name)
    const allowed = command?.states.includes(this.state)
    if (this.user === undefined && !allowed) {
      this.#bad(tag, 'Please login first')
      return
    }
    if (!command || (uid && !command.hasUidForm) || !this.imapd.offers(command, this)) {
      this.#bad(tag, uid ? `Unrecognized UID subcommand` : 'Unrecognized command')
      return
    }
    if (!allowed) {
      this.#bad(tag, command.states.includes('selected') ? 'Please select a mailbox first' : 'Already logged in')
      return
    }
    if (command.countsMessages && !uid && this.features.uidOnly) {
      this.#bad(tag, `[UIDREQUIRED] UID ${name} is wanted with UIDONLY`)
      return
    }
    args.command = (uid ? 'UID ' : '') + name.charAt(0) + name.slice(1).toLowerCase()
    this.service.setCommand(args.command)
    await this.#execute(command, args, { session: this, uid, tag })
  }

  async #execute(command: Command, args: ArgumentReader, context: CommandContext): Promise<void> {
    const { reply } = this
    try {
      const parsed = command.parse(args, context.uid)
      this.#freshen(command, context)
      const text = (await command.run(context, parsed)) ?? 'Completed'
      this.#sync(command, context)
      if (text !== ANSWERED) reply.tagged(context.tag, 'OK', text)
    } catch (error) {
      if (error instanceof ConnectionClosedError || error instanceof TimeoutError) throw error
      if (error instanceof HopelessError || error instanceof LineTooLongError) {
        this.#readFailed(error)
        return
      }
      const answer = answerFor(error)
      if (!answer) {
        this.service.log.error(`${command.name}: ${error instanceof Error ? error.stack : String(error)}`)
      }
      this.#sync(command, context)
      if (answer?.status === 'BAD') this.#bad(context.tag, answer.text)
      else reply.tagged(context.tag, 'NO', answer?.text ?? '[SERVERBUG] Internal error; the log has more')
    }
  }

  /** What a command is to work on is what is there now; other sessions' changes are told before its answers. */
  #freshen(command: Command, { uid }: CommandContext): void {
    if (this.user === undefined) return
    this.imapd.store.refresh()
    if (this.selected) this.selected.indexBefore = this.selected.index
    this.selected?.toldFlags.clear()
    if (command.states === SELECTED && !command.leaves)
      this.selected?.sync(this.reply, { expunges: false, withUid: uid })
  }

  #sync(command: Command, { uid }: CommandContext): void {
    const { selected } = this
    if (!selected) return
    selected.sync(this.reply, { expunges: command.tellsExpunged === true || uid, withUid: uid })
    if (selected.gone) this.goodbye('Selected mailbox is gone')
  }

  /** Tags a refusal; a peer that only produces refusals is no IMAP client. */
  #bad(tag: string, text: string): void {
    this.reply.tagged(tag, 'BAD', text)
    if (this.user === undefined && (this.#badCommands += 1) > MOST_BAD_COMMANDS) this.goodbye('Too many bad commands')
  }
}
