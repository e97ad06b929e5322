/** How the results of SEARCH and SORT are told: a list of numbers, or ESEARCH (RFC 4731, 5267 §3, 9394). */
import { partialBounds } from '../../../lib/imap/partial_range.js'
import type { ReturnOptions } from '../../../lib/imap/search_return.js'
import { formatNumbers } from '../../../lib/imap/sequence_set.js'
import type { CommandContext } from '../command.js'
import type { Selected } from '../selected.js'

export interface Results {
  /** positions (sequence number less one) in the order of the answer */
  readonly positions: readonly number[]
  /** whether mod-sequences are told too (RFC 7162 §3.1.5) */
  readonly modseq: boolean
}

/** `SEARCH 2 3 (MODSEQ 12)`, or SORT. */
export function tellNumbers(
  word: 'SEARCH' | 'SORT',
  context: CommandContext,
  selected: Selected,
  results: Results,
): void {
  const { positions } = results
  const numbers = positions.map((position) => numberAt(context, selected, position))
  const modseq = modseqSuffix(selected, results)
  context.session.reply.untagged(`${word}${numbers.length === 0 ? '' : ` ${numbers.join(' ')}`}${modseq}`)
}

/** ` (MODSEQ 12)` behind a list of numbers, where it is to be told. */
export function modseqSuffix(selected: Selected, { positions, modseq }: Results): string {
  return modseq && positions.length > 0 ? ` (MODSEQ ${highest(selected, positions)})` : ''
}

/** `ESEARCH (TAG "a") UID COUNT 2 ALL 1,7`; keeps what `$` stands for. */
export function tellExtended(
  context: CommandContext,
  selected: Selected,
  { positions, modseq }: Results,
  { names, partial }: ReturnOptions,
): void {
  const items: string[] = []
  /** positions that the answer is about */
  let told: readonly number[] = positions
  const few: number[] = []
  if (names.has('COUNT')) items.push(`COUNT ${positions.length}`)
  for (const [name, position] of [
    ['MIN', positions[0]],
    ['MAX', positions.at(-1)],
  ] as const) {
    if (!names.has(name) || position === undefined) continue
    items.push(`${name} ${numberAt(context, selected, position)}`)
    few.push(position)
  }
  const set = (of: readonly number[]): string => {
    const numbers = of.map((position) => numberAt(context, selected, position))
    return formatNumbers(numbers)
  }
  if (names.has('ALL') && positions.length > 0) items.push(`ALL ${set(positions)}`)
  if (partial) {
    const { from, to } = partialBounds(partial, positions.length)
    told = positions.slice(from, to)
    items.push(`PARTIAL (${partial.text} ${told.length === 0 ? 'NIL' : set(told)})`)
  } else if (few.length > 0 && !names.has('ALL') && !names.has('COUNT') && !names.has('RELEVANCY')) {
    told = few
  }
  if (names.has('RELEVANCY') && told.length > 0) items.push(`RELEVANCY (${told.map(() => 100).join(' ')})`)
  if (modseq && told.length > 0) items.push(`MODSEQ ${highest(selected, told)}`)
  if (names.has('SAVE')) selected.saveResult(told)
  if (names.size === 1 && names.has('SAVE')) return
  const uid = context.uid ? ' UID' : ''
  context.session.reply.untagged(['ESEARCH', `(TAG "${context.tag}")${uid}`, ...items].join(' '))
}

function numberAt({ uid }: CommandContext, { view }: Selected, position: number): number {
  return uid ? view[position]! : position + 1
}

function highest({ index, view }: Selected, positions: readonly number[]): number {
  let modseq = 0
  for (const position of positions) modseq = Math.max(modseq, index.modseq(index.findUid(view[position]!)))
  return modseq
}
