/**
 * Writing the replication log: {configdirectory}/sync[/CHANNEL]/log, one line a change, read by sync_client.
 * A writer appends under an exclusive fcntl lock, after making sure that the file it locked is still the one under that name, since
 * the reader takes the log away by renaming it (csync.md §10.1). Lines of one process that come together share one append and one sync.
 */
import { closeSync, fstatSync, fsync, mkdirSync, openSync, readSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Config } from '../config/config.js'
import { lockByte, unlockByte, WHOLE_FILE } from '../os/byte_lock.js'
import type { Confirmations, Generation } from './confirmations.js'

const fsyncAsync = promisify(fsync)
const ATTEMPTS = 64
/** Until a log that cannot be written (a full disk) is tried again, ms. */
const RETRY = 1000

/**
 * One line, without its end: `TYPE arg …`; arguments are quoted where the reader needs it.
 * @throws {Error} on CR or LF in an argument, which no line can hold
 */
export function syncLogLine(type: string, ...args: string[]): string {
  return [type, ...args.map(quote)].join(' ')
}

function quote(arg: string): string {
  if (/[\r\n]/.test(arg))
    throw new Error(`a name with a line end cannot be logged: ${JSON.stringify(arg.slice(0, 80))}`)
  if (arg !== '' && !/[ \t()\\"{}]/.test(arg)) return arg
  return `"${arg.replace(/[\\"{}]/g, '\\$&')}"`
}

/** The file of a channel; '' is the default one. */
export function syncLogPath(configdirectory: string, channel: string): string {
  return channel === '' ? join(configdirectory, 'sync', 'log') : join(configdirectory, 'sync', channel, 'log')
}

/** Channels to which this process writes: none unless `sync_log`; a replica only with `sync_log_chain`, but for the unsuppressable ones. */
export function syncLogChannels(config: Config, replica: boolean): string[] {
  const channels = (name: string) => config.list(name).map((channel) => (channel === '""' ? '' : channel))
  if (!config.switch('sync_log')) return []
  const wanted = config.isSet('sync_log_channels') ? channels('sync_log_channels') : ['']
  if (!replica || config.switch('sync_log_chain')) return wanted
  const unsuppressable = channels('sync_log_unsuppressable_channels')
  return wanted.filter((channel) => unsuppressable.includes(channel))
}

export class SyncLog {
  readonly #paths: string[]
  #waiting: { lines: string[]; done: Promise<Generation | undefined> } | undefined
  #running: Promise<unknown> = Promise.resolve()
  /** open logs with lines that may not be on disk, by path */
  readonly #unsynced = new Map<string, number[]>()
  readonly #closing = new AbortController()
  #retry: Promise<void> | undefined

  /**
   * @param channels as from syncLogChannels
   * @param confirmations told what is written to the channel that they watch
   */
  constructor(
    configdirectory: string,
    channels: readonly string[],
    private readonly confirmations?: Confirmations,
  ) {
    this.#paths = channels.map((channel) => syncLogPath(configdirectory, channel))
  }

  /** Whether anything is written at all. */
  get enabled(): boolean {
    return this.#paths.length > 0
  }

  /**
   * Appends lines to every channel's log. Resolves when a reader can see them; `sync` brings them to disk.
   * @returns what to wait for until the replica has them, if there are confirmations and they watch one of the channels
   */
  write(lines: readonly string[]): Promise<Generation | undefined> {
    if (!this.enabled || lines.length === 0) return Promise.resolve(undefined)
    if (this.#waiting !== undefined) {
      this.#waiting.lines.push(...lines)
      return this.#waiting.done
    }
    const batch = { lines: [...lines], done: Promise.resolve<Generation | undefined>(undefined) }
    batch.done = this.#running
      .catch(() => {})
      .then(async () => {
        this.#waiting = undefined
        const text = Buffer.from(`${[...new Set(batch.lines)].join('\n')}\n`)
        const generations = await Promise.all(this.#paths.map((path) => this.#append(path, text)))
        return generations.find((generation) => generation !== undefined)
      })
    this.#waiting = batch
    this.#running = batch.done
    return batch.done
  }

  /**
   * As `write`, again and again until it can be done: a change that no line tells of would not be replicated before the next one.
   * @param complain told of each failure, once for all who wait
   * @throws {Error} after `close`
   */
  async writeSurely(lines: readonly string[], complain: (message: string) => void): Promise<Generation | undefined> {
    for (;;) {
      try {
        return await this.write(lines)
      } catch (error) {
        if (this.#closing.signal.aborted) throw error
        if (this.#retry === undefined) {
          complain(`replication log: ${(error as Error).message}; trying again`)
          this.#retry = pause(RETRY, undefined, { signal: this.#closing.signal }).finally(() => {
            this.#retry = undefined
          })
        }
        await this.#retry
      }
    }
  }

  /** Nothing is tried again any more. */
  close(): void {
    this.#closing.abort()
  }

  /** Resolves when all lines written so far are on disk. */
  async sync(): Promise<void> {
    const fds = [...this.#unsynced.values()].flat()
    this.#unsynced.clear()
    // each is closed, whatever becomes of the others
    const results = await Promise.allSettled(fds.map((fd) => fsyncAsync(fd).finally(() => closeSync(fd))))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async #append(path: string, text: Buffer): Promise<Generation | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const fd = open(path)
      try {
        await lockByte(fd, WHOLE_FILE, 'exclusive')
        if (!isStill(fd, path)) {
          closeSync(fd)
          continue
        }
        const whole = endsWithLine(fd) ? text : Buffer.concat([Buffer.from('\n'), text])
        for (let at = 0; at < whole.length; ) at += writeSync(fd, whole, at)
      } catch (error) {
        closeSync(fd)
        throw error
      }
      // a reader that has renamed the log waits for this lock before it reads
      unlockByte(fd, WHOLE_FILE)
      const generation = this.confirmations?.appended(path, fd)
      this.#keep(path, fd)
      return generation
    }
    throw new Error(`${path}: taken away ${ATTEMPTS} times while it was being opened`)
  }

  /** Keeps a log open until it is synced; one descriptor is enough for a file. */
  #keep(path: string, fd: number): void {
    const kept = this.#unsynced.get(path) ?? []
    const { ino } = fstatSync(fd)
    if (kept.some((other) => fstatSync(other).ino === ino)) closeSync(fd)
    else this.#unsynced.set(path, [...kept, fd])
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'a+', 0o640)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    return openSync(path, 'a+', 0o640)
  }
}

/** Whether the next line may follow at once. A full disk or a power failure may have left half a line. */
function endsWithLine(fd: number): boolean {
  const { size } = fstatSync(fd)
  const last = Buffer.alloc(1)
  return size === 0 || (readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a)
}

function isStill(fd: number, path: string): boolean {
  const opened = fstatSync(fd)
  const named = statSync(path, { throwIfNoEntry: false })
  return named !== undefined && named.ino === opened.ino && named.dev === opened.dev
}
