/** Parts of ordered results (RFC 9394), for SEARCH, SORT and FETCH. Pure. */
import type { ArgumentReader } from './argument_reader.js'

/** Results number `first` to `last`, counted from the front if positive, from the end if negative; in the order of the results. */
export interface PartialRange {
  readonly first: number
  readonly last: number
  /** as the client wrote it */
  readonly text: string
}

/** `1:500` or `-1:-100`. @throws {ImapSyntaxError} */
export function parsePartialRange(args: ArgumentReader): PartialRange {
  const problem = 'Invalid partial range'
  const end = (): number => {
    const sign = args.tryChar('-') ? -1 : 1
    const value = args.number(problem)
    if (value === 0) args.fail(problem, 'it counts from 1, or from -1 at the end')
    return sign * value
  }
  const first = end()
  if (!args.tryChar(':')) args.fail(problem)
  const last = end()
  if (first > 0 !== last > 0) args.fail(problem, 'both ends count from the same side')
  return { first, last, text: `${first}:${last}` }
}

/** The part of ordered results that a range names, as a half-open range of indexes; empty where it lies beyond them. */
export function partialBounds({ first, last }: PartialRange, count: number): { from: number; to: number } {
  const near = Math.min(Math.abs(first), Math.abs(last))
  const far = Math.max(Math.abs(first), Math.abs(last))
  const from = first > 0 ? near - 1 : Math.max(count - far, 0)
  const to = first > 0 ? Math.min(far, count) : count - near + 1
  return from < to ? { from, to } : { from: 0, to: 0 }
}
