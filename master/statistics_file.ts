/**
 * `{configdirectory}/stats/master.txt`: master's report as a file, for `promstatsd`, node_exporter's textfile collector, or anyone with `cat`.
 * Replaced in one step, whenever its text has changed. A report that cannot be written is logged once; it never stops mail.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../lib/process/log.js'

export class StatisticsFile {
  readonly #path: string
  #timer: NodeJS.Timeout | undefined
  #written = ''
  #failed = false

  /**
   * @param directory `prometheus_stats_dir`, or the default
   * @param seconds between two looks
   */
  constructor(
    private readonly directory: string,
    private readonly seconds: number,
    private readonly text: () => string,
    private readonly log: Logger,
  ) {
    this.#path = join(directory, 'master.txt')
  }

  start(): void {
    this.write()
    this.#timer = setInterval(() => this.write(), this.seconds * 1000)
    this.#timer.unref()
  }

  /** The last report stays. */
  stop(): void {
    clearInterval(this.#timer)
    this.write()
  }

  write(): void {
    try {
      const text = this.text()
      if (text === this.#written) return
      mkdirSync(this.directory, { recursive: true, mode: 0o755 })
      writeFileSync(`${this.#path}.NEW`, text, { mode: 0o644 })
      renameSync(`${this.#path}.NEW`, this.#path)
      this.#written = text
      this.#failed = false
    } catch (error) {
      if (!this.#failed) this.log.error(`statistics are not written: ${(error as Error).message}`)
      this.#failed = true
    }
  }
}
