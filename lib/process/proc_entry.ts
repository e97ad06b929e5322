/**
 * Who is connected to this process, as an administrator sees it: in `{proc_path}/PID`, a line a connection, `SERVICE TAB CLIENT TAB USER TAB
 * MAILBOX TAB COMMAND`; and in the process's title, `SERVICE: CLIENT USER MAILBOX COMMAND`, or how many there are. A Cyrus process has one line,
 * ours as many as it serves connections; Cyrus' own readers see the first. The file is there while at least one connection is served. Lost
 * or unwritable files are no reason to refuse a client: they are logged once.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Config } from '../config/config.js'
import { type Logger, oneLine } from './log.js'

/** Where the files are: `proc_path`, or below configdirectory. */
export function procDirectory(config: Config): string {
  return config.string('proc_path') || `${config.directory}/proc`
}

/** What is known of a connection. */
export interface ProcLine {
  client: string
  user: string
  mailbox: string
  /** the command that it runs, or ran last */
  command: string
}

export class ProcEntry {
  readonly #lines = new Map<object, ProcLine>()
  readonly #path: string
  readonly #temporary: string
  #scheduled = false
  #failed = false

  constructor(
    directory: string,
    private readonly service: string,
    private readonly log: Logger,
    private readonly setTitle: (title: string) => void,
  ) {
    this.#path = `${directory}/${process.pid}`
    this.#temporary = `${directory}/.${process.pid}.new`
  }

  /** A connection begins. @param key stands for it in the other calls */
  add(key: object, client: string): void {
    this.#lines.set(key, { client, user: '', mailbox: '', command: '' })
    this.#schedule()
  }

  /** What became known about a connection. */
  update(key: object, change: Partial<ProcLine>): void {
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
    this.setTitle(this.#title())
    if (this.#lines.size === 0) {
      this.clear()
      return
    }
    const text = [...this.#lines.values()]
      .map(
        ({ client, user, mailbox, command }) =>
          `${[this.service, client, user, mailbox, command].map(oneLine).join('\t')}\n`,
      )
      .join('')
    try {
      writeFileSync(this.#temporary, text, { mode: 0o600 })
      renameSync(this.#temporary, this.#path)
    } catch (error) {
      if (!this.#failed) this.log.warning(`${this.#path}: ${(error as Error).message}`)
      this.#failed = true
    }
  }
  #title(): string {
    if (this.#lines.size > 1) return `${this.service}: ${this.#lines.size} connections`
    const [only] = this.#lines.values()
    if (only === undefined) return `${this.service}: idle`
    const { client, user, mailbox, command } = only
    return oneLine(`${this.service}: ${[client, user, mailbox, command].filter(Boolean).join(' ')}`)
  }
}
