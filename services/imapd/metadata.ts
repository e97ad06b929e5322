/** Reading annotations for METADATA (RFC 5464) and LIST's METADATA option, in the order in which Cyrus 3.6 answers. */
import { ListPattern } from '../../lib/imap/list_pattern.js'
import { astring, quotedOrLiteral } from '../../lib/imap/wire_text.js'
import type { Rights } from '../../lib/mailbox/acl.js'
import { mayReadAnnotations } from '../../lib/mailbox/annotation_access.js'
import { type AnnotationEntry, annotationEntries } from '../../lib/mailbox/annotation_entries.js'
import { mailboxValue, serverValue } from '../../lib/mailbox/annotation_values.js'
import type { Annotation, MailboxHeader } from '../../lib/store/store.js'
import { DENIED, No } from './errors.js'
import { patternOf } from './listing.js'
import { mustFind } from './mailboxes.js'
import type { Session } from './session.js'
import { visibleMailboxes } from './visible_mailboxes.js'

/** How deep below an entry (RFC 5464 §4.2.2). */
export type Depth = 0 | 1 | 'infinity'

/** What is asked for. */
export interface MetadataQuery {
  /** `/private/comment`, lower case; `*` and `%` match as in LIST */
  readonly entries: readonly string[]
  readonly depth: Depth
  /** longest value given, bytes */
  readonly maxSize: number
}

/** A mailbox with the rights to it; undefined for the server. */
export type MetadataOf = { readonly header: MailboxHeader; readonly rights: Rights } | undefined

/** A name asked for as what it matches: itself, and what is below it as deep as wanted. */
function matcher(entry: string, depth: Depth): (name: string) => boolean {
  const patterns = [entry, ...(depth === 0 ? [] : [`${entry}/${depth === 1 ? '%' : '*'}`])].map(
    (text) => new ListPattern(text, '/'),
  )
  return (name) => patterns.some((pattern) => pattern.matches(name))
}

/** What an answer holds. */
export interface Metadata {
  /** names with `/private` or `/shared` and their values, null for NIL */
  readonly values: ReadonlyMap<string, Buffer | null>
  /** size of the longest value that was longer than asked for; 0 if none was */
  readonly longest: number
}

/** Reads what is asked for. @returns undefined if this user may not read annotations there */
export function readMetadata(session: Session, of: MetadataOf, query: MetadataQuery): Metadata | undefined {
  const { store, config } = session.imapd
  const scope = of === undefined ? 'server' : 'mailbox'
  if (!mayReadAnnotations(scope, of?.rights, session.isAdmin)) return undefined
  const matchers = query.entries.map((entry) => matcher(entry, query.depth))
  const isWanted = (name: string): boolean => matchers.some((matches) => matches(name))
  const values = new Map<string, Buffer | null>()
  let longest = 0
  const tell = (name: string, value: Buffer | null): void => {
    if (values.has(name) || !isWanted(name)) return
    if (value !== null && value.length > query.maxSize) longest = Math.max(longest, value.length)
    else values.set(name, value)
  }
  const stored = store.annotations(of?.header.id ?? 0)
  for (const each of stored) {
    const name = shownName(each, session.user!)
    if (name !== undefined) tell(name, each.value)
  }
  const told = new Set([...stored].map((each) => shownName(each, session.user!)))
  for (const entry of annotationEntries(config, scope)) {
    for (const name of [`/private${entry.name}`, `/shared${entry.name}`]) {
      if (told.has(name) || !isWanted(name)) continue
      if (entry.stored) tell(name, null)
      else if (name.startsWith('/shared')) tell(name, computed(session, of, entry))
    }
  }
  for (const entry of query.entries) if (!/[*%]/.test(entry) && !told.has(entry)) tell(entry, null)
  return { values, longest }

  function computed(of_: Session, what: MetadataOf, { name }: AnnotationEntry): Buffer | null {
    const value = what === undefined ? serverValue(of_.imapd.store, name) : mailboxValue(what.header, name)
    return value === undefined ? null : Buffer.from(value, 'latin1')
  }
}

/** `/shared/comment`, `/private/comment`; undefined for another user's private value. */
function shownName({ entry, userid }: Annotation, user: string): string | undefined {
  if (userid === '') return `/shared${entry}`
  return userid === user ? `/private${entry}` : undefined
}

/**
 * What GETMETADATA's and GETANNOTATION's mailbox argument names: the server for '', a mailbox, or as Cyrus takes it those that match a pattern.
 * @param tell given the name as it is told; returns false where the user may not read
 * @throws {No} if the one mailbox does not exist or may not be read
 */
export async function ofEach(
  session: Session,
  mailbox: string,
  tell: (name: string, of: MetadataOf) => boolean,
): Promise<void> {
  const namespace = session.namespace!
  if (mailbox === '') {
    tell('""', undefined)
  } else if (/[*%]/.test(mailbox)) {
    const pattern = new ListPattern(patternOf('', mailbox, namespace.separator), namespace.separator)
    for await (const { header, rights, external } of visibleMailboxes(session, pattern))
      if (pattern.matches(external)) tell(astring(external), { header, rights })
  } else {
    const found = mustFind(session, mailbox, '')
    if (!tell(astring(namespace.toExternal(found.header.name)), found)) throw new No(`[NOPERM] ${DENIED}`)
  }
}

/** `* METADATA name (entry value …)`; nothing if there are no values. */
export function tellMetadata(session: Session, name: string, values: ReadonlyMap<string, Buffer | null>): void {
  if (values.size === 0) return
  const words = [...values].map(([entry, value]) => {
    const text = value === null ? 'NIL' : value.length === 0 ? '""' : quotedOrLiteral(value.toString('latin1'))
    return `${quotedOrLiteral(entry)} ${text}`
  })
  session.reply.untagged(`METADATA ${name} (${words.join(' ')})`)
}
