/**
 * Views of a mailbox (ascending UIDs that a client has been told of) and what lies between two snapshots, each worked out
 * once however many sessions of the process ask.
 */
import type { MailboxIndex } from '../../lib/store/store.js'

const visible = new WeakMap<MailboxIndex, Uint32Array>()

/** UIDs of a snapshot that are not expunged; one array for all who look at that snapshot. */
export function visibleUids(index: MailboxIndex): Uint32Array {
  let uids = visible.get(index)
  if (!uids) {
    if (index.header.expunged === 0) {
      uids = index.uids
    } else {
      const kept = new Uint32Array(index.length)
      let count = 0
      for (let row = 0; row < index.length; row += 1) if (!index.isExpunged(row)) kept[count++] = index.uid(row)
      uids = kept.slice(0, count)
    }
    visible.set(index, uids)
  }
  return uids
}

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
  const old = new Set(before.blocks)
  const rows: number[] = []
  let row = 0
  for (let block = 0; block < now.blocks.length; block += 1) {
    const nextUid = now.firstUids[block + 1]
    const end = nextUid === undefined ? now.length : now.lowerBound(nextUid)
    if (!old.has(now.blocks[block]!))
      for (let at = row; at < end; at += 1) if (now.modseq(at) > since && !now.isExpunged(at)) rows.push(at)
    row = end
  }
  differences.set(before, { now, rows })
  return rows
}
