/** A search program whose numbers mean what they meant when it was given (RFC 5267 §4.3): sequence numbers and `$` become UIDs. */
import type { SearchKey } from '../../../lib/imap/search_keys.js'
import { type Range, SAVED_RESULT } from '../../../lib/imap/sequence_set.js'
import { rangesOf } from '../../../lib/mailbox/uid_set.js'
import type { Selected } from '../selected.js'

/** @param saved what `$` stands for */
export function withFixedNumbers(selected: Selected, key: SearchKey, saved: readonly Range[]): SearchKey {
  const fixed = (each: SearchKey): SearchKey => withFixedNumbers(selected, each, saved)
  switch (key.type) {
    case 'sequence':
      return { type: 'uid', set: asRanges(selected.uidsAt(selected.positions(key.set, false, saved))) }
    case 'uid': {
      if (key.set === SAVED_RESULT) return { type: 'uid', set: [...saved] }
      // `*` alone is the last message there was; `5:*` stays open for those that come
      const last = selected.view.at(-1) ?? 0
      const set = key.set.filter(({ first, last: end }) => last > 0 || Number.isFinite(first) || Number.isFinite(end))
      return {
        type: 'uid',
        set: set.map((range) => (range.first === Infinity && range.last === Infinity ? { first: last, last } : range)),
      }
    }
    case 'and':
    case 'or':
      return { type: key.type, keys: key.keys.map(fixed) }
    case 'not':
      return { type: 'not', key: fixed(key.key) }
    default:
      return key
  }
}

function asRanges(uids: readonly number[]): Range[] {
  return rangesOf(Uint32Array.from(uids)).map(([first, last]) => ({ first, last }))
}
