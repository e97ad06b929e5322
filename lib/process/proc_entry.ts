/**
 * `{proc_path}/PID`, by which an administrator sees who is connected: a line a connection, `SERVICE TAB CLIENT TAB USER TAB MAILBOX`. A Cyrus
 * process has one line, ours as many as it serves connections. The file is there while at least one connection is served. Lost or
 * unwritable files are no reason to refuse a client: they are logged once.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Logger, oneLine } from './log.js'

interface Line {
  client: string
  user: string
  mailbox: string
}

export class ProcEntry {
  readonly #lines = new Map<object, Line>()
  readonly #path: string
  readonly #temporary: string
  #scheduled = false
  #failed = false

  constructor(
    directory: string,
    private readonly service: string,
    private readonly log: Logger,
  ) {
    this.#path = `${directory}/${process.pid}`
    this.#temporary = `${directory}/.${process.pid}.new`
  }

  /** A connection begins. @param key stands for it in the other calls */
  add(key: object, client: string): void {
    this.#lines.set(key, { client, user: '', mailbox: '' })
    this.#schedule()
  }

  /** What became known about a connection. */
  update(key: object, change: Partial<Line>): void {
    const line = this.#lines.get(key)
    if (line === undefined) return
    Object.assign(line, change)
    this.#schedule()
  }

  /** A connection has ended. */
  remove(key: object): void {
    if (this.#lines.delete(key)) this.#schedule()
  }

  /** Removes the file, at the end of the process. */
  clear(): void {
    this.#lines.clear()
    try {
      rmSync(this.#path, { force: true })
    } catch {
      // Nothing to be done about it at the end; the next process of this pid replaces it.
    }
  }

  /** Many connections change in one turn of the event loop; the file is written once for all of them, and at most four times a second. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setTimeout(() => {
      this.#scheduled = false
      this.#write()
    }, 250).unref()
  }

  #write(): void {
    if (this.#lines.size === 0) {
      this.clear()
      return
    }
    const text = [...this.#lines.values()]
      .map(({ client, user, mailbox }) => `${[this.service, client, user, mailbox].map(oneLine).join('\t')}\n`)
      .join('')
    try {
      writeFileSync(this.#temporary, text, { mode: 0o600 })
      renameSync(this.#temporary, this.#path)
    } catch (error) {
      if (!this.#failed) this.log.warning(`${this.#path}: ${(error as Error).message}`)
      this.#failed = true
    }
  }
}
