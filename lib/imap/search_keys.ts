/** The program of SEARCH (RFC 3501 §6.4.4; RFC 5032, 6203, 7162, 8474, 8514) from its text. Pure. */
import { decodeCharset, knowsCharset, searchForm } from '../message/search_text.js'
import { nstring } from './annotation_arguments.js'
import { type ArgumentReader, MAX_NESTING } from './argument_reader.js'
import { type Day, parseDay } from './date_time.js'
import type { SequenceSet } from './sequence_set.js'

/** Strings are in the form in which texts are compared (lib/message/search_text.ts). */
export type SearchKey =
  | { readonly type: 'all' }
  | { readonly type: 'and'; readonly keys: readonly SearchKey[] }
  | { readonly type: 'or'; readonly keys: readonly SearchKey[] }
  | { readonly type: 'not'; readonly key: SearchKey }
  /** `\Answered` … as IMAP spells them */
  | { readonly type: 'flag'; readonly flag: string }
  | { readonly type: 'recent' }
  | { readonly type: 'keyword'; readonly name: string }
  | { readonly type: 'sequence'; readonly set: SequenceSet }
  | { readonly type: 'uid'; readonly set: SequenceSet }
  | {
      readonly type: 'date'
      readonly field: 'internaldate' | 'sentdate' | 'savedate'
      readonly from: number
      readonly before: number
    }
  /** mod-sequence at least this (RFC 7162 §3.1.5) */
  | { readonly type: 'modseq'; readonly from: number }
  /** objectids (RFC 8474 §5.3) */
  | { readonly type: 'emailid' | 'threadid'; readonly id: string }
  /** conversation id of Cyrus, 16 hexadecimal digits */
  | { readonly type: 'cid'; readonly id: string }
  /** whether this mailbox is the one of a name, as the client wrote it (Cyrus) */
  | { readonly type: 'folder'; readonly name: string }
  /** hundredths of X-Spam-Score, both bounds taken in (Cyrus) */
  | { readonly type: 'spamscore'; readonly from: number; readonly to: number }
  /** an annotation that holds a value; undefined: has none (RFC 5257 §4.4) */
  | {
      readonly type: 'annotation'
      readonly entry: string
      readonly attribute: string
      readonly value: Buffer | undefined
    }
  /** bytes, both bounds exclusive */
  | { readonly type: 'size'; readonly above: number; readonly below: number }
  | { readonly type: 'header'; readonly name: string; readonly value: string }
  | { readonly type: 'body' | 'text'; readonly value: string }

export interface SearchProgram {
  readonly key: SearchKey
  /** whether a character set was named */
  readonly namesCharset: boolean
  /** whether message sequence numbers are among its keys */
  readonly usesSequences: boolean
  /** whether MODSEQ is among its keys */
  readonly usesModseq: boolean
}

/** CHARSET names something unknown; answered with BADCHARSET. */
export class UnknownCharsetError extends Error {
  override name = 'UnknownCharsetError'
}

const MAX_KEYS = 5000

interface State {
  readonly args: ArgumentReader
  readonly charset: string
  readonly now: number
  left: number
  usesModseq: boolean
  usesSequences: boolean
}

/**
 * @param now unix seconds, for OLDER and YOUNGER
 * @throws {ImapSyntaxError} or {UnknownCharsetError}
 */
export function parseSearch(args: ArgumentReader, now: number): SearchProgram {
  if (!/^charset /i.test(args.bytes.toString('latin1', args.offset, args.offset + 8)))
    return { ...parseSearchIn(args, 'us-ascii', now), namesCharset: false }
  args.keyword()
  args.space()
  const charset = args.astring().toString('latin1')
  args.space()
  return parseSearchIn(args, charset, now)
}

