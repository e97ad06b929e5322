/** Sets of UIDs in the form in which seen state is stored and replicated: an IMAP sequence set such as `1:3,5`. Pure; ranges are never expanded. */

/** Sorted, disjoint, not adjacent, inclusive ranges. */
export type UidRanges = [first: number, last: number][]

/** @returns the ranges; text that is no sequence set gives those before the fault */
export function parseUidSet(text: string): UidRanges {
  const ranges: UidRanges = []
  for (const part of text.split(',')) {
    const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(part)
    if (match === null) break
    const first = Number(match[1])
    const last = match[2] === undefined ? first : Number(match[2])
    ranges.push(first <= last ? [first, last] : [last, first])
  }
  return normalize(ranges)
}

export function formatUidSet(ranges: UidRanges): string {
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}:${last}`)).join(',')
}

/** Sorts and joins. */
export function normalize(ranges: UidRanges): UidRanges {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0])
  const joined: UidRanges = []
  for (const [first, last] of sorted) {
    const before = joined.at(-1)
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else joined.push([first, last])
  }
  return joined
}

/** Ranges of ascending UIDs. */
export function rangesOf(uids: Iterable<number>): UidRanges {
  const ranges: UidRanges = []
  for (const uid of uids) {
    const last = ranges.at(-1)
    if (last !== undefined && uid === last[1] + 1) last[1] = uid
    else ranges.push([uid, uid])
  }
  return normalize(ranges)
}

export function contains(ranges: UidRanges, uid: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const [first, last] = ranges[middle]!
    if (uid < first) high = middle - 1
    else if (uid > last) low = middle + 1
    else return true
  }
  return false
}

export function union(a: UidRanges, b: UidRanges): UidRanges {
  return normalize([...a, ...b])
}

/** What is in `a` and not in `b`. */
export function difference(a: UidRanges, b: UidRanges): UidRanges {
  const rest: UidRanges = []
  let at = 0
  for (let [first, last] of a) {
    while (at < b.length && b[at]![1] < first) at++
    for (let n = at; n < b.length && b[n]![0] <= last; n++) {
      if (b[n]![0] > first) rest.push([first, b[n]![0] - 1])
      first = b[n]![1] + 1
    }
    if (first <= last) rest.push([first, last])
  }
  return rest
}
