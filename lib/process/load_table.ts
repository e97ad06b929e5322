/**
 * How many connections each process of a service serves, so that they can share evenly: a table in the accept lock's file, 16 bytes a process
 * (pid, connections, whether it takes more, unused; native order). Cyrus' own services lock the same file and look at nothing in it.
 *
 * A process writes its own row at any time, other rows only while it holds the lock. It takes a row without the lock, which others may hold for
 * long: looking from its pid on, two that begin at once do not meet, and if they did, connections would spread less evenly and no more. What a
 * killed process leaves there is found out when somebody would wait for it.
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
  #own: number | undefined

  /** @param fd the accept lock's file, open for reading and writing */
  constructor(
    private readonly fd: number,
    private readonly pid = process.pid,
    private readonly isAlive: (pid: number) => boolean = exists,
  ) {}

  /** Takes a row and says there that we are willing. */
  register(busy: number): void {
    this.#read()
    this.#own = this.#freeRow()
    this.say(busy, true)
  }

  /** Reads the table, and writes our row. */
  refresh(busy: number): void {
    this.#read()
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
      for (let n = 0; n < MOST_ROWS; n++) {
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

  #read(): void {
    const length = readSync(this.fd, this.#bytes, 0, this.#bytes.length, 0)
    this.#bytes.fill(0, length)
  }

  /** One that was never used, or whose process is gone, or ours from an earlier life of our pid. */
  #freeRow(): number | undefined {
    for (let step = 0; step < MOST_ROWS; step++) {
      const n = (this.pid + step) % MOST_ROWS
      const { pid } = this.#row(n)
      if (pid === 0 || pid === this.pid || !this.isAlive(pid)) return n
    }
    return undefined
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
