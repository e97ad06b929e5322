/**
 * LOCK and UNLOCK (csync-2.3.md §3.4): one session at a time on this machine, among all processes; it counts, and is given up with the session.
 * The file's lock is the process's, so that sessions of one process queue here first.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { lock, unlock } from '../../../os/file_lock.js'

/** One lock file of this process. */
class LockFile {
  #fd: number | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(readonly path: string) {}

  /** Waits for its turn and for other processes. @returns how to give the lock up */
  async take(): Promise<() => void> {
    const before = this.#turn
    let next!: () => void
    this.#turn = new Promise((resolve) => {
      next = resolve
    })
    await before
    try {
      this.#fd ??= this.#open()
      await lock(this.#fd)
    } catch (error) {
      next()
      throw error
    }
    return () => {
      // closed too: an administrator may have removed the file meanwhile
      unlock(this.#fd!)
      closeSync(this.#fd!)
      this.#fd = undefined
      next()
    }
  }

  #open(): number {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o755 })
    return openSync(this.path, 'a', 0o600)
  }
}

const files = new Map<string, LockFile>()

/** A session's hold on the lock. */
export class SyncLock {
  readonly #file: LockFile
  #count = 0
  #release: (() => void) | undefined

  constructor(configdirectory: string) {
    const path = join(configdirectory, 'sync', 'lock')
    let file = files.get(path)
    if (file === undefined) {
      file = new LockFile(path)
      files.set(path, file)
    }
    this.#file = file
  }

  /** Waits as long as it takes. @throws the file system's error */
  async lock(): Promise<void> {
    if (this.#count === 0) this.#release = await this.#file.take()
    this.#count++
  }

  /** @returns false if it is not held */
  unlock(): boolean {
    if (this.#count === 0) return false
    if (--this.#count === 0) this.#free()
    return true
  }

  /** At the end of a session: gives up whatever is held. */
  clear(): void {
    if (this.#count > 0) this.#free()
    this.#count = 0
  }

  #free(): void {
    this.#release?.()
    this.#release = undefined
  }
}
