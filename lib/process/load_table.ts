/**
 * How many connections each process of a service serves, so that they can share evenly: a table in the accept lock's file, 16 bytes a process
 * (pid, connections, whether it takes more, unused; native order). Cyrus' own services lock the same file and look at nothing in it.
 *
 * A process reads the table and looks for a free row only while it holds the lock; its own row it writes at any time. What a killed process
 * leaves there is found out when somebody would wait for it.
 */
import { readSync, writeSync } from 'node:fs'

const ROW = 16
/** Processes beyond so many have no row; nobody waits for them. */
const MOST_ROWS = 256

/** What a process says of itself. */
interface Row {
  readonly pid: number
  readonly busy: number
  /** it queues for the lock, or will at once */
  readonly willing: boolean
}

/**
 * Whether a process with `mine` connections leaves the next one to a process with `least`: when it has clearly more, a sixteenth of its own and
 * no fewer than four.
 */
export function isUneven(mine: number, least: number): boolean {
  return mine - least > Math.max(4, mine / 16)
}

export class LoadTable {
  readonly #rows = new Uint32Array((ROW / 4) * MOST_ROWS)
  readonly #bytes = Buffer.from(this.#rows.buffer)
  #length = 0
  #own: number | undefined

  /** @param fd the accept lock's file, open for reading and writing */
  constructor(
    private readonly fd: number,
    private readonly pid = process.pid,
    private readonly isAlive: (pid: number) => boolean = exists,
  ) {}

  /** Reads the table, takes a row if there is none yet, and writes it. Only with the lock. */
  refresh(busy: number): void {
    this.#length = Math.floor(readSync(this.fd, this.#bytes, 0, this.#bytes.length, 0) / ROW)
    this.#own ??= this.#freeRow()
    this.say(busy, true)
  }

  /** Writes our row. */
  say(busy: number, willing: boolean): void {
    if (this.#own === undefined) return
    this.#write(this.#own, { pid: this.pid, busy, willing })
  }

  /** @returns the row number of a living, willing process that has clearly fewer connections than we, the one with the fewest. After refresh(). */
  lessLoaded(busy: number): number | undefined {
    for (;;) {
      let least: number | undefined
      for (let n = 0; n < this.#length; n++) {
        const row = this.#row(n)
        if (n === this.#own || !row.willing) continue
        if (least === undefined || row.busy < this.#row(least).busy) least = n
      }
      if (least === undefined || !isUneven(busy, this.#row(least).busy)) return undefined
      if (this.isAlive(this.#row(least).pid)) return least
      this.distrust(least)
    }
  }

  /** Nobody waits any more for the process of a row, until it says something itself. Only with the lock. */
  distrust(n: number): void {
    this.#write(n, { ...this.#row(n), willing: false })
  }

  #row(n: number): Row {
    const [pid = 0, busy = 0, willing = 0] = this.#rows.subarray((n * ROW) / 4, ((n + 1) * ROW) / 4)
    return { pid, busy, willing: willing === 1 }
  }

  #write(n: number, { pid, busy, willing }: Row): void {
    this.#rows.set([pid, busy, willing ? 1 : 0, 0], (n * ROW) / 4)
    writeSync(this.fd, this.#bytes, n * ROW, ROW, n * ROW)
  }

  /** Ours from an earlier life of our pid, one whose process is gone, or a new one. */
  #freeRow(): number | undefined {
    for (let n = 0; n < this.#length; n++) {
      const { pid } = this.#row(n)
      if (pid === 0 || pid === this.pid || !this.isAlive(pid)) return n
    }
    return this.#length < MOST_ROWS ? this.#length++ : undefined
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
