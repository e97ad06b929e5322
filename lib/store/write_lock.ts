/**
 * One process at a time commits to the database, opens it or closes it. LMDB has a lock of its own for writers, which is not enough:
 *
 * - It lets a process open an environment while others write. But on the way it sets the shared number of the newest transaction to what it
 *   read a moment before, under no lock (mdb_env_open2). A commit within that moment is forgotten: the next writer builds on the transaction
 *   before it, over pages that are in use. Likewise the last process that closes the environment destroys locks which one that opens it in
 *   that moment goes on to use. Neither is rare where services come and go under load.
 * - Its lock is a robust futex. When a process that has just been woken for it is killed, and another one takes it in that moment, nobody wakes
 *   those that still wait: a commit hangs until others contend for the lock again. So nobody may ever have to wait for it.
 *
 * Locks of a file's bytes are the kernel's own business whoever dies. WRITING is held while commits are under way, by all of a process together.
 * TURN is held while waiting for WRITING, and whoever wants WRITING needs TURN first: so a busy process cannot keep the others out.
 */
import { closeSync, openSync } from 'node:fs'
import { isByteLocked, lockByte, tryLockByte, unlockByte } from '../os/byte_lock.js'

const TURN = 0
const WRITING = 1

export class WriteLock {
  readonly #fd: number
  /** commits of this process under way; WRITING is held as long as there are any */
  #commits = 0
  /** commits that wait for the lock; they go in together */
  #queued = 0
  #waiting: Promise<void> | undefined
  #drained: (() => void)[] = []

  /** @param path the file whose bytes are locked; made if it is not there */
  constructor(path: string) {
    this.#fd = openSync(path, 'a+', 0o600)
  }

  /** Runs one commit; those of this process that come while it runs go with it, unless another process waits. */
  async commit<T>(work: () => Promise<T>): Promise<T> {
    if (this.#waiting !== undefined || !this.#enter()) {
      this.#queued++
      await (this.#waiting ??= this.#wait())
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

  /** Runs what opens the environment and makes it ready, before any commit. */
  async opening<T>(work: () => T | Promise<T>): Promise<T> {
    await this.#acquire()
    try {
      return await work()
    } finally {
      unlockByte(this.#fd, WRITING)
    }
  }

  /** Runs what closes the environment, after the commits of this process. The lock is not to be used after it. */
  async closing(work: () => Promise<void>): Promise<void> {
    while (this.#commits > 0 || this.#waiting !== undefined) await (this.#waiting ?? this.#drain())
    await this.opening(work)
    closeSync(this.#fd)
  }

  /** Gets in without waiting, unless another process is in, or waits. */
  #enter(): boolean {
    if (this.#commits > 0) {
      if (isByteLocked(this.#fd, TURN)) return false
    } else {
      if (!tryLockByte(this.#fd, TURN, 'exclusive')) return false
      const free = tryLockByte(this.#fd, WRITING, 'exclusive')
      unlockByte(this.#fd, TURN)
      if (!free) return false
    }
    this.#commits++
    return true
  }

  /** Waits for this process's commits, then for its turn, and lets the queue in. */
  async #wait(): Promise<void> {
    try {
      if (this.#commits > 0) await this.#drain()
      await this.#acquire()
      this.#commits = this.#queued
    } finally {
      this.#queued = 0
      this.#waiting = undefined
    }
  }

  async #acquire(): Promise<void> {
    await lockByte(this.#fd, TURN, 'exclusive')
    try {
      await lockByte(this.#fd, WRITING, 'exclusive')
    } finally {
      unlockByte(this.#fd, TURN)
    }
  }

  #drain(): Promise<void> {
    return new Promise((resolve) => this.#drained.push(resolve))
  }
}
