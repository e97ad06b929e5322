/**
 * When the commands of EVENTS are due (reference: master.md §9). Keeps times only; whoever asks runs the commands.
 * `period` events run at once and then a period after each start; `at` events once a day at a wall clock time, whatever daylight saving does.
 */
import type { EventEntry } from './entries.js'

/**
 * @param after milliseconds since 1970
 * @returns the next moment, later than `after`, at which local clocks show the time
 */
export function nextTimeOfDay({ hour, minute }: { hour: number; minute: number }, after: number): number {
  const day = new Date(after)
  for (let ahead = 0; ; ahead++) {
    const moment = new Date(day.getFullYear(), day.getMonth(), day.getDate() + ahead, hour, minute).getTime()
    if (moment > after) return moment
  }
}

export class EventSchedule {
  #due: { entry: EventEntry; at: number }[] = []

  /** Drops everything and begins anew, as at start and at a reload: `period` events are due now. @param now milliseconds since 1970 */
  load(entries: readonly EventEntry[], now: number): void {
    this.#due = entries.map((entry) => ({ entry, at: entry.at === undefined ? now : nextTimeOfDay(entry.at, now) }))
  }

  /** Takes out the events that are due, in order of time; those that repeat are put back for their next run. */
  take(now: number): EventEntry[] {
    const due = this.#due.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at)
    this.#due = this.#due.filter(({ at }) => at > now)
    for (const { entry } of due) {
      if (entry.at !== undefined) this.#due.push({ entry, at: nextTimeOfDay(entry.at, now) })
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
