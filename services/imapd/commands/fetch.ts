/** FETCH and UID FETCH (RFC 3501 §6.4.5). Metadata goes out in batches, messages stream with back-pressure. */
import { type FetchRequest, type MetadataItem, parseFetchItems } from '../../../lib/imap/fetch_items.js'
import { type PartialRange, partialBounds } from '../../../lib/imap/partial_range.js'
import { SAVED_RESULT, type SequenceSet } from '../../../lib/imap/sequence_set.js'
import { MessageSource, readable } from '../../../lib/mailbox/message_source.js'
import { storeFlags } from '../../../lib/mailbox/messages.js'
import { Flag, MessageFileError } from '../../../lib/store/store.js'
import { type CommandContext, define, SELECTED, selectedOf } from '../command.js'
import { Bad, No } from '../errors.js'
import { enableCondstore } from '../features.js'
import { changedPositions, tellVanished } from '../fetch/changed_since.js'
import { needsComputing } from '../fetch/computed.js'
import { metadataWriters, type WriteMetadata } from '../fetch/metadata.js'
import { needsSummaryOnly, type PreparedRequest, writeMessage, writeSummary } from '../fetch/write_message.js'
import { annotationItem } from '../message_annotations.js'
import { type Pace, pauseIfLong } from '../pace.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'

/** Summaries read from the index at once. */
const BATCH = 64
/** Small files being read while an earlier one is written. */
const AHEAD = 6

/** Sets \Seen where asking for bodies does that. @returns the UIDs that became \Seen */
async function markSeen(context: CommandContext, selected: Selected, uids: number[]): Promise<ReadonlySet<number>> {
  if (selected.readOnly || !selected.rights.has('s')) return new Set()
  const unseen = uids.filter((uid) => {
    const row = selected.index.findUid(uid)
    return row >= 0 && !selected.isSeen(row)
  })
  if (unseen.length === 0) return new Set()
  const { session } = context
  const change = { mode: 'add' as const, flags: Flag.Seen, keywords: [] }
  await storeFlags(session.imapd.store, selected.header, unseen, change, session.user!)
  selected.reloadSeen()
  const marked = new Set(unseen)
  selected.sync(session.reply, { expunges: false, withUid: context.uid, silent: marked })
  return marked
}

function needsSummaries(request: FetchRequest): boolean {
  const { envelope, body, bodystructure, sections } = request
  return (
    envelope ||
    body ||
    bodystructure ||
    sections.some(({ path, item, form }) => path.length > 0 || item !== '' || form !== 'raw') ||
    needsComputing(request.metadata)
  )
}

/** As asked for; and with what is told of messages that have just become \Seen. */
function prepare(
  { session }: CommandContext,
  request: FetchRequest,
): { plain: PreparedRequest; marked: PreparedRequest } {
  const { uidOnly, qresync, imap4rev2, condstore } = session.features
  // the answer names the UID itself (RFC 9586 §3.3)
  if (uidOnly && (request.metadata.size > 1 || request.sections.length > 0)) request.metadata.delete('UID')
  const forced = new Set<MetadataItem>([...request.metadata, 'FLAGS'])
  if ((qresync || imap4rev2) && !uidOnly) forced.add('UID')
  if (condstore) forced.add('MODSEQ')
  const annotations = request.annotations.map(
    (each): WriteMetadata =>
      (selected, row) =>
        annotationItem(session, selected, row, each),
  )
  return {
    plain: { request, metadata: [...metadataWriters(request.metadata, session.namespace!), ...annotations] },
    marked: { request, metadata: [...metadataWriters(forced, session.namespace!), ...annotations] },
  }
}

/** Those of positions (half-open ranges) that a partial range names. */
function partOf(
  ranges: readonly { first: number; end: number }[],
  partial: PartialRange,
): { first: number; end: number }[] {
  const { from, to } = partialBounds(
    partial,
    ranges.reduce((sum, { first, end }) => sum + end - first, 0),
  )
  const found: { first: number; end: number }[] = []
  let before = 0
  for (const { first, end } of ranges) {
    const start = first + Math.max(from - before, 0)
    const stop = first + Math.min(to - before, end - first)
    if (start < stop) found.push({ first: start, end: stop })
    before += end - first
  }
  return found
}

/** Answers for a message whose summary is there and whole. @returns false if it is not */
function tellSummary(
  { session }: CommandContext,
  selected: Selected,
  position: number,
  marked: ReadonlySet<number>,
  { plain, marked: ofMarked }: { plain: PreparedRequest; marked: PreparedRequest },
): boolean {
  const uid = selected.view[position]!
  const row = selected.index.findUid(uid)
  const bytes = row < 0 ? undefined : session.imapd.store.peekCache(selected.id, uid)
  const cache = bytes && readable(bytes)
  if (!cache) return false
  const prepared = marked.has(uid) ? ofMarked : plain
  writeSummary(session.connection, selected, { row, sequence: position + 1 }, prepared, cache)
  return true
}

