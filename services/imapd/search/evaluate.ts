/**
 * Whether a message meets a SEARCH program. Cheap questions (flags, dates, sizes) are asked of the index first; headers
 * of the summary; bodies of the file only for messages that everything else has let through.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { NO_CID, type SearchKey, spamScore } from '../../../lib/imap/search_keys.js'
import type { Range } from '../../../lib/imap/sequence_set.js'
import type { MessageSource } from '../../../lib/mailbox/message_source.js'
import { headerText, textContains } from '../../../lib/mailbox/message_texts.js'
import type { Namespace } from '../../../lib/mailbox/names.js'
import { decodeHeader } from '../../../lib/message/encoded_words.js'
import { headerFields, unfolded } from '../../../lib/message/header_fields.js'
import { searchForm } from '../../../lib/message/search_text.js'
import type { Part } from '../../../lib/message/sections.js'
import type { MessageCache } from '../../../lib/message/summary.js'
import { type MailboxIndex, NULL_THRID } from '../../../lib/store/store.js'
import { emailId, savedate } from '../fetch/metadata.js'
import { systemFlag } from '../flag_text.js'
import { memoTables } from '../memo.js'
import { hasAnnotation } from '../message_annotations.js'
import type { Selected } from '../selected.js'
import type { Absences } from './index_answers.js'

/** A program with its sets resolved for one mailbox. */
export interface Program {
  readonly selected: Selected
  readonly key: SearchKey
  /** positions (sequence number less one) of each sequence or UID set */
  readonly sets: ReadonlyMap<SearchKey, readonly { first: number; end: number }[]>
  /** numbers of keywords; a keyword the mailbox does not have is missing */
  readonly keywords: ReadonlyMap<string, number>
  /** texts of header fields that are often searched, in the form in which they are compared, by UID (memo.ts) */
  readonly headers: ReadonlyMap<string, Map<number, readonly string[]>>
  /** names of FOLDER keys that are this mailbox's */
  readonly folders: ReadonlySet<string>
  /** what the search index is certain of (index_answers.ts) */
  absences: Absences
  /** when others last had their turn while texts were compared */
  readonly turn: { since: number }
}

/** Milliseconds of comparing before others get their turn. */
const SLICE_MS = 4

/** Texts of a message in the form in which they are compared, made once however many keys ask. */
const forms = new WeakMap<object, Map<string, string[] | undefined>>()

/** @param of the summary or the message whose texts they are  @param make the texts; undefined when they cannot be told */
function formsOf(of: object, name: string, make: () => string[] | undefined): string[] | undefined {
  let known = forms.get(of)
  if (!known) {
    known = new Map()
    forms.set(of, known)
  }
  if (!known.has(name)) known.set(name, make())
  return known.get(name)
}

/** @param saved what `$` stands for */
export function prepare(
  selected: Selected,
  key: SearchKey,
  saved: readonly Range[],
  namespace: Pick<Namespace, 'toInternal'>,
): Program {
  const folders = new Set<string>()
  const sets = new Map<SearchKey, { first: number; end: number }[]>()
  const headers = new Map<string, Map<number, readonly string[]>>()
  const remember = (name: string): void => {
    if (!REMEMBERED.has(name) || headers.has(name)) return
    const tables = memoTables(selected.store, selected.header)
    tables[`header ${name}`] ??= new Map()
    headers.set(name, tables[`header ${name}`] as Map<number, readonly string[]>)
  }
  const visit = (each: SearchKey): void => {
    if (each.type === 'sequence' || each.type === 'uid')
      sets.set(each, selected.positions(each.set, each.type === 'uid', saved))
    else if (each.type === 'header') remember(each.name)
    else if (each.type === 'folder' && namespace.toInternal(each.name) === selected.header.name) folders.add(each.name)
    else if (each.type === 'and' || each.type === 'or') each.keys.forEach(visit)
    else if (each.type === 'not') visit(each.key)
  }
  visit(key)
  const keywords = new Map<string, number>()
  selected.header.userFlags.forEach((name, slot) => {
    if (name !== null) keywords.set(name.toLowerCase(), slot)
  })
  return { selected, key, sets, keywords, headers, folders, absences: new Map(), turn: { since: performance.now() } }
}

/** What the index, and the summary if given, say; undefined when the message's text decides. */
export function testIndex(
  program: Program,
  key: SearchKey,
  position: number,
  row: number,
  cache?: MessageCache,
): boolean | undefined {
  const { selected } = program
  const { index } = selected
  switch (key.type) {
    case 'all':
      return true
    case 'and':
      return every(key.keys, (each) => testIndex(program, each, position, row, cache))
    case 'or':
      return negated(every(key.keys, (each) => negated(testIndex(program, each, position, row, cache))))
    case 'not':
      return negated(testIndex(program, key.key, position, row, cache))
    case 'flag':
      if (key.flag === '\\Seen') return selected.isSeen(row)
      return (index.flags(row) & systemFlag(key.flag)!) !== 0
    case 'recent':
      return selected.isRecent(index.uid(row))
    case 'keyword': {
      const slot = program.keywords.get(key.name.toLowerCase())
      return slot !== undefined && index.userFlag(row, slot)
    }
    case 'sequence':
    case 'uid':
      return program.sets.get(key)!.some(({ first, end }) => position >= first && position < end)
    case 'date': {
      const time = dateOf(index, row, key.field)
      return time >= key.from && time < key.before
    }
    case 'modseq':
      return index.modseq(row) >= key.from
    case 'annotation':
      return hasAnnotation(selected, row, key.entry, key.attribute, key.value)
    case 'emailid':
      return emailId(index, row) === key.id
    case 'cid':
      return (index.thrid(row) === NULL_THRID ? NO_CID : index.thrid(row).toLowerCase()) === key.id
    case 'folder':
      return program.folders.has(key.name)
    case 'threadid':
      return index.thrid(row) !== NULL_THRID && `T${index.thrid(row)}` === key.id
    case 'size': {
      const size = index.size(row)
      return size > key.above && size < key.below
    }
    case 'header':
      if (isAbsent(program, key, position)) return false
      return rememberedForms(program, key.name, index.uid(row), cache)?.some((value) => value.includes(key.value))
    case 'text':
    case 'body':
      return isAbsent(program, key, position) ? false : undefined
  }
}

