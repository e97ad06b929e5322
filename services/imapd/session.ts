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
import { MessageFileError } from '../../lib/store/store.js'
import type { Command, State } from './command.js'
import { ANSWERED, type CommandContext, SELECTED } from './command.js'
import { HopelessError, RefusedCommand, readCommand } from './command_reader.js'
import { tellMessages } from './commands/fetch.js'
import { isSyncCommand } from './commands/sync.js'
import { answerFor } from './errors.js'
import { Features, NOTHING, type SelectedEvents } from './features.js'
import type { Imapd } from './imapd.js'
import type { Notifier } from './notify/notifier.js'
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
  features = new Features()
  /** What NOTIFY has the client told of other mailboxes. */
  notifier: Notifier | undefined
  compressed = false
  /** LOGOUT was given, or the conversation cannot go on. */
  finished = false
  #idle = true
  #selected: Selected | undefined
  #unwatchSelected: (() => void) | undefined
  /** The client may be told something now: no command is running, or IDLE is. */
  #open: 'between commands' | 'idling' | undefined
  /** Something has happened that was not told. */
  #woken = false
  /** Settles when what is being told without having been asked for is told. */
  #telling: Promise<void> | undefined
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
      this.notifier?.stop()
      this.notifier = undefined
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
    this.notifier?.stop()
    this.notifier = undefined
    this.features = new Features()
    this.connection.tap = undefined
    for (const end of this.#ends.splice(0)) end()
    this.service.setUser('')
  }

  get selected(): Selected | undefined {
    return this.#selected
  }

  /** A mailbox is selected now. */
  select(selected: Selected): void {
    this.#selected = selected
    this.service.setMailbox(selected.header.name)
    this.watchSelected()
  }

  /** Leaves the selected mailbox, if any. */
  deselect(): void {
    const selected = this.#selected
    if (selected === undefined) return
    this.service.setMailbox('')
    this.#unwatchSelected?.()
    this.#unwatchSelected = undefined
    this.#selected = undefined
    this.notifier?.left(selected.header, selected.exists)
  }

  /** Has changes of the selected mailbox told as they happen, if NOTIFY asks for that. */
  watchSelected(): void {
    this.#unwatchSelected?.()
    this.#unwatchSelected = undefined
    const selected = this.#selected
    const { events } = this.features
    if (!selected || !events.live || !(events.messages || events.flags || events.annotations)) return
    if (events.annotations && !selected.annotations && !selected.watchAnnotations()) {
      this.overflow()
      return
    }
    this.#unwatchSelected = this.imapd.store.watch(selected.id, () => this.wake())
  }

  /** Too much has happened, or would have to be watched: the client is told nothing more (RFC 5465 §5.8). */
  overflow(): void {
    this.notify(undefined, NOTHING)
    this.reply.untagged('OK [NOTIFICATIONOVERFLOW] Too much to notify of; use NOTIFY again')
  }

  /** What is to be told from now on. */
  notify(notifier: Notifier | undefined, events: SelectedEvents): void {
    this.notifier?.stop()
    this.notifier = notifier
    this.features.events = events
    if (!events.annotations && this.#selected) this.#selected.annotations = undefined
    this.watchSelected()
  }

  /** The client has put messages into a mailbox itself: NOTIFY tells nothing of that (RFC 5465 §5). */
  added(id: number, uids: readonly number[]): void {
    this.notifier?.added(id, uids.length)
    if (this.#selected?.id === id) this.#selected.addedByClient(uids)
  }

  /** Something has happened that the client may want to know; it is told now, or when the running command is done. */
  wake(): void {
    this.#woken = true
    if (this.#open === undefined || this.#telling !== undefined || this.finished) return
    this.#telling = this.#tellUnasked()
  }

  /** Tells what happens while a client idles, until something else is done. */
  async whileIdling<T>(work: () => Promise<T>): Promise<T> {
    this.#open = 'idling'
    try {
      this.wake()
      return await work()
    } finally {
      this.#open = undefined
      await this.#telling
    }
  }

  async #tellUnasked(): Promise<void> {
    try {
      // a client that does not read piles up nothing
      while (this.#woken && this.#open !== undefined && !this.finished) {
        if (this.connection.congested) await this.connection.flush()
        if (this.#open === undefined) return
        this.#woken = false
        this.imapd.store.refresh()
        const { selected } = this
        const { events } = this.features
        if (selected && (this.#open === 'idling' || events.live)) {
          selected.sync(this.reply, { expunges: this.#open === 'idling' || !events.delayed })
          if (selected.gone) this.goodbye('Selected mailbox is gone')
        }
        if (!this.finished) await this.#tellMore()
      }
    } catch (error) {
      if (error instanceof ConnectionClosedError) return
      if (error instanceof TimeoutError) {
        this.goodbye('Idle for too long')
        return
      }
      this.service.log.error(`telling of changes: ${error instanceof Error ? error.stack : String(error)}`)
    } finally {
      this.#telling = undefined
    }
  }

  /** What is told of new messages, and of other mailboxes, behind the changes of the selected one. */
  async #tellMore(): Promise<void> {
    const { selected, features } = this
    const { attributes } = features.events
    const fresh = selected?.takeNew()
    if (selected && attributes && fresh && fresh.length > 0) {
      try {
        await tellMessages(this, selected, attributes, fresh)
      } catch (error) {
        if (!(error instanceof MessageFileError)) throw error
        this.service.log.error(`telling of new messages: ${error.message}`)
      }
    }
    for (const context of selected?.contexts ?? []) await context.update(this)
    if (this.notifier && !(await this.notifier.tell())) this.overflow()
  }

  async #next(): Promise<void> {
    let command: Buffer | null
    this.#idle = this.connection.buffered === 0
    if (this.features.events.live && this.#idle) {
      this.#open = 'between commands'
      if (this.#woken) this.wake()
    }
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
      this.#open = undefined
      if (this.#telling !== undefined) await this.#telling
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
      await this.#sync(command, context)
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
      await this.#sync(command, context)
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

  async #sync(command: Command, { uid }: CommandContext): Promise<void> {
    const { selected } = this
    if (selected) {
      const expunges = command.tellsExpunged === true || uid
      selected.sync(this.reply, { expunges, withUid: uid, own: command.expunges === true })
      if (selected.gone) this.goodbye('Selected mailbox is gone')
    }
    const isMore = this.features.events.live || (selected !== undefined && selected.contexts.length > 0)
    if (isMore && !this.finished) await this.#tellMore()
  }

  /** Tags a refusal; a peer that only produces refusals is no IMAP client. */
  #bad(tag: string, text: string): void {
    this.reply.tagged(tag, 'BAD', text)
    if (this.user === undefined && (this.#badCommands += 1) > MOST_BAD_COMMANDS) this.goodbye('Too many bad commands')
  }
}
