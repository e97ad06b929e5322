/**
 * Which annotations there are: the entries that Cyrus 3.6 knows of servers, mailboxes and messages (RFC 5464 §6, RFC 5257 §7), those an
 * administrator adds with `annotation_definitions`, and what values each takes. Pure but for reading that file.
 */
import { readFileSync } from 'node:fs'
import type { Config } from '../config/config.js'
import { ConfigError } from '../config/config.js'
import { parseDuration } from '../config/values.js'
import { parseDateTime } from '../imap/date_time.js'
import { VENDOR } from '../store/store.js'

/** What an annotation belongs to. */
export type AnnotationScope = 'server' | 'mailbox' | 'message'

/** What an entry's values may be. */
export type AnnotationType = 'string' | 'boolean' | 'uint' | 'int' | 'duration' | 'date' | 'specialuse'

/** One known entry. */
export interface AnnotationEntry {
  /** lower case, without `/shared` or `/private`: `/comment` */
  readonly name: string
  readonly type: AnnotationType
  /** which of its values may be set */
  readonly shared: boolean
  readonly private: boolean
  /** rights wanted for the shared value beside `l`, `r` and `w` */
  readonly rights: string
  /** kept in the annotation table; others are computed, or are fields of the mailbox */
  readonly stored: boolean
  /** cannot be set by anybody */
  readonly readOnly: boolean
}

/** A value that the entry's type does not take. */
export class AnnotationValueError extends Error {
  override name = 'AnnotationValueError'
}

const entry = (name: string, more: Partial<AnnotationEntry> = {}): AnnotationEntry => ({
  name,
  type: 'string',
  shared: true,
  private: true,
  rights: '',
  stored: true,
  readOnly: false,
  ...more,
})
const vendor = (name: string, more: Partial<AnnotationEntry> = {}): AnnotationEntry =>
  entry(VENDOR + name, { private: false, ...more })
const computed = (name: string): AnnotationEntry => vendor(name, { stored: false, readOnly: true })
const field = (name: string, type: AnnotationType): AnnotationEntry => vendor(name, { type, stored: false })
const admin = (name: string, type: AnnotationType = 'string'): AnnotationEntry => vendor(name, { type, rights: 'a' })

/** In the order in which Cyrus answers for them. */
const KNOWN: Readonly<Record<AnnotationScope, readonly AnnotationEntry[]>> = {
  server: [
    admin('squat', 'boolean'),
    vendor('shutdown', { stored: false, rights: 'a' }),
    computed('freespace/percent/most'),
    computed('freespace/total'),
    computed('freespace'),
    admin('expire', 'duration'),
    entry('/motd', { private: false, stored: false }),
    entry('/comment', { rights: 'a' }),
    entry('/admin', { private: false, rights: 'a' }),
  ],
  mailbox: [
    computed('uniqueid'),
    computed('synccrcs'),
    admin('squat', 'boolean'),
    vendor('sortorder', { type: 'uint', shared: false, private: true }),
    computed('size'),
    admin('sieve'),
    field('sharedseen', 'boolean'),
    vendor('search-fuzzy-always', { type: 'boolean' }),
    field('pop3showafter', 'date'),
    field('pop3newuidl', 'boolean'),
    computed('partition'),
    admin('news2mail'),
    computed('lastupdate'),
    computed('foldermodseq'),
    computed('hasalarms'),
    computed('lastpop'),
    admin('expire', 'duration'),
    field('duplicatedeliver', 'boolean'),
    admin('delete', 'duration'),
    admin('archive', 'duration'),
    computed('annotsize'),
    entry('/thread'),
    entry('/specialuse', { type: 'specialuse', shared: false }),
    entry('/sort'),
    entry('/comment'),
    entry('/checkperiod', { type: 'uint' }),
    entry('/check', { type: 'boolean' }),
  ],
  message: [entry('/altsubject'), entry('/comment')],
}

interface Definitions {
  readonly entries: Readonly<Record<AnnotationScope, readonly AnnotationEntry[]>>
}

const definitions = new WeakMap<Config, Definitions>()

/**
 * All entries that can be asked for.
 * @throws {ConfigError} when `annotation_definitions` names a file that cannot be read, or a line of it is wrong
 */
