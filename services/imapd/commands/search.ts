/** SEARCH and UID SEARCH (RFC 3501 §6.4.4), with RETURN (RFC 4731, 5182, 5267, 9394). */
import { parseSearch, type SearchProgram } from '../../../lib/imap/search_keys.js'
import { parseReturn, type ReturnOptions } from '../../../lib/imap/search_return.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { Bad } from '../errors.js'
import { enableCondstore, mustFit } from '../features.js'
import { tellExtended, tellNumbers } from '../search/answer.js'
import { checkTag, keepUpdated } from '../search/contexts.js'
import { searchMessages } from '../search/run.js'

/** How IMAP4rev2 answers where nothing else is asked for (RFC 9051 §6.4.4). */
const ALL: ReturnOptions = { names: new Set(['ALL']), partial: undefined, update: undefined }

export const search = define<{ program: SearchProgram; options: ReturnOptions | undefined }>({
  name: 'SEARCH',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  parse(args) {
    args.space()
    const options = parseReturn(args)
    const program = parseSearch(args, Math.floor(Date.now() / 1000))
    args.end()
    return { program, options }
  },
  async run(context, { program, options }) {
    const selected = selectedOf(context)
    const { features } = context.session
    // RFC 6855 §3; with sort and thread the character set is an argument of their own
    if (features.utf8 && program.namesCharset) throw new Bad('SEARCH with UTF8=ACCEPT names no character set')
    mustFit(features, program)
    checkTag(context, selected, options)
    if (program.usesModseq) enableCondstore(context.session, 'MODSEQ search')
    // whatever comes of it, what was saved before is no longer meant (RFC 5182 §2.1)
    const saved = selected.savedResult
    if (options?.names.has('SAVE')) selected.saveResult([])
    const positions = await searchMessages(context, selected, program.key, saved)
    const results = { positions, modseq: program.usesModseq }
    if (options ?? features.imap4rev2) tellExtended(context, selected, results, options ?? ALL)
    else tellNumbers('SEARCH', context, selected, results)
    keepUpdated(context, selected, options, program, positions, saved)
    return `Completed (${positions.length} msgs)`
  },
})
