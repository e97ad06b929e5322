/**
 * RECORD and ANNOTATIONS of replication (csync.md §6.4, §6.5): between the wire, a neutral `SyncRecord`, and the store's records, in which
 * some annotations are fields. Pure.
 */
import { type Annotation, FLAG_NAMES, type MessageRecord, NULL_THRID, NULL_UUID, VENDOR } from '../store/store.js'
import { bytesOf, type Dlist, DlistFieldError, DlistMap, field, kvlist, type Side, scalar, textOf } from './dlist.js'

/** One message as replication tells it. Times are unix seconds. */
export interface SyncRecord {
  readonly uid: number
  readonly modseq: number
  readonly lastUpdated: number
  /** system flags with backslash, keywords */
  readonly flags: readonly string[]
  readonly internaldate: number
  readonly size: number
  /** 40 lower-case hex digits */
  readonly guid: string
  /** the virtual ones included */
  readonly annotations: readonly Annotation[]
}

const VIRTUAL = { thrid: `${VENDOR}thrid`, savedate: `${VENDOR}savedate`, createdmodseq: `${VENDOR}createdmodseq` }

/** Whether a record is \Expunged. */
export function isExpunged(record: SyncRecord): boolean {
  return record.flags.includes('\\Expunged')
}

/** @throws {DlistFieldError} */
export function parseRecord(value: Dlist): SyncRecord {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('RECORD holds something that is no record')
  return {
    uid: field.number32(value, 'UID'),
    modseq: field.number(value, 'MODSEQ'),
    lastUpdated: field.number(value, 'LAST_UPDATED'),
    flags: field
      .list(value, 'FLAGS')
      .flatMap((flag) => (typeof flag === 'string' && flag !== '' ? [textOf(flag)] : [])),
    internaldate: field.number(value, 'INTERNALDATE'),
    size: field.number32(value, 'SIZE'),
    guid: field.guid(value, 'GUID'),
    annotations: parseAnnotations(value.get('ANNOTATIONS')),
  }
}

/** A list of annotations; a missing one is empty. @throws {DlistFieldError} */
export function parseAnnotations(value: Dlist | undefined): Annotation[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new DlistFieldError('ANNOTATIONS is no list')
  return (value as readonly Dlist[]).map((item) => {
    if (!(item instanceof DlistMap)) throw new DlistFieldError('ANNOTATIONS holds something that is no annotation')
    return {
      entry: field.string(item, 'ENTRY'),
      userid: field.string(item, 'USERID'),
      modseq: field.number(item, 'MODSEQ'),
      value: field.bytes(item, 'VALUE'),
    }
  })
}

/** By entry, then user, as Cyrus writes them. */
export function sortAnnotations(annotations: readonly Annotation[]): Annotation[] {
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  return [...annotations].sort((a, b) => order(a.entry, b.entry) || order(a.userid, b.userid))
}

function writeAnnotations(annotations: readonly Annotation[], side: Side): string | undefined {
  if (annotations.length === 0) return undefined
  const items = annotations.map(({ entry, userid, modseq, value }) =>
    kvlist([
      ['ENTRY', scalar(bytesOf(entry), side)],
      ['USERID', scalar(bytesOf(userid), side)],
      ['MODSEQ', modseq],
      ['VALUE', scalar(value.toString('latin1'), side)],
    ]),
  )
  return `(${items.join(' ')})`
}

/** `(%(ENTRY …) …)` of a mailbox, sorted; undefined if there are none. */
export function writeMailboxAnnotations(annotations: readonly Annotation[], side: Side): string | undefined {
  return writeAnnotations(sortAnnotations(annotations.filter(({ value }) => value.length > 0)), side)
}

/** `%(UID …)`. */
export function writeRecord(record: SyncRecord, side: Side): string {
  const annotations = writeAnnotations(record.annotations, side)
  return `%(UID ${record.uid} MODSEQ ${record.modseq} LAST_UPDATED ${record.lastUpdated} FLAGS (${bytesOf(record.flags.join(' '))}) INTERNALDATE ${record.internaldate} SIZE ${record.size} GUID ${record.guid}${annotations === undefined ? '' : ` ANNOTATIONS ${annotations}`})`
}

