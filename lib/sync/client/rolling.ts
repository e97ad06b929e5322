/**
 * Rolling replication (csync.md §11.4): rounds over the channel's log for as long as the process lives.
 *
 * A round starts as soon as the log appears. `log-run` stays until all of it is done or safely deferred, so that a crash at any instant
 * only repeats work. When the replica goes away, connecting is tried again with growing pauses; nothing is lost. An item that fails is tried
 * again with growing pauses of its own and holds up no other.
 */
import { stat, unlink } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type FSWatcher, watch } from 'chokidar'
import type { Logger } from '../../process/log.js'
import type { LogFiles } from '../log_file.js'
import { groupByOwner } from '../owner_groups.js'
import { type AnySession, replicateLog } from './any_generation.js'
import { Connections } from './connections.js'
import { Deferred } from './deferred.js'
import { RunMemory } from './log_run.js'
import { PeerGoneError } from './peer_errors.js'
import type { StatusFile } from './status.js'

/** How rolling goes. Times in milliseconds. */
export interface RollingOptions {
  readonly files: LogFiles
  readonly log: Logger
  /** opens a connection; its failure is a PeerGoneError */
  readonly connect: () => Promise<AnySession>
  /** connections at most (`sync_parallel`); 1 does everything in the order of the log */
  readonly parallel: number
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
  /** kept up to date, if given */
  readonly status?: StatusFile | undefined
}

