/** Large changes made in slices, so that neither the event loop nor other writers wait for more than some milliseconds. */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Slices under way at once: one is being computed while the one before is written to disk. */
const UNDER_WAY = 2

/**
 * Does work on slices of a list, in order.
 * @param work begins one slice; its transaction must be queued before it first waits, so that slices are carried out in order
 * @returns the results, joined
 * @throws what a slice throws, when none is under way any more; slices after it are not begun
 */
export async function inSlices<T, R>(
  items: readonly T[],
  size: number,
  work: (slice: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const results: R[] = []
  const running: Promise<readonly R[]>[] = []
  try {
    for (let at = 0; at < items.length; at += size) {
      if (at > 0) await nextTurn()
      const slice = work(items.slice(at, at + size))
      // its failure is told when it is waited for
      slice.catch(() => {})
      running.push(slice)
      if (running.length === UNDER_WAY) results.push(...(await running.shift()!))
    }
    while (running.length > 0) results.push(...(await running.shift()!))
  } catch (error) {
    await Promise.allSettled(running)
    throw error
  }
  return results
}
