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