const FIRST_PAUSE = 100
/** The log is looked for this often even if no notice of it came. */
const LOOK_EVERY = 2000
const PING_EVERY = 60_000
/** The longest that the watcher's first look is waited for at the end. */
const PATIENCE = 1000

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
  readonly #connections: Connections
  #pause = FIRST_PAUSE
  #watcher: FSWatcher | undefined
  #watching: Promise<unknown> = Promise.resolve()
  #wake: (() => void) | undefined
  #noticed = false
  readonly #deferred: Deferred
  readonly #memory = new RunMemory()
  #lastPing = performance.now()

  constructor(options: RollingOptions) {
    this.#options = options
    const { connect, parallel, lifetime } = options
    this.#connections = new Connections({ connect, most: parallel, lifetime })
    this.#deferred = new Deferred(options.files, options.longestPause)
  }

  async run(): Promise<void> {
    const { stopping, once, interval } = this.#options
    const stop = (): void => this.#wake?.()
    stopping.addEventListener('abort', stop)
    this.#watch()
    await this.#deferred.load()
    while (!stopping.aborted && !(await this.#shutDown())) {
      if (!(await this.#connected())) {
        if (once) throw new PeerGoneError('the replica cannot be reached')
        continue
      }
      const began = performance.now()
      this.#noticed = false
      const worked = await this.#round()
      if (once) return
      if (!worked) await this.#sleep()
      else if (interval > 0) await this.#delay(interval - (performance.now() - began))
    }
    stopping.removeEventListener('abort', stop)
  }

  async end(): Promise<void> {
    // closed before its first look is over, chokidar may go on watching
    await Promise.race([this.#watching, pause(PATIENCE, undefined, { ref: false })])
    await this.#watcher?.close()
    await this.#connections.end()
    this.#tell()
    this.#options.status?.write()
  }

  /** @returns whether there was anything to do */
  async #round(): Promise<boolean> {
    const { files, log, stopping } = this.#options
    const taken = await files.take()
    const due = this.#deferred.due()
    if (taken === undefined && due.length === 0) return false
    if (taken?.again) log.notice('Reprocessing sync log file')
    const lines = [...(taken?.lines ?? []), ...due]
    this.#tell(lines.length)
    try {
      const failed = await this.#runAll(lines)
      for (const [line, pause] of await this.#deferred.settle(due, failed))
        log.notice(`Deferred: ${line}, again in ${pause / 1000} s`)
      if (taken !== undefined) files.done(touchedBy(failed, taken.lines))
      this.#pause = FIRST_PAUSE
      this.#tell(0, true)
    } catch (error) {
      if (!(error instanceof PeerGoneError)) log.error(`rolling replication: ${(error as Error).stack ?? error}`)
      else if (!stopping.aborted) log.error(`connection to the replica lost: ${error.message}`)
      if (!stopping.aborted) await this.#backOff()
    }
    return true
  }

  /** @returns what failed, and why  @throws when the last connection was lost and something is left: nothing is known of that */
  async #runAll(lines: readonly string[]): Promise<Map<string, string>> {
    const { parallel, stopping } = this.#options
    const failed = new Map<string, string>()
    const queue = parallel > 1 ? groupByOwner(lines) : [[...lines]]
    await this.#connections.share(queue, async (session, group) => {
      for (const line of await replicateLog(session, group, () => stopping.aborted, this.#memory))
        failed.set(line, this.#memory.reasons.get(line) ?? '')
    })
    this.#memory.reasons.clear()
    return failed
  }

  async #connected(): Promise<boolean> {
    const { log, once, status } = this.#options
    try {
      await this.#connections.connected()
      if (status !== undefined && status.status.connectedSince === null) this.#tell()
      return true
    } catch (error) {
      if (!(error instanceof PeerGoneError)) throw error
      log.error(`Can not connect to server: ${error.message}; retrying in ${this.#limited(this.#pause) / 1000} seconds`)
      if (status !== undefined) status.status.connectError = error.message
      this.#tell()
      if (!once) await this.#backOff()
      return false
    }
  }

  /** Brings the status up to date. @param underWay lines of the round  @param roundDone it has just ended well */
  #tell(underWay?: number, roundDone = false): void {
    const file = this.#options.status
    if (file === undefined) return
    const { status } = file
    const { lines } = this.#deferred
    const since = this.#connections.since
    status.connectedSince = since === undefined ? null : since / 1000
    status.connections = this.#connections.size
    if (since !== undefined) status.connectError = null
    if (roundDone) {
      status.lastRound = Date.now() / 1000
      status.rounds++
    }
    if (underWay !== undefined) status.waiting = underWay + lines.size
    const firsts = [...lines.values()].map((line) => line.since)
    const pending = this.#options.files.pendingSince()
    if (pending !== undefined) firsts.push(pending)
    status.oldest = firsts.length === 0 ? null : Math.min(...firsts) / 1000
    const lost = this.#options.files.fallenBackSince()
    status.semisyncLost = lost === undefined ? null : lost / 1000
    const offset = Date.now() - performance.now()
    status.failing = [...lines].map(([line, { reason, since, at }]) => ({
      line,
      reason,
      since: since / 1000,
      next: Math.max(at + offset, Date.now()) / 1000,
    }))
    file.touch()
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
    await this.#wait(Math.min(this.#deferred.untilNext(), LOOK_EVERY))
    if (performance.now() - this.#lastPing < PING_EVERY) return
    // a replica that has died without a word is found out before there is work for it
    this.#lastPing = performance.now()
    await this.#connections.idle()
    this.#tell()
  }

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
    let ready!: () => void
    this.#watching = new Promise<void>((resolve) => {
      ready = resolve
    })
    // a log that is renamed away and written anew at once is no change to chokidar; the kernel's own word (`raw`) comes at once and always
    this.#watcher = watch(files.directory, { depth: 0, ignoreInitial: true, atomic: false })
      .on('all', (_event, path) => notice(path))
      .on('ready', () => ready())
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

/** Lines that are of one owner with a line that failed: whether they are done is not known. */
function touchedBy(failed: ReadonlyMap<string, string>, lines: readonly string[]): string[] {
  if (failed.size === 0) return []
  const taken = new Set(lines)
  const groups = groupByOwner([...lines, ...failed.keys()])
  return groups
    .filter((group) => group.some((line) => failed.has(line)))
    .flatMap((group) => group.filter((line) => taken.has(line)))
}
