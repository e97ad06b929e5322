/**
 * Rolling replication (csync.md §11.4): rounds over the channel's log for as long as the process lives.
 *
 * A round starts as soon as the log appears. `log-run` stays until all of it is done or safely deferred, so that a crash at any instant
 * only repeats work. When the replica goes away, connecting is tried again with growing pauses; nothing is lost. An item that fails is tried
 * again with growing pauses of its own and holds up no other.
 */
import { stat, unlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { Logger } from '../../process/log.js'
import type { LogFiles } from '../log_file.js'
import { type Losses, runLog } from './log_run.js'
import { PeerGoneError } from './peer.js'
import type { ClientSession } from './session.js'

/** How rolling goes. Times in milliseconds. */
export interface RollingOptions {
  readonly files: LogFiles
  readonly log: Logger
  /** opens a connection; its failure is a PeerGoneError */
  readonly connect: () => Promise<ClientSession>
  /** least time from the start of one round to the start of the next */
  readonly interval: number
  /** a new connection after this time; 0 never */
  readonly lifetime: number
  /** longest pause between two attempts; 0 no limit */
  readonly longestPause: number
  /** end after one round (-1) */
  readonly once: boolean
  /** rolling ends when this file appears */
  readonly shutdownFile: string | undefined
  readonly stopping: AbortSignal
}

const FIRST_PAUSE = 100
/** The log is looked for this often even if no notice of it came. */
const LOOK_EVERY = 2000
const PING_EVERY = 60_000

/** Resolves when it is told to stop, or with `once` after a round. */
export async function roll(options: RollingOptions): Promise<void> {
  const roller = new Roller(options)
  try {
    await roller.run()
  } finally {
    await roller.end()
  }
}

class Roller {
  readonly #options: RollingOptions
  #session: ClientSession | undefined
  #connectedAt = 0
  #pause = FIRST_PAUSE
  #watcher: FSWatcher | undefined
  #wake: (() => void) | undefined
  #noticed = false
  /** lines that failed, and when they may be tried again */
  #deferred = new Map<string, { at: number; pause: number }>()
  readonly #losses: Losses = new Map()

  constructor(options: RollingOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { files, stopping, once, interval } = this.#options
    const stop = (): void => this.#wake?.()
    stopping.addEventListener('abort', stop)
    this.#watch()
    for (const line of await files.deferred()) this.#deferred.set(line, { at: 0, pause: FIRST_PAUSE })
    while (!stopping.aborted && !(await this.#shutDown())) {
      const session = await this.#connected()
      if (session === undefined) {
        if (once) throw new PeerGoneError('the replica cannot be reached')
        continue
      }
      const began = performance.now()
      this.#noticed = false
      const worked = await this.#round(session)
      if (once) return
      if (!worked) await this.#sleep()
      else if (interval > 0) await this.#delay(interval - (performance.now() - began))
    }
    stopping.removeEventListener('abort', stop)
  }

  async end(): Promise<void> {
    await this.#watcher?.close()
    await this.#session?.peer.exit()
  }

  /** @returns whether there was anything to do */
  async #round(session: ClientSession): Promise<boolean> {
    const { files, log, stopping } = this.#options
    const taken = await files.take()
    const now = performance.now()
    const due = [...this.#deferred].filter(([, { at }]) => at <= now).map(([line]) => line)
    if (taken === undefined && due.length === 0) return false
    if (taken?.again) log.notice('Reprocessing sync log file')
    const lines = [...(taken?.lines ?? []), ...due]
    try {
      const failed = await runLog(session, lines, () => stopping.aborted, this.#losses)
      await this.#defer(due, failed)
      if (taken !== undefined) files.done()
      this.#pause = FIRST_PAUSE
    } catch (error) {
      if (!(error instanceof PeerGoneError)) log.error(`rolling replication: ${(error as Error).stack ?? error}`)
      else if (!stopping.aborted) log.error(`connection to the replica lost: ${error.message}`)
      session.peer.destroy()
      this.#session = undefined
      if (!stopping.aborted) await this.#backOff()
    }
    return true
  }

  /** What was due is done, but for what failed again, which waits twice as long. */
  async #defer(due: readonly string[], failed: readonly string[]): Promise<void> {
    const before = new Map(due.map((line) => [line, this.#deferred.get(line)!]))
    const unchanged = before.size === 0 && failed.length === 0
    for (const line of due) this.#deferred.delete(line)
    // lines that failed together come again together: two names of one rename are no use alone
    const now = performance.now()
    for (const line of failed) {
      const pause = this.#limited((before.get(line) ?? this.#deferred.get(line))?.pause ?? FIRST_PAUSE)
      this.#deferred.set(line, { at: now + pause, pause: pause * 2 })
      this.#options.log.notice(`Deferred: ${line}, again in ${pause / 1000} s`)
    }
    if (!unchanged) await this.#options.files.defer([...this.#deferred.keys()])
  }

  async #connected(): Promise<ClientSession | undefined> {
    const { lifetime, log, connect } = this.#options
    if (this.#session?.peer.closed) this.#session = undefined
    if (this.#session !== undefined && lifetime > 0 && performance.now() - this.#connectedAt > lifetime) {
      await this.#session.restart().catch(() => {})
      await this.#session.peer.exit()
      this.#session = undefined
    }
    if (this.#session !== undefined) return this.#session
    try {
      this.#session = await connect()
      this.#connectedAt = performance.now()
      return this.#session
    } catch (error) {
      if (!(error instanceof PeerGoneError)) throw error
      log.error(`Can not connect to server: ${error.message}; retrying in ${this.#limited(this.#pause) / 1000} seconds`)
      if (!this.#options.once) await this.#backOff()
      return undefined
    }
  }

  async #backOff(): Promise<void> {
    const pause = this.#limited(this.#pause)
    this.#pause = pause * 2
    await this.#delay(pause)
  }

  #limited(pause: number): number {
    const { longestPause } = this.#options
    return longestPause > 0 ? Math.min(pause, longestPause) : pause
  }

  /** Waits for the log, for a deferred item, or for being told to stop. */
  async #sleep(): Promise<void> {
    if (this.#noticed) return
    const now = performance.now()
    const next = Math.min(...[...this.#deferred.values()].map(({ at }) => at - now), LOOK_EVERY)
    await this.#wait(Math.max(next, 0))
    const session = this.#session
    if (session === undefined || session.peer.closed || performance.now() - this.#lastPing < PING_EVERY) return
    // a replica that has died without a word is found out before there is work for it
    this.#lastPing = performance.now()
    await session.peer.noop().catch(() => session.peer.destroy())
  }

  #lastPing = performance.now()

  async #delay(ms: number): Promise<void> {
    const until = performance.now() + ms
    while (!this.#options.stopping.aborted && performance.now() < until) await this.#wait(until - performance.now())
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
      const timer = setTimeout(finish, Math.max(ms, 1))
      this.#wake = finish
      if (this.#options.stopping.aborted) finish()
    })
  }

  #watch(): void {
    const { files, log } = this.#options
    const notice = (path: string): void => {
      if (basename(path) !== 'log') return
      this.#noticed = true
      this.#wake?.()
    }
    // a log that is renamed away and written anew at once is no change to chokidar; the kernel's own word (`raw`) comes at once and always
    this.#watcher = watch(files.directory, { depth: 0, ignoreInitial: true, atomic: false })
      .on('all', (_event, path) => notice(path))
      .on('raw', (_event, path) => notice(path ?? 'log'))
      .on('error', (error) => {
        log.warning(
          `cannot watch ${files.directory}: ${(error as Error).message}; looking every ${LOOK_EVERY / 1000} s`,
        )
      })
  }

  async #shutDown(): Promise<boolean> {
    const { shutdownFile, log } = this.#options
    if (shutdownFile === undefined || (await stat(shutdownFile).catch(() => undefined)) === undefined) return false
    log.notice(`Detected shutdown file ${shutdownFile}`)
    await unlink(shutdownFile).catch(() => {})
    return true
  }
}