/** As parseSearch, where the character set stands elsewhere. */
export function parseSearchIn(args: ArgumentReader, name: string, now: number): SearchProgram {
  const charset = name.toLowerCase()
  if (!knowsCharset(charset)) throw new UnknownCharsetError(`Unrecognized character set ${charset.slice(0, 40)}`)
  const state: State = { args, charset, now, left: MAX_KEYS, usesModseq: false, usesSequences: false }
  const keys = [key(state, 0)]
  while (args.tryChar(' ')) keys.push(key(state, 0))
  return { key: all(keys), usesModseq: state.usesModseq, usesSequences: state.usesSequences, namesCharset: true }
}

function all(keys: SearchKey[]): SearchKey {
  return keys.length === 1 ? keys[0]! : { type: 'and', keys }
}

const not = (key: SearchKey): SearchKey => ({ type: 'not', key })
const flag = (name: string): SearchKey => ({ type: 'flag', flag: `\\${name}` })

const FIXED: Record<string, SearchKey> = {
  ALL: { type: 'all' },
  SAVEDATESUPPORTED: { type: 'all' },
  ANSWERED: flag('Answered'),
  DELETED: flag('Deleted'),
  DRAFT: flag('Draft'),
  FLAGGED: flag('Flagged'),
  SEEN: flag('Seen'),
  RECENT: { type: 'recent' },
  OLD: not({ type: 'recent' }),
  NEW: { type: 'and', keys: [{ type: 'recent' }, not(flag('Seen'))] },
  UNANSWERED: not(flag('Answered')),
  UNDELETED: not(flag('Deleted')),
  UNDRAFT: not(flag('Draft')),
  UNFLAGGED: not(flag('Flagged')),
  UNSEEN: not(flag('Seen')),
}

const HEADERS = new Set(['BCC', 'CC', 'FROM', 'SUBJECT', 'TO'])
const EVER = Number.POSITIVE_INFINITY

/** The id of messages that are in no conversation. */
export const NO_CID = '0000000000000000'

/** A spam score in hundredths; 0 for what is no number, as Cyrus takes it. */
export function spamScore(text: string): number {
  const score = Number.parseFloat(text)
  return Number.isFinite(score) ? Math.trunc(score * 100 + 0.5) : 0
}

