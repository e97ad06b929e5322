/** What the search index says about the texts that a SEARCH program names: of which messages it is certain that they do not contain them. */
import type { SearchKey } from '../../../lib/imap/search_keys.js'
import { gramsOf, mayContain } from '../../../lib/message/search_grams.js'
import type { Selected } from '../selected.js'
import { lowerBound } from '../views.js'

/** With fewer messages to be looked at, the index is not worth reading. */
const WORTH = 16

/** Answers of the index: by key, 1 at each position (sequence number less one) whose message does not have the key's text. */
export type Absences = ReadonlyMap<SearchKey, Uint8Array>

/** A key's text as the index is asked for it. */
interface Question {
  readonly grams: readonly number[]
  readonly absent: Uint8Array
}

/**
 * Asks the index.
 * @param undecided how many messages are to be looked at otherwise
 * @returns nothing if it cannot help; `unknown` is how many messages of the view it does not know
 */
export async function askIndex(
  selected: Selected,
  key: SearchKey,
  undecided: number,
): Promise<{ absences: Absences; unknown: number } | undefined> {
  if (undecided < WORTH) return undefined
  const { view, index } = selected
  const absences = new Map<SearchKey, Uint8Array>()
  const questions: Question[] = []
  for (const each of textKeys(key)) {
    const grams = gramsOf(each.value)
    if (grams.length === 0) continue
    const absent = new Uint8Array(view.length)
    absences.set(each, absent)
    questions.push({ grams, absent })
  }
  if (questions.length === 0) return undefined
  let known = 0
  let position = 0
  let row = 0
  await selected.store.readSearchIndex(index.header, ({ uid, guid, bytes, start, length }) => {
    // entries come mostly in the order of UIDs
    if (position > 0 && view[position - 1]! >= uid) {
      position = lowerBound(view, uid)
      row = index.lowerBound(uid)
    }
    while (position < view.length && view[position]! < uid) position++
    while (row < index.length && index.uids[row]! < uid) row++
    if (view[position] !== uid || index.uids[row] !== uid || index.guidStart(row) !== guid) return
    known++
    for (const { grams, absent } of questions) if (!mayContain(bytes, start, length, grams)) absent[position] = 1
  })
  return { absences, unknown: Math.max(0, view.length - known) }
}

/** Keys that ask for a text, wherever in the program they stand. */
function* textKeys(key: SearchKey): Iterable<SearchKey & { value: string }> {
  if (key.type === 'text' || key.type === 'body' || key.type === 'header') yield key
  else if (key.type === 'and' || key.type === 'or') for (const each of key.keys) yield* textKeys(each)
  else if (key.type === 'not') yield* textKeys(key.key)
}
