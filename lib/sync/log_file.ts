/**
 * The reader's half of the replication log (csync.md §10.3): takes `log` away as `log-run`, reads it once no writer holds it, and removes it
 * only when told that everything in it has been done. What could not be done is kept in `log-deferred`, so that one bad mailbox holds
 * nothing up and is not forgotten by a crash. What a sync_client of Cyrus that ended too early has left, `log-PID`, is done too. The log is small and in memory, so it is taken without a thread: each would add to the lag.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { lockByte, unlockByte, WHOLE_FILE } from '../os/byte_lock.js'
import { lock, tryLock } from '../os/file_lock.js'
import { FALLEN_BACK, note } from '../store/confirmations.js'
import { syncLogPath } from '../store/sync_log.js'

/** Bytes of the log read at a time. */
const PIECE = 64 * 1024

/** One channel's files. */
export class LogFiles {
  readonly directory: string
  readonly #log: string
  readonly #run: string
  readonly #deferred: string
  #lock: FileHandle | undefined
  /** what others have left, to be done before the log */
  #leftovers: string[] | undefined

  /** @param channel '' for the default one */
  constructor(configdirectory: string, channel: string) {
    this.#log = syncLogPath(configdirectory, channel)
    this.directory = dirname(this.#log)
    this.#run = join(this.directory, 'log-run')
    this.#deferred = join(this.directory, 'log-deferred')
  }

  /** Makes sure that no other rolling client works on this channel; held until the process ends. @returns false if one does */
  async claim(): Promise<boolean> {
    await mkdir(this.directory, { recursive: true, mode: 0o755 })
    this.#lock ??= await open(join(this.directory, 'client.lock'), 'a', 0o600)
    return tryLock(this.#lock.fd)
  }

  /** As `claim`, but waits for its turn. */
  async waitForClaim(): Promise<void> {
    if (!(await this.claim())) await lock(this.#lock!.fd)
  }

  /**
   * The lines to be done, each once: those left over from a run that did not end, else those logged since. Nothing if there are none.
   * @returns `again` tells that a run did not end
   */
  async take(): Promise<{ lines: string[]; again: boolean } | undefined> {
    this.#leftovers ??= leftoversIn(this.directory)
    const again = existsSync(this.#run) || this.#leftovers.length > 0
    if (!existsSync(this.#run)) {
      try {
        renameSync(this.#leftovers.shift() ?? this.#log, this.#run)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    }
    const fd = openSync(this.#run, 'r+')
    try {
      // a writer that opened the log before it was renamed finishes under its lock
      await lockByte(fd, WHOLE_FILE, 'exclusive')
      unlockByte(fd, WHOLE_FILE)
      return { lines: distinctLines(fd), again }
    } finally {
      closeSync(fd)
    }
  }

  /** When the oldest line was written that is not done, nor deferred, ms since the epoch; undefined if there is none. */
  pendingSince(): number | undefined {
    for (const path of [this.#run, this.#log]) {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found !== undefined) return found.birthtimeMs
    }
    return undefined
  }

  /** With `sync_mode: semisync`: since when changes are acknowledged without the replica, ms since the epoch; undefined while they wait for it. */
  fallenBackSince(): number | undefined {
    return statSync(join(this.directory, FALLEN_BACK), { throwIfNoEntry: false })?.mtimeMs
  }

  /** How many distinct lines are logged and not done, and how many are deferred. For a look from outside: nothing is locked. */
  async waiting(): Promise<{ logged: number; deferred: number }> {
    let logged = 0
    for (const path of [this.#run, this.#log]) {
      try {
        const fd = openSync(path, 'r')
        logged += distinctLines(fd).length
        closeSync(fd)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
    return { logged, deferred: (await this.deferred()).length }
  }

  /**
   * Everything taken has been done, or is deferred. Whoever waits for its lines (lib/store/confirmations.ts) learns it by the file's end.
   * @param deferred lines of what was taken that are not on the replica
   */
  done(deferred: readonly string[] = []): void {
    if (deferred.length > 0) appendFileSync(this.#run, note(deferred))
    rmSync(this.#run, { force: true })
  }

  /** Lines deferred by this process or one before it. */
  async deferred(): Promise<string[]> {
    const text = await readFile(this.#deferred, 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }

  /** Keeps lines for later, durably; none removes the file. */
  async defer(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) {
      await unlink(this.#deferred).catch(() => {})
      return
    }
    const fresh = `${this.#deferred}.new`
    const file = await open(fresh, 'w', 0o640)
    try {
      await file.writeFile(`${lines.join('\n')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(fresh, this.#deferred)
    const directory = await open(this.directory, 'r')
    await directory.sync().finally(() => directory.close())
  }
}

/** Work files of sync_clients of Cyrus that are no more. */
function leftoversIn(directory: string): string[] {
  const found: string[] = []
  for (const name of existsSync(directory) ? readdirSync(directory) : []) {
    const pid = /^log-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !isSyncClient(pid)) found.push(join(directory, name))
  }
  return found
}

function isSyncClient(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sync_client')
  } catch {
    return false
  }
}

/** Piece by piece: while a replica is away a log may grow beyond what a string can hold, most of it repetition. */
function distinctLines(fd: number): string[] {
  const lines = new Set<string>()
  const piece = Buffer.allocUnsafe(PIECE)
  const decoder = new StringDecoder('utf8')
  let rest = ''
  for (;;) {
    const length = readSync(fd, piece)
    const parts = (rest + (length === 0 ? decoder.end() : decoder.write(piece.subarray(0, length)))).split('\n')
    rest = length === 0 ? '' : parts.pop()!
    for (const line of parts) if (line !== '') lines.add(line)
    if (length === 0) return [...lines]
  }
}