function isAbsent({ absences }: Program, key: SearchKey, position: number): boolean {
  return absences.get(key)?.[position] === 1
}

function dateOf(index: MailboxIndex, row: number, field: 'internaldate' | 'sentdate' | 'savedate'): number {
  if (field === 'savedate') return savedate(index, row)
  return (field === 'sentdate' && index.sentdate(row)) || index.internaldate(row)
}

function negated(value: boolean | undefined): boolean | undefined {
  return value === undefined ? undefined : !value
}

function every<T>(keys: readonly T[], holds: (key: T) => boolean | undefined): boolean | undefined {
  let all: boolean | undefined = true
  for (const key of keys) {
    const value = holds(key)
    if (value === false) return false
    if (value === undefined) all = undefined
  }
  return all
}

/** Fields that people search for; their texts are remembered unless they are long. */
const REMEMBERED = new Set(['from', 'to', 'cc', 'bcc', 'subject'])
const LONGEST_REMEMBERED = 500

function rememberedForms(
  { headers }: Program,
  name: string,
  uid: number,
  cache: MessageCache | undefined,
): readonly string[] | undefined {
  const table = headers.get(name)
  const known = table?.get(uid)
  if (known || !cache) return known
  const found = headerForms(cache, name)
  if (found && table && found.reduce((sum, text) => sum + text.length, 0) <= LONGEST_REMEMBERED) table.set(uid, found)
  return found
}

const formOf = (value: string): string => searchForm(decodeHeader(value))

function headerForms(cache: MessageCache, name: string): string[] | undefined {
  return formsOf(cache, name, () => cache.headerValues(name)?.map(formOf))
}

/** The whole answer for one message. @throws {MessageFileError} */
export async function testMessage(
  program: Program,
  position: number,
  row: number,
  source: MessageSource,
): Promise<boolean> {
  try {
    return await test(program, program.key, position, row, source)
  } finally {
    await source.close()
  }
}

async function test(
  program: Program,
  key: SearchKey,
  position: number,
  row: number,
  source: MessageSource,
): Promise<boolean> {
  const known = testIndex(program, key, position, row, source.cacheAtHand)
  if (known !== undefined) return known
  if (performance.now() - program.turn.since > SLICE_MS) {
    await nextTurn()
    program.turn.since = performance.now()
  }
  switch (key.type) {
    case 'and':
      for (const each of key.keys) if (!(await test(program, each, position, row, source))) return false
      return true
    case 'or':
      for (const each of key.keys) if (await test(program, each, position, row, source)) return true
      return false
    case 'not':
      return !(await test(program, key.key, position, row, source))
    case 'header':
      return testHeader(source, key.name, key.value)
    case 'spamscore': {
      const score = spamScore((await headerTexts(source, 'x-spam-score'))[0] ?? '')
      return score >= key.from && score <= key.to
    }
    case 'body':
      return testBody(source, key.value)
    case 'text':
      return (await testWholeHeader(source, key.value)) || testBody(source, key.value)
    default:
      return false
  }
}

async function testHeader(source: MessageSource, name: string, value: string): Promise<boolean> {
  return (await headerTexts(source, name)).some((each) => each.includes(value))
}

/** The fields of a name, in the form in which they are compared. */
async function headerTexts(source: MessageSource, name: string): Promise<string[]> {
  const cache = await source.cache()
  let values = headerForms(cache, name)
  if (!values) {
    const { headerStart, headerSize } = cache.part([])!
    const bytes = await source.bytes(headerStart, headerSize)
    values = formsOf(source, name, () => {
      const text = bytes.toString('latin1')
      return headerFields(text, Number.POSITIVE_INFINITY)
        .filter((field) => field.name === name)
        .map((field) => formOf(unfolded(text, field)))
    })
  }
  return values!
}

/** As headerText, made once however many keys ask. */
async function headerForm(source: MessageSource, part: Part): Promise<string> {
  const name = `${part.headerStart} whole`
  const known = forms.get(source)?.get(name)
  if (known) return known[0]!
  const text = await headerText(source, part)
  formsOf(source, name, () => [text])
  return text
}

async function testWholeHeader(source: MessageSource, value: string): Promise<boolean> {
  return (await headerForm(source, (await source.cache()).part([])!)).includes(value)
}

/** Bodies of text, decoded, and the headers of all parts, as Cyrus searches them. */
async function testBody(source: MessageSource, value: string): Promise<boolean> {
  const cache = await source.cache()
  let isWhole = true
  for (const part of cache.parts()) {
    const own = isWhole ? '' : await headerForm(source, part)
    if (own !== '' && own.includes(value)) return true
    isWhole = false
    if (part.kind !== 'text') continue
    if (await textContains(source, part, value)) return true
  }
  return false
}
