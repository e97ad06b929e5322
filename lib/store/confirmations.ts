/**
 * `sync_mode: semisync`: whoever acknowledges a change waits until the replica has it.
 *
 * The replication log itself is what is confirmed. sync_client renames it to `log-run`, does everything in it, and removes it; a writer that
 * keeps open the file to which its line went sees by the file's link count that this has happened, and inotify wakes it. What of it
 * could not be done is noted at the file's end before (`note`). There is no other channel that could be down, and a client that is killed anywhere
 * has confirmed nothing too much.
 *
 * Without a word for `sync_semisync_timeout` all processes go on without the replica: the first one leaves a file that says so, and whoever
 * sees a log done again takes it away.
 */
import {
  closeSync,
  existsSync,
  type FSWatcher,
  fstatSync,
  mkdirSync,
  readSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Config } from '../config/config.js'
import { duplicate } from '../os/fd.js'
import type { Logger } from '../process/log.js'
import { syncLogPath } from './sync_log.js'

/** What stands in a log that is done before the lines that could not be. As a log line it says nothing. */
const NOT_DONE = '#not-done'
/** The file in the log's directory whose presence says that changes are acknowledged without the replica. */
export const FALLEN_BACK = 'semisync-async'

/** A log file to which lines went. */
export interface Generation {
  readonly fd: number
  waiters: Set<(done: boolean) => void>
}

/** What sync_client appends to a log before removing it: the lines that are not on the replica. */
export function note(lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${NOT_DONE}\n${lines.join('\n')}\n`
}

export class Confirmations {
  readonly #path: string
  readonly #fallenBack: string
  readonly #generations = new Map<number, Generation>()
  #watcher: FSWatcher | undefined
  #fallback: NodeJS.Timeout | undefined

  /** @param timeout ms  @param channel the one whose replica confirms */
  private constructor(
    configdirectory: string,
    channel: string,
    private readonly timeout: number,
    private readonly log: Logger,
  ) {
    this.#path = syncLogPath(configdirectory, channel)
    this.#fallenBack = join(dirname(this.#path), FALLEN_BACK)
  }

  /** @param channels to which this process writes  @returns undefined if nobody is to wait  @throws {ConfigError} on a channel nobody writes */
  static of(config: Config, channels: readonly string[], log: Logger): Confirmations | undefined {
    if (config.string('sync_mode') !== 'semisync') return undefined
    const channel = config.string('sync_semisync_channel')?.replace(/^""$/, '') ?? ''
    if (!channels.includes(channel)) {
      const where = channel === '' ? 'the default channel' : `channel "${channel}"`
      throw config.error('sync_mode', `sync_mode: semisync needs sync_log: yes and ${where} among sync_log_channels`)
    }
    return new Confirmations(config.directory, channel, config.duration('sync_semisync_timeout') * 1000, log)
  }

  /** Lines were appended to a log. @returns what to wait for, if it is the log that is confirmed */
  appended(path: string, fd: number): Generation | undefined {
    if (path !== this.#path) return undefined
    this.#watch()
    const { ino } = fstatSync(fd)
    let generation = this.#generations.get(ino)
    if (generation === undefined) {
      // held open, so that its number is nobody else's
      generation = { fd: duplicate(fd), waiters: new Set() }
      this.#generations.set(ino, generation)
    }
    return generation
  }

  /** Resolves when the replica has these lines; or when it cannot have them, or may not be waited for any longer, which is logged. */
  async confirmed(generation: Generation, lines: readonly string[]): Promise<void> {
    if (existsSync(this.#fallenBack)) return
    const done = await new Promise<boolean>((resolve) => {
      const finish = (done: boolean): void => {
        clearTimeout(timer)
        generation.waiters.delete(finish)
        resolve(done)
      }
      const timer = setTimeout(() => finish(false), this.timeout)
      generation.waiters.add(finish)
      this.#look()
    })
    if (!done) this.#fallBack()
    else {
      const failed = lines.filter((line) => this.#notDone(generation).has(line))
      if (failed.length > 0)
        this.log.warning(`semisync: acknowledged without the replica, which cannot take it yet: ${failed.join(', ')}`)
    }
  }

  close(): void {
    this.#watcher?.close()
    clearInterval(this.#fallback)
    for (const { fd, waiters } of this.#generations.values()) {
      for (const finish of [...waiters]) finish(false)
      closeSync(fd)
    }
    this.#generations.clear()
  }

  /** Which of the logs are done? */
  #look(): void {
    for (const [ino, generation] of this.#generations) {
      if (fstatSync(generation.fd).nlink > 0) continue
      this.#generations.delete(ino)
      const waiters = [...generation.waiters]
      for (const finish of waiters) finish(true)
      // those who wait read it first
      setImmediate(() => closeSync(generation.fd))
      if (!existsSync(this.#fallenBack)) continue
      rmSync(this.#fallenBack, { force: true })
      this.log.notice('semisync: the replica is back: changes wait for it again')
    }
  }

  #notDone({ fd }: Generation): Set<string> {
    const { size } = fstatSync(fd)
    const bytes = Buffer.allocUnsafe(Math.min(size, 1024 * 1024))
    const length = readSync(fd, bytes, 0, bytes.length, size - bytes.length)
    const [, noted] = bytes.toString('utf8', 0, length).split(`${NOT_DONE}\n`)
    return new Set(noted?.split('\n') ?? [])
  }

  #fallBack(): void {
    if (existsSync(this.#fallenBack)) return
    try {
      writeFileSync(this.#fallenBack, `${process.pid}\n`, { mode: 0o644 })
    } catch (error) {
      this.log.error(`${this.#fallenBack}: ${(error as Error).message}`)
    }
    this.log.warning(
      `semisync: no confirmation from the replica within ${this.timeout / 1000} s: changes are acknowledged without it until it is back`,
    )
  }

  #watch(): void {
    if (this.#watcher !== undefined || this.#fallback !== undefined) return
    const directory = dirname(this.#path)
    mkdirSync(directory, { recursive: true, mode: 0o755 })
    try {
      this.#watcher = watch(directory, () => this.#look())
      this.#watcher.unref()
      this.#watcher.on('error', () => {})
    } catch (error) {
      this.log.warning(`cannot watch ${directory}: ${(error as Error).message}; looking every 10 ms while changes wait`)
      this.#fallback = setInterval(() => this.#look(), 10).unref()
    }
  }
}
