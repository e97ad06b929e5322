/**
 * When the commands of EVENTS are due (reference: master.md §9). Keeps times only; whoever asks runs the commands.
 * `period` events run at once and then a period after each start; `at` and `cron` events when local clocks show their time.
 */
import { nextCronTime } from './cron_time.js'
import type { EventEntry } from './entries.js'

export class EventSchedule {
  #due: { entry: EventEntry; at: number }[] = []

  /** Drops everything and begins anew, as at start and at a reload: `period` events are due now. @param now milliseconds since 1970 */
  load(entries: readonly EventEntry[], now: number): void {
    this.#due = entries.map((entry) => ({ entry, at: entry.time === undefined ? now : nextCronTime(entry.time, now) }))
  }

  /**
   * Takes out the events that are due, in order of time; those that repeat are put back for their next run. A clock that was put back by more
   * than a run's distance makes nobody wait for the time to come again.
   */
  take(now: number): EventEntry[] {
    const due = this.#due.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)
    this.#due = this.#due.filter(({ at }) => at > now)
    for (const waiting of this.#due) {
      const { entry } = waiting
      const latest = entry.time === undefined ? now + entry.period * 1000 : nextCronTime(entry.time, now)
      if (waiting.at > latest) waiting.at = latest
    }
    for (const { entry } of due) {
      if (entry.time !== undefined) this.#due.push({ entry, at: nextCronTime(entry.time, now) })
      else if (entry.period > 0) this.#due.push({ entry, at: now + entry.period * 1000 })
    }
    return due.map(({ entry }) => entry)
  }

  /** When the next event is due, or undefined if none ever is. */
  get next(): number | undefined {
    return this.#due.reduce<number | undefined>(
      (least, { at }) => (least === undefined || at < least ? at : least),
      undefined,
    )
  }
}
