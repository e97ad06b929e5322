/** Messages in the order that SORT's criteria ask for (RFC 5256 §3). */
import type { SortCriterion, SortKey } from '../../../lib/imap/sort_criteria.js'
import { annotationValue } from '../../../lib/mailbox/annotations.js'
import { savedate } from '../fetch/metadata.js'
import { systemFlag } from '../flag_text.js'
import { pauseIfLong } from '../pace.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'
import { type Fact, type Facts, factsOf } from './facts.js'
import { ofWholeView } from './whole_view.js'

/** What a criterion needs beyond the record. */
const NEEDS: { readonly [K in SortKey]?: Fact } = {
  CC: 'cc',
  DATE: 'sent',
  DISPLAYFROM: 'displayfrom',
  DISPLAYTO: 'displayto',
  FROM: 'from',
  SUBJECT: 'subject',
  TO: 'to',
  SPAMSCORE: 'spam',
}

type Value = number | string

/** Numbers sorted at once. */
const SLICE = 1024

/** 0 to count-1 in an order, a slice sorted or merged at a time, others getting their turn between. */
async function sortedInSlices(
  { connection }: Session,
  count: number,
  compare: (a: number, b: number) => number,
): Promise<Uint32Array> {
  const pace = { since: performance.now() }
  let from = Uint32Array.from({ length: count }, (_, n) => n)
  let into = new Uint32Array(count)
  for (let at = 0; at < count; at += SLICE) {
    from.subarray(at, at + SLICE).sort(compare)
    const pause = pauseIfLong(connection, pace)
    if (pause) await pause
  }
  for (let width = SLICE; width < count; width *= 2) {
    for (let start = 0; start < count; start += 2 * width) {
      const middle = Math.min(start + width, count)
      const end = Math.min(start + 2 * width, count)
      let left = start
      let right = middle
      for (let at = start; at < end; at += 1) {
        const takeLeft = right >= end || (left < middle && compare(from[left]!, from[right]!) <= 0)
        into[at] = takeLeft ? from[left++]! : from[right++]!
        if (at % SLICE !== 0) continue
        const pause = pauseIfLong(connection, pace)
        if (pause) await pause
      }
    }
    const old = from
    from = into
    into = old
  }
  return from
}

/** The value of each message by which one criterion compares. */
function valuesOf(
  { key, annotation, flag }: SortCriterion,
  selected: Selected,
  facts: Facts,
  positions: readonly number[],
): Value[] {
  const { index, view } = selected
  const rowOf = (position: number): number => index.findUid(view[position]!)
  const of = (read: (row: number) => number): Value[] => positions.map((position) => read(rowOf(position)))
  switch (key) {
    case 'ARRIVAL':
      return of((row) => index.internaldate(row))
    case 'SIZE':
      return of((row) => index.size(row))
    case 'MODSEQ':
      return of((row) => index.modseq(row))
    case 'SAVEDATE':
      return of((row) => savedate(index, row))
    case 'ANNOTATION':
      return positions.map((position) => annotationText(selected, view[position]!, annotation!))
    case 'FOLDER':
      return positions.map(() => 0)
    case 'HASFLAG':
      return of(hasFlag(selected, flag!))
    case 'SPAMSCORE':
      return positions.map((position) => facts.spam!.get(view[position]!)!)
    case 'UID':
      return positions.map((position) => view[position]!)
    case 'DATE':
      return of((row) => facts.sent!.get(index.uid(row)) || index.internaldate(row))
    case 'SUBJECT':
      return positions.map((position) => facts.subject!.get(view[position]!)!.text)
    default: {
      const values = facts[NEEDS[key] as 'from']!
      return positions.map((position) => values.get(view[position]!)!)
    }
  }
}

/** 1 for messages with a flag, 0 for others, and for all if it is none. */
function hasFlag(selected: Selected, name: string): (row: number) => number {
  const { index } = selected
  const lower = name.toLowerCase()
  if (lower === '\\seen') return (row) => Number(selected.isSeen(row))
  const system = systemFlag(name)
  if (system !== undefined) return (row) => Number((index.flags(row) & system) !== 0)
  const slot = selected.header.userFlags.findIndex((each) => each?.toLowerCase() === lower)
  return (row) => Number(slot >= 0 && index.userFlag(row, slot))
}

/** An annotation's value, byte by byte; '' for none, which comes first. */
function annotationText(
  { index, store, userid }: Selected,
  uid: number,
  { entry, shared }: NonNullable<SortCriterion['annotation']>,
): string {
  if (index.header.annotated === 0) return ''
  const stored = store.messageAnnotations(index.header.id, uid)
  return annotationValue(stored, entry, shared ? '' : userid)?.toString('latin1') ?? ''
}

/** Criteria by which a message compares alike as long as it exists. */
const LASTING = new Set<SortKey>([
  'ARRIVAL',
  'CC',
  'DATE',
  'DISPLAYFROM',
  'DISPLAYTO',
  'FROM',
  'SIZE',
  'SUBJECT',
  'TO',
  'UID',
])

/** @param positions ascending  @returns them in the order asked for; what is equal stays in the mailbox's order */
export async function sortPositions(
  session: Session,
  selected: Selected,
  positions: readonly number[],
  criteria: readonly SortCriterion[],
): Promise<number[]> {
  if (!criteria.every(({ key }) => LASTING.has(key))) return sorted(session, selected, positions, criteria)
  const question = `SORT ${criteria.map(({ key, reverse }) => (reverse ? `-${key}` : key)).join(' ')}`
  const order = await ofWholeView(selected.view, positions.length, question, () =>
    sorted(session, selected, positions, criteria),
  )
  return [...order]
}

async function sorted(
  session: Session,
  selected: Selected,
  positions: readonly number[],
  criteria: readonly SortCriterion[],
): Promise<number[]> {
  const needed = [...new Set(criteria.flatMap(({ key }) => NEEDS[key] ?? []))]
  const facts = needed.length === 0 ? {} : await factsOf(session, selected, positions, needed)
  const columns = criteria.map((criterion) => ({
    values: valuesOf(criterion, selected, facts, positions),
    sign: criterion.reverse ? -1 : 1,
  }))
  const order = await sortedInSlices(session, positions.length, (a, b) => {
    for (const { values, sign } of columns) {
      const [left, right] = [values[a]!, values[b]!]
      if (left !== right) return left < right ? -sign : sign
    }
    return a - b
  })
  return Array.from(order, (n) => positions[n]!)
}
