/**
 * Filling the search index of a mailbox (lib/store/search_file.ts): each message that has no entry yet gets one, made of the very texts that
 * SEARCH would look in. May be interrupted at any moment; the next time goes on from there. Nothing that is answered depends on it.
 */
import { GramCollector } from '../message/search_grams.js'
import type { SearchFileWriter } from '../store/search_file.js'
import { type MailboxHeader, type MailboxIndex, type MailStore, MessageFileError } from '../store/store.js'
import { MessageSource } from './message_source.js'
import { eachTextPiece, headerText } from './message_texts.js'

/** Rows looked at before the time is. */
const ROWS = 2048
/** Summaries read at once. */
const BATCH = 64
/** The index is written anew when so many entries more than half of all are of messages that are gone, */
const GONE = 256
/** or when it has so many blocks more than full ones would be. */
const SMALL_BLOCKS = 64
/** Entries of a full block, about. */
const BLOCK = 64

/** What has been done. */
export interface Indexed {
  /** messages that got an entry */
  readonly added: number
  /** messages that have one now */
  readonly covered: number
}

/** How it is to be done. */
export interface IndexOptions {
  /** called between messages: who serves others lets them go first */
  readonly pause?: () => Promise<void> | undefined
  readonly stopping?: AbortSignal
  /** called after each message: how many of those that had no entry are done */
  readonly progress?: (done: number, of: number) => void
}

/** One that is at nobody's work; they are large. */
let spare: GramCollector | undefined

/**
 * Brings a mailbox's search index up to date.
 * @returns undefined if another process is at it  @throws the file system's error when it cannot be written
 */
export async function indexMailbox(
  store: MailStore,
  mailbox: MailboxHeader,
  options: IndexOptions = {},
): Promise<Indexed | undefined> {
  const index = store.index(mailbox.id)
  if (index === undefined || mailbox.mbtype.includes('i')) return { added: 0, covered: 0 }
  const writer = await store.openSearchIndex(index.header)
  if (writer === undefined) return undefined
  try {
    const wanting = await rowsWithoutEntry(index, writer, options)
    const added = await addEntries(store, index, writer, wanting, options)
    const covered = index.visibleUids.length - wanting.length + added
    if (!options.stopping?.aborted) await tidy(index, writer, covered)
    return { added, covered }
  } finally {
    writer.close()
  }
}

/** How many messages of a mailbox the search index knows, and how many it does not. */
export async function indexCoverage(
  store: MailStore,
  index: MailboxIndex,
): Promise<{ covered: number; missing: number }> {
  const known = new Map<number, number>()
  await store.readSearchIndex(index.header, ({ uid, guid }) => void known.set(uid, guid))
  let missing = 0
  for (const uid of index.visibleUids) if (known.get(uid) !== index.guidStart(index.findUid(uid))) missing++
  return { covered: index.visibleUids.length - missing, missing }
}

async function rowsWithoutEntry(
  index: MailboxIndex,
  { known }: SearchFileWriter,
  { pause }: IndexOptions,
): Promise<number[]> {
  const rows: number[] = []
  for (let row = 0; row < index.length; row++) {
    if (!index.isExpunged(row) && known.get(index.uid(row)) !== index.guidStart(row)) rows.push(row)
    const waiting = row % ROWS === 0 ? pause?.() : undefined
    if (waiting) await waiting
  }
  return rows
}

async function addEntries(
  store: MailStore,
  index: MailboxIndex,
  writer: SearchFileWriter,
  rows: readonly number[],
  { pause, stopping, progress }: IndexOptions,
): Promise<number> {
  const grams = spare ?? new GramCollector()
  spare = undefined
  let added = 0
  let done = 0
  for (let from = 0; from < rows.length && !stopping?.aborted; from += BATCH) {
    const batch = rows.slice(from, from + BATCH)
    const caches = new Map(store.readCaches(index.header.id, index.uid(batch[0]!), index.uid(batch.at(-1)!)))
    for (const row of batch) {
      if (stopping?.aborted) break
      const uid = index.uid(row)
      const source = new MessageSource(store, index.header, uid, index.size(row), caches.get(uid))
      try {
        await collect(source, grams)
        writer.add(uid, index.guidStart(row), grams.filter())
        added++
      } catch (error) {
        // SEARCH tells of a file that is missing
        if (!(error instanceof MessageFileError)) throw error
        grams.filter()
      } finally {
        await source.close()
      }
      progress?.(++done, rows.length)
      const waiting = pause?.()
      if (waiting) await waiting
    }
  }
  writer.flush()
  spare = grams
  return added
}

/** Everything in which a SEARCH key may look: see services/imapd/search/evaluate.ts. Fields of the header are part of its text. */
async function collect(source: MessageSource, grams: GramCollector): Promise<void> {
  for (const part of (await source.cache()).parts()) {
    grams.beginText()
    grams.add(await headerText(source, part))
    if (part.kind !== 'text') continue
    grams.beginText()
    await eachTextPiece(source, part, (piece) => {
      grams.add(piece)
      return false
    })
  }
}

/**
 * Entries of messages that are gone, and blocks that hold little, are put right now and then.
 * @param covered messages that have an entry, at least
 */
async function tidy(index: MailboxIndex, writer: SearchFileWriter, covered: number): Promise<void> {
  const entries = writer.known.size
  const scattered = writer.blocks > 2 * (entries / BLOCK) + SMALL_BLOCKS
  if (entries - covered <= covered + GONE && !scattered) return
  const wanted = (uid: number, guid: number): boolean => {
    const row = index.findUid(uid)
    return row >= 0 && index.guidStart(row) === guid
  }
  let kept = 0
  for (const [uid, guid] of writer.known) if (wanted(uid, guid)) kept++
  if (entries - kept > kept + GONE || scattered) await writer.rewrite(wanted)
}