function key(state: State, depth: number): SearchKey {
  const { args } = state
  state.left -= 1
  if (depth > MAX_NESTING || state.left < 0) args.fail('Search criteria too complex')
  if (args.peek() === '(') {
    args.tryChar('(')
    const keys = [key(state, depth + 1)]
    while (args.tryChar(' ')) keys.push(key(state, depth + 1))
    if (!args.tryChar(')')) args.fail('Missing required close paren in Search command')
    return all(keys)
  }
  if (/[\d*]/.test(args.peek())) state.usesSequences = true
  if (/[\d*$]/.test(args.peek())) return { type: 'sequence', set: args.sequenceSet() }
  const start = args.offset
  const word = args.keyword()
  const fixed = FIXED[word]
  if (fixed) return fixed
  if (HEADERS.has(word)) return { type: 'header', name: word.toLowerCase(), value: text(state) }
  switch (word) {
    case 'HEADER': {
      args.space()
      const name = args.astring().toString('latin1').toLowerCase()
      return { type: 'header', name, value: text(state) }
    }
    case 'BODY':
    case 'TEXT':
      return { type: word === 'BODY' ? 'body' : 'text', value: text(state) }
    case 'KEYWORD':
    case 'UNKEYWORD': {
      args.space()
      const found: SearchKey = { type: 'keyword', name: args.flag('Invalid Search criteria') }
      return word === 'KEYWORD' ? found : not(found)
    }
    case 'NOT':
      args.space()
      return not(key(state, depth + 1))
    case 'OR': {
      args.space()
      const first = key(state, depth + 1)
      args.space()
      return { type: 'or', keys: [first, key(state, depth + 1)] }
    }
    case 'UID':
      args.space()
      return { type: 'uid', set: args.sequenceSet() }
    case 'LARGER':
    case 'SMALLER': {
      args.space()
      const size = args.number('Invalid number in Search command')
      return word === 'LARGER' ? { type: 'size', above: size, below: EVER } : { type: 'size', above: -1, below: size }
    }
    case 'OLDER':
    case 'YOUNGER': {
      args.space()
      const limit = state.now - args.number('Invalid interval in Search command')
      return {
        type: 'date',
        field: 'internaldate',
        from: word === 'OLDER' ? 0 : limit,
        before: word === 'OLDER' ? limit + 1 : EVER,
      }
    }
    case 'SAVEDBEFORE':
    case 'SAVEDON':
    case 'SAVEDSINCE':
      return dateKey('savedate', word.slice(5), day(state))
    case 'EMAILID':
    case 'THREADID': {
      args.space()
      const id = args.astring().toString('latin1')
      if (!/^[\w-]{1,255}$/.test(id)) args.fail(`Invalid ${word.toLowerCase()} in Search command`)
      return { type: word === 'EMAILID' ? 'emailid' : 'threadid', id }
    }
    case 'CID': {
      args.space()
      const text = args.astring().toString('latin1')
      if (!/^(?:NIL|[0-9a-f]{16})$/i.test(text)) args.fail('Invalid number in Search command')
      return { type: 'cid', id: /^nil$/i.test(text) ? NO_CID : text.toLowerCase() }
    }
    case 'FOLDER':
      args.space()
      return { type: 'folder', name: args.mailbox() }
    case 'SPAMABOVE':
    case 'SPAMBELOW': {
      args.space()
      const score = spamScore(args.astring().toString('latin1'))
      if (word === 'SPAMABOVE') return { type: 'spamscore', from: score, to: EVER }
      return { type: 'spamscore', from: -EVER, to: score - 1 }
    }
    case 'DELIVEREDTO':
      return { type: 'header', name: 'x-delivered-to', value: text(state) }
    case 'XLISTID': {
      const value = text(state)
      const keys = ['list-id', 'mailing-list'].map((name): SearchKey => ({ type: 'header', name, value }))
      return { type: 'or', keys }
    }
    case 'ANNOTATION': {
      args.space()
      const entry = args.listMailbox().toString('latin1').toLowerCase()
      args.space()
      const attribute = args.astring().toString('latin1').toLowerCase()
      if (!/^value(?:\.priv|\.shared)?$/.test(attribute)) args.fail('Invalid Search criteria')
      args.space()
      return { type: 'annotation', entry, attribute, value: nstring(args) }
    }
    case 'FUZZY':
      // texts are compared without case and accents anyway (RFC 6203 §3: how fuzzy is ours to say)
      args.space()
      return key(state, depth + 1)
    case 'MODSEQ':
      args.space()
      if (args.peek() === '"') entryName(args)
      state.usesModseq = true
      return { type: 'modseq', from: args.modseq('Invalid modseq in Search command') }
    case 'BEFORE':
    case 'ON':
    case 'SINCE':
      return dateKey('internaldate', word, day(state))
    case 'SENTBEFORE':
    case 'SENTON':
    case 'SENTSINCE':
      return dateKey('sentdate', word.slice(4), day(state))
    default:
      return args.fail(`Invalid Search criteria`, word ? `${word.slice(0, 40)} at column ${start + 1} is none` : '')
  }
}

/** `"/flags/\\draft" all `: whose change of what; as in Cyrus there is one mod-sequence for everything. */
function entryName(args: ArgumentReader): void {
  args.astring()
  args.space()
  if (!['ALL', 'PRIV', 'SHARED'].includes(args.keyword())) args.fail('Invalid modseq in Search command')
  args.space()
}

function dateKey(field: 'internaldate' | 'sentdate' | 'savedate', word: string, { start, end }: Day): SearchKey {
  if (word === 'BEFORE') return { type: 'date', field, from: 0, before: start }
  return { type: 'date', field, from: start, before: word === 'ON' ? end : EVER }
}

function day({ args }: State): Day {
  args.space()
  const found = parseDay(args.astring().toString('latin1'))
  return found ?? args.fail('Invalid date in Search command', 'a date is like 1-Feb-1994')
}

function text({ args, charset }: State): string {
  args.space()
  return searchForm(decodeCharset(args.astring(), charset))
}
