/** Which messages of the selected mailbox meet a SEARCH program; other connections get their turn meanwhile. */
import type { SearchKey } from '../../../lib/imap/search_keys.js'
import { MessageSource, readable } from '../../../lib/mailbox/message_source.js'
import { MessageFileError } from '../../../lib/store/store.js'
import type { CommandContext } from '../command.js'
import { type Pace, pauseIfLong } from '../pace.js'
import { Progress } from '../progress.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'
import { type Program, prepare, testIndex, testMessage } from './evaluate.js'
import { askIndex } from './index_answers.js'

const BATCH = 64
/** Files read at once. */
const TOGETHER = 8
/** Positions looked at before the time is. */
const ROWS = 512
/** So many messages that had to be looked at, for want of entries in the search index, are a reason to fill it. */
const WORTH_FILLING = 64

const NO = 1
const YES = 2

/**
 * @param saved what `$` stands for
 * @param among positions to be looked at; all unless told
 * @returns positions (sequence number less one), ascending; a message whose file is missing is no match (logged)
 */
export async function searchMessages(
  context: CommandContext,
  selected: Selected,
  key: SearchKey,
  saved = selected.savedResult,
  among?: readonly number[],
): Promise<number[]> {
  const { session } = context
  const program = prepare(selected, key, saved, session.namespace!)
  const pace: Pace = { since: performance.now() }
  const verdicts = new Uint8Array(selected.view.length)
  if (among) {
    verdicts.fill(NO)
    for (const position of among) verdicts[position] = 0
  }
  const undecided = await askRecords(program, verdicts, session, pace)
  if (undecided > 0) {
    const { indexer } = session.imapd
    const answers = indexer && (await askIndex(selected, key, undecided))
    let left = undecided
    if (answers) {
      program.absences = answers.absences
      left = await askRecords(program, verdicts, session, pace)
      if (answers.unknown >= WORTH_FILLING) indexer.want(selected.id)
    }
    if (left > 0) await askMessages(context, program, verdicts, pace)
  }
  const found: number[] = []
  verdicts.forEach((verdict, position) => {
    if (verdict === YES) found.push(position)
  })
  return found
}

/** What the records, what is remembered and the search index say of all positions without a verdict. @returns how many have none still */
async function askRecords(program: Program, verdicts: Uint8Array, session: Session, pace: Pace): Promise<number> {
  const { key, selected } = program
  const { view, index } = selected
  let undecided = 0
  for (let from = 0; from < view.length; from += ROWS) {
    const to = Math.min(from + ROWS, view.length)
    for (let position = from; position < to; position += 1) {
      if (verdicts[position] !== 0) continue
      const row = index.findUid(view[position]!)
      const verdict = row < 0 || index.isExpunged(row) ? false : testIndex(program, key, position, row)
      if (verdict === undefined) undecided += 1
      else verdicts[position] = verdict ? YES : NO
    }
    const pause = pauseIfLong(session.connection, pace)
    if (pause) await pause
  }
  return undecided
}

/** What the summaries, and then the messages themselves say of the positions without a verdict. */
async function askMessages(context: CommandContext, program: Program, verdicts: Uint8Array, pace: Pace): Promise<void> {
  const { session } = context
  const { store, log } = session.imapd
  const { connection } = session
  const { key, selected } = program
  const { view, index } = selected
  const progress = new Progress(context)
  const decide = (position: number, verdict: boolean): void => {
    verdicts[position] = verdict ? YES : NO
  }
  let next = 0
  for (;;) {
    const undecided: number[] = []
    for (; next < view.length && undecided.length < BATCH; next += 1) if (verdicts[next] === 0) undecided.push(next)
    if (undecided.length === 0) return
    progress.at(undecided[0]!, view.length)
    const [low, high] = [view[undecided[0]!]!, view[undecided.at(-1)!]!]
    // where they lie far apart each is looked up for itself
    const dense = undecided.at(-1)! - undecided[0]! < 2 * BATCH
    const caches = new Map(dense ? store.readCaches(selected.id, low, high) : [])
    const remaining: number[] = []
    for (const position of undecided) {
      const uid = view[position]!
      if (!dense) {
        const cache = store.readCache(selected.id, uid)
        if (cache) caches.set(uid, cache)
      }
      const bytes = caches.get(uid)
      const verdict = bytes && testIndex(program, key, position, index.findUid(uid), readable(bytes))
      if (verdict === undefined) remaining.push(position)
      else decide(position, verdict)
      const pause = pauseIfLong(connection, pace)
      if (pause) await pause
    }
    const read = async (position: number): Promise<void> => {
      const uid = view[position]!
      const row = index.findUid(uid)
      const source = new MessageSource(store, index.header, uid, index.size(row), caches.get(uid))
      try {
        decide(position, await testMessage(program, position, row, source))
      } catch (error) {
        if (!(error instanceof MessageFileError)) throw error
        log.error(`SEARCH: ${error.message}`)
        decide(position, false)
      }
    }
    for (let at = 0; at < remaining.length; at += TOGETHER) {
      await Promise.all(remaining.slice(at, at + TOGETHER).map(read))
      const pause = pauseIfLong(connection, pace)
      if (pause) await pause
    }
  }
}
