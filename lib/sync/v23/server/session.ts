/**
 * A session with a client of the 2.3 generation, from the moment it has logged in and shown what it is (csync-2.3.md): reads a command, runs
 * it, answers. Answers OK only when what was asked is on disk. What a peer does wrong ends its command, at worst its session.
 */
import type { Config } from '../../../config/config.js'
import { type Connection, ConnectionClosedError, TimeoutError } from '../../../net/connection.js'
import type { Logger } from '../../../process/log.js'
import type { MailStore, StoreTransaction } from '../../../store/store.js'
import { LineArguments, LineReader, TooLongError } from '../line_reader.js'
import { FOUNDING_RELEASE, type Release, releaseOf } from '../release.js'
import { listAnnotations, setAnnotation } from './annotations.js'
import { ArgumentFault, argumentsOf, type Command, type Context, Refused } from './context.js'
import { SyncLock } from './lock.js'
import {
  create,
  mailboxes,
  quota,
  remove,
  rename,
  reset,
  select,
  setAcl,
  setQuota,
  setUidvalidity,
  status,
  user,
} from './mailboxes.js'
import { expunge, reserve, setFlags, setModseq, uidLast } from './messages.js'
import { activateSieve, deactivateSieve, deleteSieve, getSieve, listSieve, uploadSieve } from './sieve.js'
import { Staging } from './staging.js'
import { upload } from './upload.js'
import { addSub, delSub, lsub, setSeen, setSeenAll } from './users.js'

const noop: Command = async (_context, line) => {
  await argumentsOf(line, 0)
  return 'OK Noop completed'
}

const lock: Command = async (context, line) => {
  await argumentsOf(line, 0)
  try {
    await context.lock.lock()
  } catch (error) {
    return `NO Failed to lock: ${(error as Error).message}`
  }
  // whoever held it may have changed anything
  context.store.refresh()
  return 'OK Locked'
}

const unlock: Command = async (context, line) => {
  await argumentsOf(line, 0)
  if (!context.lock.unlock()) return 'NO Failed to unlock: not locked'
  const restart = context.staging.full
  if (restart) context.staging.clear()
  return `OK [${restart ? 'RESTART' : 'CONTINUE'}] Unlocked`
}

/** The commands that a client of a later generation never says. */
const OWN: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['ACTIVATE_SIEVE', activateSieve],
  ['ADDSUB', addSub],
  ['CREATE', create],
  ['DEACTIVATE_SIEVE', deactivateSieve],
  ['DELETE', remove],
  ['DELETE_SIEVE', deleteSieve],
  ['DELSUB', delSub],
  ['EXPUNGE', expunge],
  ['GET_SIEVE', getSieve],
  ['LIST_ANNOTATIONS', listAnnotations],
  ['LIST_SIEVE', listSieve],
  ['LOCK', lock],
  ['LSUB', lsub],
  ['MAILBOXES', mailboxes],
  ['QUOTA', quota],
  ['RENAME', rename],
  ['RESERVE', reserve],
  ['RESET', reset],
  ['SELECT', select],
  ['SETACL', setAcl],
  ['SETANNOTATION', setAnnotation],
  ['SETFLAGS', setFlags],
  ['SETMODSEQ', setModseq],
  ['SETQUOTA', setQuota],
  ['SETSEEN', setSeen],
  ['SETSEEN_ALL', setSeenAll],
  ['SETUIDVALIDITY', setUidvalidity],
  ['STATUS', status],
  ['UIDLAST', uidLast],
  ['UNLOCK', unlock],
  ['UPLOAD', upload],
  ['UPLOAD_SIEVE', uploadSieve],
  ['USER', user],
])

/** Whether a word is a command that only the 2.3 generation says. @param word any case */
export function isOwnCommand(word: string): boolean {
  return OWN.has(word.toUpperCase())
}

/** What a session needs of the one that has greeted the client and let it log in. */
export interface SessionOptions {
  readonly config: Config
  readonly store: MailStore
  readonly log: Logger
  readonly user: string
  /** what is spoken; undefined: found out, as far as the peer shows it */
  readonly release: Release | undefined
  readonly tlsConfigured: boolean
  readonly compressed: boolean
  readonly stopping: AbortSignal
}

/** By address, releases that peers have shown to be newer than the founding one: their next session begins with that. */
const remembered = new Map<string, Release>()
const MOST_REMEMBERED = 1000

const SEND_ABOVE = 64 * 1024

/**
 * Serves a session to its end.
 * @param ahead bytes of it that were read already
 * @throws {ConnectionClosedError}, {TimeoutError}; {TooLongError}
 */
export async function serveGeneration23(connection: Connection, ahead: Buffer, options: SessionOptions): Promise<void> {
  await new Session(connection, ahead, options).run()
}

