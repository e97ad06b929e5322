/**
 * IMAP sequence sets ("1:3,7,*", RFC 3501 §9 `sequence-set`) as ranges. `*` stays symbolic until `resolve`, since it
 * means "the largest in use" (RFC 9051 §9). A range is never expanded into numbers. Pure.
 */
import { ImapSyntaxError } from './syntax_error.js'

/** Both ends included; `*` is Infinity. `first` may be above `last` until resolved. */
export interface Range {
  readonly first: number
  readonly last: number
}

export type SequenceSet = readonly Range[]

/** `$`: what the last SEARCH saved (RFC 5182). It holds no numbers; who resolves sets must know it. */
export const SAVED_RESULT: SequenceSet = Object.freeze([])

const STAR = Number.POSITIVE_INFINITY
const MAX = 4294967295
const MAX_RANGES = 100_000

/**
 * @param column where the text stands in its line, for the error
 * @param problem what the error says is wrong
 * @returns the ranges as written, `*` kept as Infinity
 * @throws {ImapSyntaxError} naming the column, on an empty set, zero, a number above 4294967295, anything but digits `:` `,` `*`
 */
export function parseSequenceSet(text: string, column = 1, problem = 'Invalid sequence'): SequenceSet {
  const ranges: Range[] = []
  let at = 0
  const end = (): number => {
    if (text[at] === '*') {
      at += 1
      return STAR
    }
    const digits = /\d{0,11}/y
    digits.lastIndex = at
    const found = digits.exec(text)![0]
    const value = Number(found)
    if (found === '' || value === 0 || value > MAX)
      throw new ImapSyntaxError(problem, column + at, 'a number from 1 to 4294967295, or *, is wanted')
    at += found.length
    return value
  }
  for (;;) {
    const first = end()
    let last = first
    if (text[at] === ':') {
      at += 1
      last = end()
    }
    ranges.push({ first, last })
    if (at === text.length) return ranges
    if (text[at] !== ',') throw new ImapSyntaxError(problem, column + at, '"," or ":" is wanted')
    if (ranges.length >= MAX_RANGES) throw new ImapSyntaxError(problem, column + at, 'too many ranges')
    at += 1
  }
}

/**
 * What a set means now.
 * @param largest the largest number in use, 0 if none: then `*` means nothing
 * @returns sorted, disjoint, non-adjacent ranges, ends in order; numbers not in use are not cut off
 */
export function resolve(set: SequenceSet, largest: number): Range[] {
  const concrete: { first: number; last: number }[] = []
  for (const range of set) {
    if (largest === 0 && (range.first === STAR || range.last === STAR)) continue
    const first = range.first === STAR ? largest : range.first
    const last = range.last === STAR ? largest : range.last
    concrete.push(first <= last ? { first, last } : { first: last, last: first })
  }
  concrete.sort((a, b) => a.first - b.first)
  const merged: { first: number; last: number }[] = []
  for (const range of concrete) {
    const previous = merged[merged.length - 1]
    if (previous && range.first <= previous.last + 1) previous.last = Math.max(previous.last, range.last)
    else merged.push(range)
  }
  return merged
}

/** Whether sorted, disjoint ranges hold a number. */
export function includes(ranges: readonly Range[], number: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const range = ranges[middle]!
    if (number < range.first) high = middle - 1
    else if (number > range.last) low = middle + 1
    else return true
  }
  return false
}

/** A set as text, as given. */
export function formatSequenceSet(set: SequenceSet): string {
  const end = (value: number): string => (value === STAR ? '*' : String(value))
  return set.map(({ first, last }) => (first === last ? end(first) : `${end(first)}:${end(last)}`)).join(',')
}

/** Numbers in their given order, those that follow one upon the other joined; of ascending numbers the shortest set. */
export function formatNumbers(numbers: Iterable<number>): string {
  const ranges: { first: number; last: number }[] = []
  for (const number of numbers) {
    const previous = ranges[ranges.length - 1]
    if (previous && number === previous.last + 1) previous.last = number
    else ranges.push({ first: number, last: number })
  }
  return formatSequenceSet(ranges)
}
