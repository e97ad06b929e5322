/** RETURN (UPDATE) of SEARCH and SORT (RFC 5267 §4.3): which results are kept up to date, within bounds. */
import type { SearchKey } from '../../../lib/imap/search_keys.js'
import type { ReturnOptions } from '../../../lib/imap/search_return.js'
import type { Range } from '../../../lib/imap/sequence_set.js'
import type { SortCriterion } from '../../../lib/imap/sort_criteria.js'
import type { CommandContext } from '../command.js'
import { Bad } from '../errors.js'
import type { Selected } from '../selected.js'
import { MOST_CONTEXTS, MOST_SORTED, SearchContext } from './context.js'
import { withFixedNumbers } from './fixed_numbers.js'

/** @throws {Bad} if a search of this tag is kept up to date already */
export function checkTag({ tag }: CommandContext, selected: Selected, options: ReturnOptions | undefined): void {
  if (options?.names.has('UPDATE') && selected.contexts.some((each) => each.tag === tag)) throw new Bad('Tag reuse')
}

/** Keeps results up to date from now on, if that was asked for; or tells that there are too many. @param saved what `$` stood for */
export function keepUpdated(
  { session, uid, tag }: CommandContext,
  selected: Selected,
  options: ReturnOptions | undefined,
  { key, criteria }: { key: SearchKey; criteria?: readonly SortCriterion[] },
  positions: readonly number[],
  saved: readonly Range[],
): void {
  if (!options?.names.has('UPDATE')) return
  const refuse = (why: string): void => session.reply.untagged(`NO [NOUPDATE "${tag}"] ${why}`)
  if (selected.contexts.length >= MOST_CONTEXTS) refuse('Too many contexts')
  else if (criteria !== undefined && positions.length > MOST_SORTED) refuse('Too many results to keep them sorted')
  else {
    const fixed = withFixedNumbers(selected, key, saved)
    const { update: attributes } = options
    selected.contexts.push(new SearchContext({ tag, uid, key: fixed, criteria, attributes }, selected, positions))
  }
}
