/** Staging files made ahead of need. */
import { closeSync, open as openFile, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** An empty file in a staging area, open for writing. */
export interface Blank {
  readonly path: string
  readonly fd: number
}

const MOST_BLANKS = 64

/**
 * Empty staging files made ahead of need, by Node's threads: making a file takes the file system half a millisecond and more, for which no
 * connection should wait. The stock grows with demand, and there is none before the first message.
 */
export class Blanks {
  readonly #ready: Blank[] = []
  #wanted = 2
  #making = 0
  #made = 0
  #closed = false

  constructor(readonly directory: string) {}

  take(): Blank {
    const blank = this.#ready.pop()
    if (blank === undefined) this.#wanted = Math.min(2 * this.#wanted, MOST_BLANKS)
    this.#refill()
    if (blank !== undefined) return blank
    const path = this.#nextPath()
    return { path, fd: openSync(path, 'wx', 0o600) }
  }

  close(): void {
    this.#closed = true
    for (const { path, fd } of this.#ready.splice(0)) {
      closeSync(fd)
      rmSync(path, { force: true })
    }
  }

  #nextPath(): string {
    return join(this.directory, `${process.pid}-${++this.#made}-${Date.now().toString(36)}`)
  }

  #refill(): void {
    while (this.#ready.length + this.#making < this.#wanted) {
      this.#making++
      const path = this.#nextPath()
      openFile(path, 'wx', 0o600, (error, fd) => {
        this.#making--
        // who needs one then makes it, and is told what is wrong
        if (error !== null) return
        this.#ready.push({ path, fd })
        if (this.#closed) this.close()
      })
    }
  }
}
