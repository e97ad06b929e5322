/**
 * Waiting for descriptors to become readable without reading from them: poll(2) on a thread of Node's pool, which an eventfd wakes.
 * One Poller at a time occupies one thread while it waits; it accepts and reads nothing.
 */
import { closeSync, readSync, writeSync } from 'node:fs'
import { check, native, SystemError } from './libc.js'

const POLLIN = 1
const EFD_CLOEXEC_NONBLOCK = 0o2004000
const RECORD = 8

/** An array of `struct pollfd`, all asking for POLLIN. */
function pollRecords(fds: readonly number[]): Buffer {
  const records = Buffer.alloc(RECORD * fds.length)
  fds.forEach((fd, i) => {
    records.writeInt32LE(fd, i * RECORD)
    records.writeInt16LE(POLLIN, i * RECORD + 4)
  })
  return records
}

/** @returns which of the descriptors can be read now (data, a connection, end of file or an error), without waiting */
export function readableNow(fds: readonly number[]): number[] {
  const records = pollRecords(fds)
  const result = native.poll()(records, fds.length, 0)
  if (result <= 0) return []
  return fds.filter((_, i) => records.readInt16LE(i * RECORD + 6) !== 0)
}

/** Waits for descriptors, one wait at a time. */
export class Poller {
  readonly #wakeFd = check(native.eventfd()(0, EFD_CLOEXEC_NONBLOCK), 'eventfd')
  #waiting = false
  #closed = false

  /**
   * Resolves once at least one descriptor is readable, or wake() was called (also before wait()), or the time is over.
   * @param milliseconds -1 waits without limit
   * @returns the readable ones; empty after wake() or at the time limit
   * @throws {SystemError} when poll(2) fails; EINTR counts as the time limit
   */
  async wait(fds: readonly number[], milliseconds = -1): Promise<number[]> {
    if (this.#closed) return []
    if (this.#waiting) throw new Error('Poller.wait: already waiting')
    this.#waiting = true
    const all = [this.#wakeFd, ...fds]
    const records = pollRecords(all)
    try {
      const result = await new Promise<number>((resolve, reject) => {
        native
          .poll()
          .async(records, all.length, milliseconds, (error, value) => (error ? reject(error) : resolve(value)))
      })
      if (result < 0) return []
      if (records.readInt16LE(6) !== 0) this.#drain()
      return fds.filter((fd, i) => {
        const got = records.readInt16LE((i + 1) * RECORD + 6)
        if (got & 0x20) throw new SystemError('poll', 9, `descriptor ${fd}`)
        return got !== 0
      })
    } finally {
      this.#waiting = false
      if (this.#closed) closeSync(this.#wakeFd)
    }
  }

  /** Ends the present wait, or the next one at once. */
  wake(): void {
    if (this.#closed) return
    const one = Buffer.alloc(8)
    one.writeBigUInt64LE(1n)
    writeSync(this.#wakeFd, one)
  }

  /** Wakes and gives the descriptor back. */
  close(): void {
    if (this.#closed) return
    if (this.#waiting) this.wake()
    else closeSync(this.#wakeFd)
    this.#closed = true
  }

  #drain(): void {
    try {
      readSync(this.#wakeFd, Buffer.alloc(8))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
