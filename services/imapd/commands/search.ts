/** SEARCH and UID SEARCH (RFC 3501 §6.4.4). */
import { parseSearch, type SearchProgram } from '../../../lib/imap/search_keys.js'
import { MessageFileError } from '../../../lib/store/store.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { enableCondstore } from '../features.js'
import { MessageSource, readable } from '../fetch/message_source.js'
import { type Pace, pauseIfLong } from '../pace.js'
import { prepare, testIndex, testMessage } from '../search/evaluate.js'

const BATCH = 64
/** Files read at once. */
const TOGETHER = 8

export const search = define<SearchProgram>({
  name: 'SEARCH',
  states: SELECTED,
  hasUidForm: true,
  parse(args) {
    args.space()
    const program = parseSearch(args, Math.floor(Date.now() / 1000))
    args.end()
    return program
  },
  async run(context, { key, usesModseq }) {
    const selected = selectedOf(context)
    const { store } = context.session.imapd
    const { log } = context.session.service
    if (usesModseq) enableCondstore(context.session, 'MODSEQ search')
    const { connection } = context.session
    const program = prepare(selected, key)
    const { view, index } = selected
    const pace: Pace = { since: performance.now() }
    const found: number[] = []
    let modseq = 0
    for (let from = 0; from < view.length; from += BATCH) {
      const to = Math.min(from + BATCH, view.length)
      const verdicts: (boolean | undefined)[] = []
      const undecided: number[] = []
      for (let position = from; position < to; position += 1) {
        const row = index.findUid(view[position]!)
        const verdict = row < 0 ? false : testIndex(program, key, position, row)
        verdicts.push(verdict)
        if (verdict === undefined) undecided.push(position)
      }
      if (undecided.length > 0) {
        const caches = new Map(store.readCaches(selected.id, view[undecided[0]!]!, view[undecided.at(-1)!]!))
        const decide = async (position: number): Promise<void> => {
          const uid = view[position]!
          const row = index.findUid(uid)
          const source = new MessageSource(store, index.header, uid, index.size(row), caches.get(uid))
          try {
            verdicts[position - from] = await testMessage(program, position, row, source)
          } catch (error) {
            if (!(error instanceof MessageFileError)) throw error
            log.error(`SEARCH: ${error.message}`)
          }
        }
        const remaining: number[] = []
        for (const position of undecided) {
          const bytes = caches.get(view[position]!)
          const row = index.findUid(view[position]!)
          const verdict = bytes && testIndex(program, key, position, row, readable(bytes))
          verdicts[position - from] = verdict
          if (verdict === undefined) remaining.push(position)
          const pause = pauseIfLong(connection, pace)
          if (pause) await pause
        }
        for (let at = 0; at < remaining.length; at += TOGETHER) {
          await Promise.all(remaining.slice(at, at + TOGETHER).map(decide))
          const pause = pauseIfLong(connection, pace)
          if (pause) await pause
        }
      }
      verdicts.forEach((verdict, at) => {
        if (!verdict) return
        found.push(context.uid ? view[from + at]! : from + at + 1)
        if (usesModseq) modseq = Math.max(modseq, index.modseq(index.findUid(view[from + at]!)))
      })
      const pause = pauseIfLong(connection, pace)
      if (pause) await pause
    }
    context.session.reply.untagged(
      found.length === 0 ? 'SEARCH' : `SEARCH ${found.join(' ')}${usesModseq ? ` (MODSEQ ${modseq})` : ''}`,
    )
    return `Completed (${found.length} msgs)`
  },
})
