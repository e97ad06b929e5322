/** SORT and UID SORT (RFC 5256), with RETURN (RFC 5267). */
import { parseSearchIn, type SearchProgram } from '../../../lib/imap/search_keys.js'
import { parseReturn, type ReturnOptions } from '../../../lib/imap/search_return.js'
import { parseSortCriteria, type SortCriterion } from '../../../lib/imap/sort_criteria.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { enableCondstore, mustFit } from '../features.js'
import { tellExtended, tellNumbers } from '../search/answer.js'
import { checkTag, keepUpdated } from '../search/contexts.js'
import { searchMessages } from '../search/run.js'
import { sortPositions } from '../sort/order.js'

interface Arguments {
  readonly options: ReturnOptions | undefined
  readonly criteria: SortCriterion[]
  readonly program: SearchProgram
}

export const sort = define<Arguments>({
  name: 'SORT',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  parse(args) {
    args.space()
    const options = parseReturn(args)
    const criteria = parseSortCriteria(args)
    args.space()
    const charset = args.astring().toString('latin1')
    args.space()
    const program = parseSearchIn(args, charset, Math.floor(Date.now() / 1000))
    args.end()
    return { options, criteria, program }
  },
  async run(context, { options, criteria, program }) {
    const selected = selectedOf(context)
    const { session } = context
    mustFit(context.session.features, program)
    checkTag(context, selected, options)
    if (program.usesModseq) enableCondstore(session, 'MODSEQ search')
    const saved = selected.savedResult
    if (options?.names.has('SAVE')) selected.saveResult([])
    const found = await searchMessages(context, selected, program.key, saved)
    const positions = await sortPositions(session, selected, found, criteria)
    const results = { positions, modseq: program.usesModseq }
    if (options) tellExtended(context, selected, results, options)
    else tellNumbers('SORT', context, selected, results)
    keepUpdated(context, selected, options, { key: program.key, criteria }, positions, saved)
    return `Completed (${positions.length} msgs)`
  },
})
