/** Long answers in slices: other connections of the process get their turn, and a slow client holds no memory of ours. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Connection } from '../../lib/net/connection.js'

/** Milliseconds of work before others get their turn. */
const SLICE_MS = 4

export interface Pace {
  /** performance.now() of the last pause */
  since: number
}

/** Sends what is written and lets others run, if this has gone on for some milliseconds. */
export function pauseIfLong(connection: Connection, pace: Pace): Promise<void> | undefined {
  if (performance.now() - pace.since < SLICE_MS) return undefined
  return pause(connection, pace)
}

async function pause(connection: Connection, pace: Pace): Promise<void> {
  await connection.flush()
  await nextTurn()
  pace.since = performance.now()
}
