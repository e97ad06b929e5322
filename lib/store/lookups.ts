/** Reading ranges of tables, the same inside a transaction and outside: mailboxes and tombstones below a name, annotations. */
import type { AnnotationValue, Tables, Tombstone } from './database.js'
import { nameKey, nameOfKey, uidKey } from './keys.js'
import { At, RECORD_SIZE } from './record.js'
import type { Annotation } from './sync_crc.js'

/** Ids of the live mailboxes at and below an internal name, in list order; all for ''. */
export function* mailboxIds(tables: Tables, prefix: string): Iterable<number> {
  if (prefix !== '') {
    const own = tables.names.get(nameKey(prefix))
    if (own !== undefined && 'id' in own) yield own.id
  }
  const start = prefix === '' ? '' : `${nameKey(prefix)}\x01`
  const end = prefix === '' ? '\uffff' : `${nameKey(prefix)}\x02`
  for (const { value } of [...tables.names.getRange({ start, end })]) if ('id' in value) yield value.id
}

/** Some mailboxes of a list, and where to go on. */
export interface MailboxPage {
  readonly found: readonly { readonly name: string; readonly id: number }[]
  /** to be given as `from` for the next page; undefined at the end */
  readonly next: string | undefined
}

/**
 * Some live mailboxes in list order, for lists of any length to be read piece by piece.
 * @param from '' at first, then the page's `next`
 * @param prefix internal name at and below which to look, or a domain with its `!`; '' for all
 * @param identifier only those whose ACL lets it look them up
 */
export function pageOfMailboxes(
  { names, granted }: Tables,
  limit: number,
  from: string,
  prefix: string,
  identifier?: string,
): MailboxPage {
  const low = nameKey(prefix)
  const start = from === '' ? low : from
  const whole = prefix === '' || prefix.endsWith('!')
  const end = whole ? `${low}\uffff` : `${low}\x02`
  const found: { name: string; id: number }[] = []
  let next: string | undefined
  let count = 0
  const add = (key: string, id: number | undefined): void => {
    if (count++ === limit) next = key
    // the name itself, and what is below it: `a`, `a\x01…`, but not `a\0…`
    else if (id !== undefined && (whole || key === low || key.startsWith(`${low}\x01`)))
      found.push({ name: nameOfKey(key), id })
  }
  const range = { limit: limit + 1 }
  if (identifier === undefined) {
    for (const { key, value } of names.getRange({ ...range, start, end }))
      add(key, 'id' in value ? value.id : undefined)
  } else {
    for (const { key, value } of granted.getRange({ ...range, start: [identifier, start], end: [identifier, end] }))
      add(key[1], value)
  }
  return { found, next }
}

/** Names below a prefix that are only remembered as deleted. */
export function* tombstones(tables: Tables, prefix: string): Iterable<[name: string, tombstone: Tombstone]> {
  const start = prefix === '' ? '' : nameKey(prefix)
  const end = prefix === '' ? '\uffff' : `${nameKey(prefix)}\x02`
  for (const { key, value } of tables.names.getRange({ start, end })) {
    if ('tombstone' in value) yield [nameOfKey(key), value.tombstone]
  }
}

/** Flags of a message's record; undefined if there is none. */
export function flagsOf({ blocks }: Tables, id: number, uid: number): number | undefined {
  const nearest = { start: uidKey(id, uid), end: uidKey(id, 0), reverse: true, limit: 1 }
  for (const { value } of blocks.getRange(nearest)) {
    for (let at = 0; at < value.length; at += RECORD_SIZE)
      if (value.readUInt32LE(at + At.uid) === uid) return value.readInt32LE(at + At.flags)
  }
  return undefined
}

export function readAnnotations(tables: Tables, id: number): Annotation[] {
  const found: Annotation[] = []
  for (const { key, value } of tables.annotations.getRange({ start: [id, '', ''], end: [id + 1, '', ''] })) {
    found.push(annotation(key[1], key[2], value))
  }
  return found
}

/** Annotations of all messages of a mailbox, by UID. */
export function* readAllMessageAnnotations(tables: Tables, id: number): Iterable<[uid: number, Annotation]> {
  const range = { start: [id, 0, '', ''], end: [id + 1, 0, '', ''] } satisfies { start: unknown[]; end: unknown[] }
  for (const { key, value } of tables.messageAnnotations.getRange(range as object))
    yield [key[1], annotation(key[2], key[3], value)]
}

export function readMessageAnnotations(tables: Tables, id: number, uid: number): Annotation[] {
  const found: Annotation[] = []
  for (const { key, value } of tables.messageAnnotations.getRange({
    start: [id, uid, '', ''],
    end: [id, uid + 1, '', ''],
  })) {
    found.push(annotation(key[2], key[3], value))
  }
  return found
}

function annotation(entry: string, userid: string, { value, modseq }: AnnotationValue): Annotation {
  return { entry, userid, modseq, value: Buffer.from(value) }
}
