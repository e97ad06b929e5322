/** What CHANGEDSINCE and QRESYNC ask for (RFC 7162): messages changed after a mod-sequence, and UIDs that went. */
import { formatSequenceSet, type Range } from '../../../lib/imap/sequence_set.js'
import { pauseIfLong } from '../pace.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'
import { vanishedSince } from '../views.js'

/** Those of the positions (half-open ranges) whose message has changed since. */
export function changedPositions(
  { view, index }: Selected,
  ranges: readonly { first: number; end: number }[],
  since: number,
): { first: number; end: number }[] {
  const found: { first: number; end: number }[] = []
  for (const { first, end } of ranges) {
    for (let position = first; position < end; position += 1) {
      const row = index.findUid(view[position]!)
      if (row < 0 || index.modseq(row) <= since || index.isExpunged(row)) continue
      const last = found.at(-1)
      if (last?.end === position) last.end = position + 1
      else found.push({ first: position, end: position + 1 })
    }
  }
  return found
}

/** `* VANISHED (EARLIER) …`, if anything has. @param first UIDs below it are known to be right */
export function tellVanished(
  { reply }: Session,
  { index }: Selected,
  since: number,
  known: readonly Range[] | undefined,
  first = 1,
): void {
  const gone = vanishedSince(index, since, known, first)
  if (gone.length > 0) reply.untagged(`VANISHED (EARLIER) ${formatSequenceSet(gone)}`)
}

/** Tells the flags of all that has changed since, among UIDs that the client may know. */
export async function tellChanged(
  session: Session,
  selected: Selected,
  since: number,
  known: readonly Range[] | undefined,
): Promise<void> {
  const all = known ? selected.positions(known, true) : [{ first: 0, end: selected.exists }]
  const pace = { since: performance.now() }
  for (const { first, end } of changedPositions(selected, all, since)) {
    for (let position = first; position < end; position += 1) {
      const row = selected.index.findUid(selected.view[position]!)
      selected.tellMessageFlags(session.reply, row, position + 1, true)
      const pause = pauseIfLong(session.connection, pace)
      if (pause) await pause
    }
  }
}