/**
 * A stored record as replication tells it.
 * @param keywords the mailbox's, by number
 * @param annotations the message's stored ones
 */
export function fromStore(
  record: MessageRecord,
  keywords: readonly (string | null)[],
  annotations: readonly Annotation[],
): SyncRecord {
  const flags: string[] = []
  for (const [name, bit] of FLAG_NAMES) if (record.flags & bit) flags.push(name)
  for (let word = 0; word < 4; word++) {
    for (let bits = record.userFlags[word]!; bits !== 0; bits &= bits - 1) {
      const name = keywords[word * 32 + 31 - Math.clz32(bits & -bits)]
      if (name != null) flags.push(name)
    }
  }
  const virtual = (entry: string, value: string): Annotation => ({
    entry,
    userid: '',
    modseq: 0,
    value: Buffer.from(value),
  })
  const all = annotations.length === 0 ? [] : sortAnnotations(annotations.filter(({ value }) => value.length > 0))
  if (record.thrid !== NULL_THRID) all.push(virtual(VIRTUAL.thrid, record.thrid))
  if (record.savedate !== 0) all.push(virtual(VIRTUAL.savedate, String(record.savedate)))
  if (record.createdModseq !== 0) all.push(virtual(VIRTUAL.createdmodseq, String(record.createdModseq)))
  const { uid, modseq, lastUpdated, internaldate, size, guid } = record
  return { uid, modseq, lastUpdated, flags, internaldate, size, guid, annotations: all }
}

/** What the store takes of a peer's record; keywords are still names. */
export interface StoreParts {
  readonly fields: Pick<
    MessageRecord,
    | 'uid'
    | 'modseq'
    | 'lastUpdated'
    | 'internaldate'
    | 'size'
    | 'guid'
    | 'flags'
    | 'thrid'
    | 'savedate'
    | 'createdModseq'
    | 'uuid'
  >
  readonly keywords: readonly string[]
  /** those that are stored as annotations */
  readonly annotations: readonly Annotation[]
  /** system flags that we do not know, for the log */
  readonly unknownFlags: readonly string[]
}

const FLAG_BITS = new Map<string, number>(FLAG_NAMES.map(([name, bit]) => [name.toLowerCase(), bit]))

/** Splits a peer's record into fields, keywords and stored annotations. @throws {DlistFieldError} on a virtual annotation that is no number */
export function toStore(record: SyncRecord): StoreParts {
  let flags = 0
  const keywords: string[] = []
  const unknownFlags: string[] = []
  for (const flag of record.flags) {
    if (!flag.startsWith('\\')) {
      keywords.push(flag)
      continue
    }
    const bit = FLAG_BITS.get(flag.toLowerCase())
    if (bit === undefined) unknownFlags.push(flag)
    else flags |= bit
  }
  let thrid = NULL_THRID
  let savedate = 0
  let createdModseq = 0
  const annotations: Annotation[] = []
  const number = (annotation: Annotation): number => {
    const text = annotation.value.toString('latin1')
    if (!/^\d{1,16}$/.test(text)) throw new DlistFieldError(`${annotation.entry} is no number`)
    return Number(text)
  }
  for (const annotation of record.annotations) {
    const { entry, userid, value } = annotation
    if (userid === '' && entry === VIRTUAL.savedate) savedate = number(annotation)
    else if (userid === '' && entry === VIRTUAL.createdmodseq) createdModseq = number(annotation)
    else if (userid === '' && entry === VIRTUAL.thrid) {
      const text = value.toString('latin1')
      if (!/^[0-9a-fA-F]{1,16}$/.test(text)) throw new DlistFieldError('thrid is no hexadecimal number')
      thrid = text.toLowerCase().padStart(16, '0')
    } else annotations.push(annotation)
  }
  const { uid, modseq, lastUpdated, internaldate, size, guid } = record
  return {
    fields: {
      uid,
      modseq,
      lastUpdated,
      internaldate,
      size,
      guid,
      flags,
      thrid,
      savedate,
      createdModseq,
      uuid: NULL_UUID,
    },
    keywords,
    annotations,
    unknownFlags,
  }
}
