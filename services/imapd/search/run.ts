/** Which messages of the selected mailbox meet a SEARCH program; other connections get their turn meanwhile. */
import type { SearchKey } from '../../../lib/imap/search_keys.js'
import { MessageSource, readable } from '../../../lib/mailbox/message_source.js'
import { MessageFileError } from '../../../lib/store/store.js'
import type { CommandContext } from '../command.js'
import { type Pace, pauseIfLong } from '../pace.js'
import { Progress } from '../progress.js'
import type { Selected } from '../selected.js'
import { prepare, testIndex, testMessage } from './evaluate.js'

const BATCH = 64
/** Files read at once. */
const TOGETHER = 8

/**
 * @param saved what `$` stands for
 * @returns positions (sequence number less one), ascending; a message whose file is missing is no match (logged)
 */
export async function searchMessages(
  context: CommandContext,
  selected: Selected,
  key: SearchKey,
  saved = selected.savedResult,
): Promise<number[]> {
  const { session } = context
  const { store, log } = session.imapd
  const progress = new Progress(context)
  const { connection } = session
  const program = prepare(selected, key, saved)
  const { view, index } = selected
  const pace: Pace = { since: performance.now() }
  const found: number[] = []
  for (let from = 0; from < view.length; from += BATCH) {
    const to = Math.min(from + BATCH, view.length)
    progress.at(from, view.length)
    const verdicts: (boolean | undefined)[] = []
    const undecided: number[] = []
    for (let position = from; position < to; position += 1) {
      const row = index.findUid(view[position]!)
      const verdict = row < 0 || index.isExpunged(row) ? false : testIndex(program, key, position, row)
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
      if (verdict) found.push(from + at)
    })
    const pause = pauseIfLong(connection, pace)
    if (pause) await pause
  }
  return found
}
