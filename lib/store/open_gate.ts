/**
 * Keeps opening and closing the database apart from commits, across processes.
 *
 * LMDB lets a process open an environment while others write. But on the way it sets the shared number of the newest transaction to what it
 * read a moment before, under no lock (mdb_env_open2). A commit within that moment is forgotten: the next writer builds on the transaction
 * before it, over pages that are in use. Likewise the last process that closes the environment destroys locks which one that opens it in
 * that moment goes on to use. Neither is rare where services come and go under load.
 *
 * So whoever opens or closes holds byte OPENING of a file alone, and whoever opens also byte WRITING. A process with commits
 * under way shares WRITING, and takes it by way of OPENING, so that those who open wait for the commits under way and for no others.
 */
import { closeSync, openSync } from 'node:fs'
import { isByteLocked, lockByte, tryLockByte, unlockByte } from '../os/byte_lock.js'

const OPENING = 0
const WRITING = 1

export class OpenGate {
  readonly #fd: number
  /** commits of this process under way */
  #commits = 0
  /** commits that wait until somebody has opened; they go in together */
  #queued = 0
  #waiting: Promise<void> | undefined
  #drained: (() => void)[] = []

  /** @param path the file whose bytes are locked; made if it is not there */
  constructor(path: string) {
    this.#fd = openSync(path, 'a+', 0o600)
  }

  /** Runs what opens the environment, and everything that makes it ready, while nobody commits. */
  async opening<T>(work: () => T | Promise<T>): Promise<T> {
    return this.#alone([OPENING, WRITING], work)
  }

  /** Runs what closes the environment, after the commits of this process, while nobody opens or closes. The gate is not to be used after it. */
  async closing(work: () => Promise<void>): Promise<void> {
    while (this.#commits > 0 || this.#waiting !== undefined) await (this.#waiting ?? this.#drain())
    await this.#alone([OPENING], work)
    closeSync(this.#fd)
  }

  /** Runs one commit, while nobody opens. Commits of one process go together; those of several do not wait for each other here. */
  async commit<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting !== undefined || !this.#enter()) {
      this.#queued++
      await (this.#waiting ??= this.#letThemOpen())
    }
    try {
      return await work()
    } finally {
      if (--this.#commits === 0) {
        unlockByte(this.#fd, WRITING)
        for (const go of this.#drained.splice(0)) go()
      }
    }
  }

  /** Gets in without waiting, unless somebody is opening or wishes to. */
  #enter(): boolean {
    if (this.#commits === 0) {
      if (!tryLockByte(this.#fd, OPENING, 'shared')) return false
      const free = tryLockByte(this.#fd, WRITING, 'shared')
      unlockByte(this.#fd, OPENING)
      if (!free) return false
    } else if (isByteLocked(this.#fd, OPENING)) return false
    this.#commits++
    return true
  }

  /** Waits until nobody commits in this process and nobody opens, and lets the queue in. */
  async #letThemOpen(): Promise<void> {
    try {
      if (this.#commits > 0) await this.#drain()
      await lockByte(this.#fd, OPENING, 'shared')
      await lockByte(this.#fd, WRITING, 'shared')
      unlockByte(this.#fd, OPENING)
      this.#commits = this.#queued
    } finally {
      this.#queued = 0
      this.#waiting = undefined
    }
  }

  #drain(): Promise<void> {
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  async #alone<T>(bytes: readonly number[], work: () => T | Promise<T>): Promise<T> {
    try {
      for (const byte of bytes) await lockByte(this.#fd, byte, 'exclusive')
      return await work()
    } finally {
      for (const byte of bytes.toReversed()) unlockByte(this.#fd, byte)
    }
  }
}
