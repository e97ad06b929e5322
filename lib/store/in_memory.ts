/**
 * A small message that goes into a mailbox without a file in the staging area: its bytes become durable with the commit that gives it its
 * record, and its file is made once, under its final name, by Node's threads before the commit if the UID is known so early.
 */
import { closeSync, fstatSync, mkdirSync, open as openFile, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/** The file that was made for one, as it was left. */
interface Placed {
  readonly path: string
  readonly ino: number
  readonly ctimeMs: number
}

/** Bytes with, perhaps, a file under the name that they are to get. */
export class InMemory {
  #placed: Placed | undefined
  #takenAs: string | undefined

  /** @param bytes the whole message, at most INLINE_LIMIT */
  constructor(readonly bytes: Buffer) {}

  /**
   * Makes the file, if nothing has that name yet and the directory is there: a file without a record belongs to nobody. What is left undone
   * here, `place` does.
   */
  placeAhead(path: string): Promise<void> {
    return new Promise((resolve) => {
      openFile(path, 'wx', 0o600, (error, fd) => {
        if (error === null) {
          try {
            this.#fill(path, fd)
          } catch {
            // a full disk, say: the transaction will be told
            rmSync(path, { force: true })
          } finally {
            closeSync(fd)
          }
        }
        resolve()
      })
    })
  }

  /** Whether this made the file under this name. */
  isPlacedAt(path: string): boolean {
    return this.#placed?.path === path
  }

  /** Whether the last transaction that took it gave it this name. */
  isTakenAs(path: string): boolean {
    return this.#takenAs === path
  }

  /** Inside a transaction, whose lock keeps others from the name: sees to it that the file is there. @throws the file system's error */
  place(path: string): void {
    this.#takenAs = path
    const placed = this.#placed
    if (placed?.path === path) {
      // who found it in the way before its record was there may have put something else in its place
      const now = statSync(path, { throwIfNoEntry: false })
      if (now !== undefined && now.ino === placed.ino && now.ctimeMs === placed.ctimeMs) return
    }
    rmSync(path, { force: true })
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const fd = openSync(path, 'wx', 0o600)
    try {
      this.#fill(path, fd)
    } finally {
      closeSync(fd)
    }
  }

  #fill(path: string, fd: number): void {
    const { bytes } = this
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    const { ino, ctimeMs } = fstatSync(fd)
    this.#placed = { path, ino, ctimeMs }
  }
}

/** Where a transaction takes a message from: a file on the mailbox's partition, staged or another mailbox's, or memory. */
export type MessageSource = string | InMemory
