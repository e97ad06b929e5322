/** Message annotations (RFC 5257) in FETCH, STORE, APPEND and SEARCH: who may, and how they are told. */
import {
  type AnnotationAttribute,
  type AnnotationRequest,
  type AnnotationSetting,
  matchesEntry,
} from '../../lib/imap/annotation_arguments.js'
import type { Rights } from '../../lib/mailbox/acl.js'
import { mayStoreAnnotation } from '../../lib/mailbox/annotation_access.js'
import { annotationEntries, canonicalValue, settableEntry } from '../../lib/mailbox/annotation_entries.js'
import { type AnnotationChange, annotationValue } from '../../lib/mailbox/annotations.js'
import { type Annotation, VENDOR } from '../../lib/store/store.js'
import { DENIED, No } from './errors.js'
import type { Selected } from './selected.js'
import type { Session } from './session.js'

const LONGEST_QUOTED = 1024

/** A value as a string: quoted, or a literal; text, as it will be sent in UTF-8. */
export function annotationString(value: Buffer | undefined): string {
  if (value === undefined) return 'NIL'
  const text = value.toString('utf8')
  if (text.length < LONGEST_QUOTED && !/[\0\r\n"%\\\u0080-\uffff]/.test(text)) return `"${text}"`
  return `{${Buffer.byteLength(text)}}\r\n${text}`
}

/** What is there and what is one's own, but not the fields of a record that replication tells as annotations. */
function visible(annotations: readonly Annotation[], userid: string): Annotation[] {
  return annotations.filter((each) => each.userid === '' || each.userid === userid)
}

/** `ANNOTATION (/comment (value.shared "x" …) …)` of one message, for FETCH. */
export function annotationItem(session: Session, selected: Selected, row: number, request: AnnotationRequest): string {
  const { store, config } = session.imapd
  const { index } = selected
  const user = session.user!
  const stored =
    index.header.annotated === 0 ? [] : visible(store.messageAnnotations(index.header.id, index.uid(row)), user)
  const told = new Set<string>()
  const names: string[] = []
  const add = (name: string): void => {
    if (told.has(name)) return
    told.add(name)
    names.push(name)
  }
  for (const pattern of request.entries) {
    if (!/[*%]/.test(pattern)) {
      add(pattern)
      continue
    }
    for (const { entry } of stored) if (matchesEntry(pattern, entry)) add(entry)
    for (const { name } of annotationEntries(config, 'message')) if (matchesEntry(pattern, name)) add(name)
  }
  const items = names.map((name) => `${name} (${attributesOf(stored, name, user, request.attributes).join(' ')})`)
  return `ANNOTATION (${items.join(' ')})`
}

function attributesOf(
  stored: readonly Annotation[],
  name: string,
  user: string,
  attributes: readonly AnnotationAttribute[],
): string[] {
  const shared = annotationValue(stored, name, '')
  const own = annotationValue(stored, name, user)
  // what is there comes first, as in Cyrus
  const [first, second] = shared === undefined && own !== undefined ? ['priv', 'shared'] : ['shared', 'priv']
  const none = shared === undefined && own === undefined
  const order = none ? ['priv', 'shared'] : [first, second]
  return order.flatMap((kind) => {
    const value = kind === 'shared' ? shared : own
    return attributes
      .filter((attribute) => attribute.endsWith(`.${kind}`))
      .map((attribute) =>
        attribute.startsWith('value')
          ? `${attribute} ${annotationString(value)}`
          : `${attribute} "${value?.length ?? 0}"`,
      )
  })
}

/**
 * What a client wants to be set, as it is kept.
 * @throws {No} if it may not; {AnnotationValueError}
 */
export function annotationChanges(
  session: Session,
  rights: Rights,
  settings: readonly AnnotationSetting[],
): AnnotationChange[] {
  return settings.map(({ entry: name, shared, value, forbidden }) => {
    // what replication tells as annotations are fields of the record
    const entry =
      forbidden || name.startsWith(VENDOR) ? undefined : settableEntry(session.imapd.config, 'message', name)
    if (entry === undefined || !mayStoreAnnotation('message', entry, shared, rights, session.isAdmin))
      throw new No(`[NOPERM] ${DENIED}`)
    const kept = value === undefined || value.length === 0 ? undefined : canonicalValue(entry, value)
    return { entry: entry.name, userid: shared ? '' : session.user!, value: kept }
  })
}

/**
 * Whether a message has an annotation that holds a text (RFC 5257 §4.4), compared byte by byte; with an empty text, whether it lacks one (as Cyrus).
 * @param attribute `value` for both, `value.shared`, `value.priv`
 */
export function hasAnnotation(
  selected: Selected,
  row: number,
  pattern: string,
  attribute: string,
  wanted: Buffer | undefined,
): boolean {
  const { index, store, userid } = selected
  const stored =
    index.header.annotated === 0
      ? []
      : visible(store.messageAnnotations(index.header.id, index.uid(row)), userid).filter(
          (each) =>
            matchesEntry(pattern, each.entry) &&
            (attribute === 'value' || (attribute === 'value.shared') === (each.userid === '')),
        )
  if (wanted === undefined || wanted.length === 0) {
    const lacks = (isShared: boolean) => !stored.some(({ userid: who }) => (who === '') === isShared)
    return attribute === 'value' ? lacks(true) || lacks(false) : stored.length === 0
  }
  return stored.some(({ value }) => value.includes(wanted))
}
