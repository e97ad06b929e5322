/**
 * Views of a mailbox (ascending UIDs that a client has been told of) and what lies between two snapshots, each worked out
 * once however many sessions of the process ask.
 */
import type { Range } from '../../lib/imap/sequence_set.js'
import type { MailboxIndex } from '../../lib/store/store.js'

/** First position in ascending numbers whose value is at least `wanted`. */
export function lowerBound(numbers: Uint32Array, wanted: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! < wanted) low = middle + 1
    else high = middle
  }
  return low
}

interface Expunged {
  readonly now: Uint32Array
  /** sequence numbers in the old view, ascending */
  readonly gone: readonly number[]
  /** the old view without them */
  readonly kept: Uint32Array
}

/** As `differences` below, for what was expunged from a view. */
const expunges = new WeakMap<Uint32Array, Expunged>()

/** Which messages of a view are not there any more. */
export function expungedBetween(old: Uint32Array, now: Uint32Array): Expunged {
  const known = expunges.get(old)
  if (known?.now === now) return known
  const gone: number[] = []
  const kept = new Uint32Array(old.length)
  let count = 0
  let at = 0
  for (let position = 0; position < old.length; position += 1) {
    const uid = old[position]!
    while (at < now.length && now[at]! < uid) at += 1
    if (now[at] === uid) kept[count++] = uid
    else gone.push(position + 1)
  }
  const found = { now, gone, kept: gone.length === 0 ? old : kept.slice(0, count) }
  expunges.set(old, found)
  return found
}

/**
 * UIDs that are no longer in a mailbox, as far as they went after a mod-sequence; where the store has forgotten that, all that
 * are not there (RFC 7162 §3.2.5.2).
 * @param known ascending disjoint ranges of UIDs that the client may know; what lies outside is left out
 * @param first UIDs below it are known to be right
 */
export function vanishedSince(
  index: MailboxIndex,
  modseq: number,
  known: readonly Range[] | undefined,
  first = 1,
): Range[] {
  const { header } = index
  const found: { first: number; last: number }[] = []
  const add = (from: number, to: number): void => {
    const last = found.at(-1)
    if (last && from <= last.last + 1) last.last = Math.max(last.last, to)
    else found.push({ first: from, last: to })
  }
  if (modseq >= header.highestModseq) return found
  if (modseq >= header.deletedModseq) {
    if (header.expunged === 0) return found
    for (let row = 0; row < index.length; row += 1)
      if (index.isExpunged(row) && index.modseq(row) > modseq) add(index.uid(row), index.uid(row))
  } else {
    let next = first
    const uids = index.visibleUids
    for (let at = lowerBound(uids, first); at < uids.length; at += 1) {
      if (uids[at]! > next) add(next, uids[at]! - 1)
      next = uids[at]! + 1
    }
    if (next <= header.lastUid) add(next, header.lastUid)
  }
  return known ? intersection(found, known) : found
}

/** What is in both of two lists of ascending disjoint ranges. */
function intersection(a: readonly Range[], b: readonly Range[]): Range[] {
  const both: Range[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const first = Math.max(a[i]!.first, b[j]!.first)
    const last = Math.min(a[i]!.last, b[j]!.last)
    if (first <= last) both.push({ first, last })
    if (a[i]!.last < b[j]!.last) i += 1
    else j += 1
  }
  return both
}

interface Difference {
  readonly now: MailboxIndex
  readonly rows: readonly number[]
}

/** The last difference asked for from each snapshot: sessions that go from one to the next share the work. */
const differences = new WeakMap<MailboxIndex, Difference>()

/** Rows of a snapshot that changed since an older one and are not expunged. Only blocks that are not the very same are looked at. */
export function changedRows(before: MailboxIndex, now: MailboxIndex): readonly number[] {
  const known = differences.get(before)
  if (known?.now === now) return known.rows
  const since = before.header.highestModseq
  const sameBlocks = before.firstUids === now.firstUids
  const old = sameBlocks ? undefined : new Set(before.blocks)
  const rows: number[] = []
  let row = 0
  for (let block = 0; block < now.blocks.length; block += 1) {
    const end = now.endOfBlock(block)
    const bytes = now.blocks[block]!
    if (old === undefined ? before.blocks[block] !== bytes : !old.has(bytes))
      for (let at = row; at < end; at += 1) if (now.modseq(at) > since && !now.isExpunged(at)) rows.push(at)
    row = end
  }
  differences.set(before, { now, rows })
  return rows
}