class Session implements Context {
  readonly config: Config
  readonly store: MailStore
  readonly log: Logger
  readonly user: string
  readonly staging: Staging
  readonly lock: SyncLock
  readonly fresh = new Set<number>()
  selected: number | undefined
  release: Release
  readonly #connection: Connection
  readonly #options: SessionOptions
  readonly #reader: LineReader
  #compressed: boolean
  #unsent = 0
  #busy = false

  constructor(connection: Connection, ahead: Buffer, options: SessionOptions) {
    const { config, store, log, user, release, compressed } = options
    this.config = config
    this.store = store
    this.log = log
    this.user = user
    this.staging = new Staging(store)
    this.lock = new SyncLock(config.directory)
    this.release = release ?? remembered.get(connection.remote) ?? FOUNDING_RELEASE
    this.#connection = connection
    this.#options = options
    this.#reader = new LineReader(connection, ahead)
    this.#compressed = compressed
  }

  async run(): Promise<void> {
    const { stopping } = this.#options
    // nothing that this generation knows can be said unasked
    const stop = (): void => {
      if (!this.#busy) this.#connection.close()
    }
    stopping.addEventListener('abort', stop)
    try {
      while (!stopping.aborted && (await this.#command()));
    } finally {
      stopping.removeEventListener('abort', stop)
      this.lock.clear()
      this.staging.clear()
    }
  }

  write<T>(change: (transaction: StoreTransaction) => T): Promise<T> {
    return this.store.write(change)
  }

  send(text: string): void | Promise<void> {
    this.#connection.write(Buffer.from(text, 'latin1'))
    this.#unsent += text.length
    if (this.#unsent < SEND_ABOVE) return
    this.#unsent = 0
    return this.#connection.flush()
  }

  saw(patch: number): void {
    const { release } = this.#options
    if (release !== undefined || Number(this.release.name.slice(4)) >= patch) return
    // what has GUIDs has mod-sequences, but for 2.3.10 itself
    this.release = releaseOf(Math.max(patch, 11))
    const { remote } = this.#connection
    this.log.notice(`${remote} is of ${this.release.name} or later; better say so: sync_protocol: ${this.release.name}`)
    if (remembered.size >= MOST_REMEMBERED) remembered.clear()
    remembered.set(remote, this.release)
  }

  /** @returns false when the session is over */
  async #command(): Promise<boolean> {
    await this.#connection.flush()
    const text = await this.#reader.line()
    if (text === null) return false
    this.#busy = true
    try {
      const line = new LineArguments(this.#reader, text, () => this.#connection.write('+ go ahead\r\n'))
      return await this.#run(line)
    } finally {
      this.#busy = false
    }
  }

  async #run(line: LineArguments): Promise<boolean> {
    const word = line.word()
    const name = word.toUpperCase()
    const say = (text: string): true => {
      this.#connection.write(Buffer.from(`${text}\r\n`, 'latin1'))
      return true
    }
    const command = name === 'NOOP' ? noop : OWN.get(name)
    try {
      if (command !== undefined) {
        // other processes may have changed the store since
        this.store.refresh()
        const answer = await command(this, line)
        await line.skip()
        return say(answer)
      }
      return await this.#housekeeping(name, word, line, say)
    } catch (error) {
      if (error instanceof TooLongError) {
        say(`* Fatal error: ${error.message}`)
        return false
      }
      if (error instanceof ConnectionClosedError || error instanceof TimeoutError) throw error
      await line.skip()
      const called = word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase()
      if (error instanceof Refused) return say(error.line)
      if (error instanceof ArgumentFault) {
        const { fault } = error
        if (fault === 'extra') return say(`BAD Unexpected extra arguments to ${called}`)
        return say(`BAD ${fault === 'missing' ? 'Missing required' : 'Invalid'} argument to ${called}`)
      }
      this.log.error(`IOERROR: ${name}: ${(error as Error).stack ?? error}`)
      return say(`NO ${called} failed: System I/O error`)
    }
  }

  async #housekeeping(name: string, word: string, line: LineArguments, say: (text: string) => true): Promise<boolean> {
    switch (name) {
      case 'EXIT':
      case 'RESTART':
        await argumentsOf(line, 0)
        say(name === 'EXIT' ? 'OK Finished' : 'OK Restarting')
        return false
      case 'COMPRESS': {
        const [what = ''] = await argumentsOf(line, 1)
        if (what.toUpperCase() !== 'DEFLATE') return say(`NO Unknown compression algorithm: ${what}`)
        if (this.#compressed) return say('NO Compression already active: DEFLATE')
        say('OK DEFLATE active')
        this.#compressed = true
        this.#connection.startDeflate()
        return true
      }
      case 'AUTHENTICATE':
        await line.skip()
        return say('BAD Already authenticated')
      case 'STARTTLS':
        if (!this.#options.tlsConfigured) break
        await argumentsOf(line, 0)
        return say("BAD Can't Starttls after authentication")
    }
    await line.skip()
    if (word === '') return say('BAD Null command')
    this.log.error(`IOERROR: received bad command: command=<${word.slice(0, 40)}>`)
    return say('BAD Unrecognized command')
  }
}
