/**
 * Replication inside IMAP (csync.md §15; X-REPLICATION): SYNCAPPLY, SYNCGET, SYNCRESTORE and SYNCRESTART, for administrators only; to others they do not
 * exist. From its first such command on a conversation is one of replication until LOGOUT, since what it sends are no IMAP literals.
 */

import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { type Connection, ConnectionClosedError, TimeoutError } from '../../../lib/net/connection.js'
import { DlistTooBigError } from '../../../lib/sync/dlist_parser.js'
import type { SessionContext } from '../../../lib/sync/server/context.js'
import { runDlistCommand } from '../../../lib/sync/server/dlist_command.js'
import { Staging } from '../../../lib/sync/server/staging.js'
import { WireReader } from '../../../lib/sync/wire_reader.js'
import { ANSWERED, type Command, define, LOGGED_IN } from '../command.js'
import type { Session } from '../session.js'

/** Whether a line begins such a command: its literals are not IMAP's. */
export function isSyncCommand(line: Buffer): boolean {
  return /^[^ ]+ SYNC(?:APPLY|GET|RESTORE|RESTART)(?: |$)/i.test(line.toString('latin1', 0, 200))
}

const syncCommand = (name: string): Command =>
  define<Buffer>({
    name,
    states: LOGGED_IN,
    parse: (args: ArgumentReader) => args.remaining(),
    async run({ session, tag }, rest) {
      session.deselect()
      await new Conversation(session).run(tag, name, rest)
      return ANSWERED
    },
  })

export const syncapply = syncCommand('SYNCAPPLY')
export const syncget = syncCommand('SYNCGET')
export const syncrestore = syncCommand('SYNCRESTORE')
export const syncrestart = syncCommand('SYNCRESTART')

const SEND_ABOVE = 64 * 1024
const VERBS: ReadonlyMap<string, 'APPLY' | 'GET' | 'RESTORE'> = new Map([
  ['SYNCAPPLY', 'APPLY'],
  ['SYNCGET', 'GET'],
  ['SYNCRESTORE', 'RESTORE'],
] as const)

class Conversation {
  readonly #session: Session
  readonly #connection: Connection
  readonly #reader: WireReader
  readonly #context: SessionContext
  #unsent = 0
  #busy = true

  constructor(session: Session) {
    const { connection, imapd, service } = session
    const { config, store } = imapd
    this.#session = session
    this.#connection = connection
    this.#reader = new WireReader(connection, {
      literal: config.size('maxliteral'),
      quoted: config.size('maxquoted'),
      word: config.size('maxword'),
    })
    const unlogged = !config.switch('sync_log_chain')
    const send = (bytes: Buffer): void | Promise<void> => {
      connection.write(bytes)
      this.#unsent += bytes.length
      if (this.#unsent < SEND_ABOVE) return
      this.#unsent = 0
      return connection.flush()
    }
    this.#context = {
      store,
      log: service.log,
      staging: new Staging(store),
      force: false,
      sieveMailbox: false,
      write: (change) => store.write(change, { unlogged }),
      send: (text) => send(Buffer.from(text, 'latin1')),
      sendBytes: send,
    }
  }

  /** From the first command to LOGOUT or the end of the stream. */
  async run(tag: string, name: string, rest: Buffer): Promise<void> {
    const { stopping } = this.#session.service
    const stop = (): void => {
      if (!this.#busy) this.#session.goodbye('Server shutting down')
    }
    stopping.addEventListener('abort', stop)
    try {
      this.#reader.putBack(Buffer.concat([rest, Buffer.from('\r\n')]))
      let goesOn = await this.#command(tag, name)
      while (goesOn && !this.#session.finished) {
        if (stopping.aborted) this.#session.goodbye('Server shutting down')
        else goesOn = await this.#next()
      }
    } catch (error) {
      if (error instanceof DlistTooBigError) this.#session.goodbye(`Fatal error: ${error.message}`)
      else if (!(error instanceof ConnectionClosedError || error instanceof TimeoutError)) throw error
    } finally {
      stopping.removeEventListener('abort', stop)
      this.#context.staging.clear()
      this.#session.finished = true
    }
  }

  async #next(): Promise<boolean> {
    await this.#connection.flush()
    this.#busy = false
    const tag = await this.#reader.word()
    this.#busy = true
    if (tag === null) return false
    await this.#reader.blank()
    const name = await this.#reader.word()
    return name === null ? false : this.#command(tag, name.toUpperCase())
  }

  /** @returns false when the conversation is over */
  async #command(tag: string, name: string): Promise<boolean> {
    const verb = VERBS.get(name)
    if (verb !== undefined) {
      const line = await runDlistCommand(verb, this.#reader, this.#context)
      if (line !== null) this.#connection.write(`${tag} ${line}\r\n`)
      return line !== null
    }
    if ((await this.#reader.line()) === null) return false
    switch (name) {
      case 'SYNCRESTART':
        this.#context.staging.clear()
        this.#connection.write(`${tag} OK Restarting\r\n`)
        return true
      case 'NOOP':
        this.#connection.write(`${tag} OK Completed\r\n`)
        return true
      case 'LOGOUT':
        this.#connection.write(`* BYE LOGOUT received\r\n${tag} OK Completed\r\n`)
        await this.#connection.flush()
        this.#connection.close()
        return false
      default:
        this.#connection.write(`${tag} BAD Only replication and LOGOUT after a replication command\r\n`)
        return true
    }
  }
}