async function fetchRange(
  context: CommandContext,
  selected: Selected,
  { plain, marked: ofMarked }: { plain: PreparedRequest; marked: PreparedRequest },
  { first, end }: { first: number; end: number },
  marked: ReadonlySet<number>,
  pace: Pace,
): Promise<MessageFileError | undefined> {
  const { store } = context.session.imapd
  const { connection } = context.session
  const { request } = plain
  let missing: MessageFileError | undefined
  const summaries = needsSummaries(request)
  const files = request.sections.some(({ item }) => item !== 'HEADER.FIELDS') || needsComputing(request.metadata)
  const quick = needsSummaryOnly(request)
  for (let from = first; from < end; from += BATCH) {
    const to = Math.min(from + BATCH, end)
    // no cursor of the database stays open over an await
    const caches =
      summaries && !quick
        ? new Map(store.readCaches(selected.id, selected.view[from]!, selected.view[to - 1]!))
        : undefined
    const sources = new Map<number, MessageSource>()
    const sourceAt = (position: number): MessageSource | undefined => {
      const uid = selected.view[position]!
      const row = selected.index.findUid(uid)
      if (row < 0) return undefined // expunged for good by another session; told at the next chance
      let source = sources.get(position)
      if (!source) {
        source = new MessageSource(store, selected.header, uid, selected.index.size(row), caches?.get(uid))
        sources.set(position, source)
      }
      return source
    }
    for (let position = from; position < to; position += 1) {
      const known = quick ? tellSummary(context, selected, position, marked, { plain, marked: ofMarked }) : false
      if (known) {
        const pause = pauseIfLong(connection, pace)
        if (pause) await pause
        continue
      }
      if (files) {
        const last = Math.min(position + AHEAD, to - 1)
        for (let next = position === from ? from : last; next <= last; next += 1) sourceAt(next)?.readAhead()
      }
      const source = sourceAt(position)
      if (!source) continue
      const row = selected.index.findUid(source.uid)
      const { uid } = source
      sources.delete(position)
      try {
        const written = writeMessage(
          connection,
          selected,
          { row, sequence: position + 1 },
          source,
          marked.has(uid) ? ofMarked : plain,
        )
        if (written) await written
      } catch (error) {
        if (!(error instanceof MessageFileError)) throw error
        missing ??= error
      }
      const pause = pauseIfLong(connection, pace)
      if (pause) await pause
    }
  }
  return missing
}

/** Tells items of messages without being asked (NOTIFY); none becomes \Seen by it. @throws {MessageFileError} after the others were told */
export async function tellMessages(
  session: Session,
  selected: Selected,
  request: FetchRequest,
  ranges: readonly { first: number; end: number }[],
): Promise<void> {
  const context: CommandContext = { session, uid: true, tag: '' }
  const prepared = prepare(context, request)
  const pace: Pace = { since: performance.now() }
  let missing: MessageFileError | undefined
  for (const range of ranges)
    missing = (await fetchRange(context, selected, prepared, range, new Set(), pace)) ?? missing
  if (missing) throw missing
}

export const fetch = define<{ set: SequenceSet; request: FetchRequest }>({
  name: 'FETCH',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  parse(args, uid) {
    args.space()
    const set = args.sequenceSet()
    args.space()
    const request = parseFetchItems(args)
    args.end()
    if (uid) request.metadata.add('UID')
    if (!uid && request.vanished) args.fail(`Invalid ${args.command} modifier VANISHED`, 'it is for UID FETCH')
    return { set, request }
  },
  async run(context, { set, request }) {
    const selected = selectedOf(context)
    const { session } = context
    if (request.vanished && !session.features.qresync)
      throw new Bad('Invalid UID Fetch modifier VANISHED: QRESYNC is not enabled')
    if (request.metadata.has('MODSEQ')) enableCondstore(session, 'MODSEQ fetch')
    let ranges = selected.positions(set, context.uid)
    if (ranges.length === 0 && !context.uid && set !== SAVED_RESULT) throw new No('No matching messages')
    if (request.vanished) tellVanished(session, selected, request.changedSince!, selected.uidRanges(set))
    if (request.changedSince !== undefined) ranges = changedPositions(selected, ranges, request.changedSince)
    if (request.partial) ranges = partOf(ranges, request.partial)
    if (ranges.length === 0) return undefined
    const marked = request.sections.some(({ marksSeen }) => marksSeen)
      ? await markSeen(context, selected, selected.uidsAt(ranges))
      : new Set<number>()
    const pace: Pace = { since: performance.now() }
    let missing: MessageFileError | undefined
    const prepared = prepare(context, request)
    for (const range of ranges)
      missing = (await fetchRange(context, selected, prepared, range, marked, pace)) ?? missing
    if (missing) throw missing
    return undefined
  },
})