export function annotationEntries(config: Config, scope: AnnotationScope): readonly AnnotationEntry[] {
  let known = definitions.get(config)
  if (known === undefined) {
    const own = readDefinitions(config)
    known = {
      entries: {
        server: [...own.server, ...KNOWN.server],
        mailbox: [...own.mailbox, ...KNOWN.mailbox],
        message: [...KNOWN.message, ...own.message],
      },
    }
    definitions.set(config, known)
  }
  return known.entries[scope]
}

/**
 * The entry that a name to be set means.
 * @returns undefined if it may not be set: not known (unless `annotation_allow_undefined`), or read-only
 */
export function settableEntry(config: Config, scope: AnnotationScope, name: string): AnnotationEntry | undefined {
  const known = annotationEntries(config, scope).find((each) => each.name === name)
  if (known !== undefined) return known.readOnly ? undefined : known
  if (!config.switch('annotation_allow_undefined') || name.startsWith(VENDOR)) return undefined
  return (scope === 'message' && name.startsWith('/flags/')) || !isEntryName(name) ? undefined : entry(name)
}

/** RFC 5464 §4.3, RFC 5257 §3.1: no wildcards, no empty part, no `/` at the end, printable ASCII. */
function isEntryName(name: string): boolean {
  return /^(?:\/[^/*%\x00-\x1f\x7f-\xff]+)+$/.test(name)
}

/**
 * A value as it is kept.
 * @returns the value in its canonical spelling
 * @throws {AnnotationValueError}
 */
export function canonicalValue({ type }: AnnotationEntry, value: Buffer): Buffer {
  const text = value.toString('latin1')
  const must = (good: boolean): void => {
    if (!good) throw new AnnotationValueError('Invalid annotation value')
  }
  switch (type) {
    case 'boolean':
      must(/^(?:true|false)$/i.test(text))
      return Buffer.from(text.toLowerCase())
    case 'uint':
      must(/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n)
      return value
    case 'int':
      must(/^[+-]?\d{1,19}$/.test(text))
      return value
    case 'duration':
      must((parseDuration(text, 'd') ?? -1) >= 0)
      return value
    case 'date':
      must(parseDateTime(text) !== undefined)
      return value
    default:
      return value
  }
}

const SCOPES: ReadonlySet<string> = new Set(['server', 'mailbox', 'message'])
const TYPES: Readonly<Record<string, AnnotationType>> = {
  'content-type': 'string',
  string: 'string',
  boolean: 'boolean',
  uint: 'uint',
  int: 'int',
}

/** Lines of `name, scope, type, proxy, attributes, rights` (imapd.conf(5), annotation_definitions). */
function readDefinitions(config: Config): Record<AnnotationScope, AnnotationEntry[]> {
  const found: Record<AnnotationScope, AnnotationEntry[]> = { server: [], mailbox: [], message: [] }
  const path = config.string('annotation_definitions')
  if (path === undefined) return found
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw config.error('annotation_definitions', `annotation_definitions: ${(error as Error).message}`)
  }
  for (const [at, line] of text.split('\n').entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue
    const wrong = (problem: string): never => {
      throw new ConfigError(path, at + 1, problem)
    }
    const words = line.split(',').map((word) => word.trim())
    if (words.length !== 6)
      wrong('an annotation definition has six fields: name, scope, type, proxy, attributes, rights')
    const [rawName, scope, typeName, , attributes, rights] = words as [string, string, string, string, string, string]
    const name = rawName.toLowerCase()
    if (!isEntryName(name)) wrong(`"${rawName}" is no annotation name`)
    if (name.startsWith(VENDOR)) wrong(`${VENDOR}… is the server's own`)
    if (!SCOPES.has(scope)) wrong(`"${scope}" is no scope: server, mailbox or message`)
    if (scope === 'message' && name.startsWith('/flags/')) wrong('/flags/ is reserved (RFC 5257)')
    const type = TYPES[typeName] ?? wrong(`"${typeName}" is no annotation type: string, boolean, uint or int`)
    const attribs = attributes.split(/\s+/)
    const has = (kind: 'shared' | 'priv') => attribs.includes('value') || attribs.includes(`value.${kind}`)
    if (!has('shared') && !has('priv')) wrong('attributes must hold value, value.shared or value.priv')
    found[scope as AnnotationScope].push(
      entry(name, { type, shared: has('shared'), private: has('priv'), rights: rights.replace(/[^a-z]/g, '') }),
    )
  }
  return found
}
