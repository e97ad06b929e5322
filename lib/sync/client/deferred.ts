/**
 * Log lines that could not be done, each waiting for its next time with growing pauses. Kept on disk by LogFiles, so that they outlive the
 * process; when, since when and why is known to this process only.
 */
import type { LogFiles } from '../log_file.js'

/** A line that waits. Times in ms of performance.now(), `since` in ms since the epoch. */
export interface DeferredLine {
  readonly since: number
  readonly at: number
  readonly pause: number
  /** what was said when it failed last; '' if that was before this process */
  readonly reason: string
}

const FIRST_PAUSE = 100

export class Deferred {
  readonly #files: LogFiles
  readonly #longestPause: number
  readonly #lines = new Map<string, DeferredLine>()

  /** @param longestPause ms; 0 no limit */
  constructor(files: LogFiles, longestPause: number) {
    this.#files = files
    this.#longestPause = longestPause
  }

  /** Takes up what an earlier process has left. */
  async load(): Promise<void> {
    for (const line of await this.#files.deferred())
      this.#lines.set(line, { since: Date.now(), at: 0, pause: FIRST_PAUSE, reason: '' })
  }

  get lines(): ReadonlyMap<string, DeferredLine> {
    return this.#lines
  }

  /** Lines whose time has come. */
  due(): string[] {
    const now = performance.now()
    return [...this.#lines].filter(([, { at }]) => at <= now).map(([line]) => line)
  }

  /** Milliseconds until the next one is due; Infinity if none waits. */
  untilNext(): number {
    const now = performance.now()
    return Math.min(...[...this.#lines.values()].map(({ at }) => Math.max(at - now, 0)))
  }

  /**
   * What was due is done, but for what failed again, which waits twice as long. On disk when the promise resolves.
   * @param failed line and reason
   * @returns the lines that wait now because they failed, and for how long, ms
   */
  async settle(due: readonly string[], failed: ReadonlyMap<string, string>): Promise<Map<string, number>> {
    const before = new Map(due.map((line) => [line, this.#lines.get(line)]))
    for (const line of due) this.#lines.delete(line)
    // lines that failed together come again together: two names of one rename are no use alone
    const now = performance.now()
    const pauses = new Map<string, number>()
    for (const [line, reason] of failed) {
      const old = before.get(line) ?? this.#lines.get(line)
      const wanted = old?.pause ?? FIRST_PAUSE
      const pause = this.#longestPause > 0 ? Math.min(wanted, this.#longestPause) : wanted
      this.#lines.set(line, { since: old?.since ?? Date.now(), at: now + pause, pause: pause * 2, reason })
      pauses.set(line, pause)
    }
    if (due.length > 0 || failed.size > 0) await this.#files.defer([...this.#lines.keys()])
    return pauses
  }
}
