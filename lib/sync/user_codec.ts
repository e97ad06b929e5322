/** QUOTA, SEEN, SUB, ANNOTATION and LSUB of replication (csync.md §4.2 to §4.6, §5.6 to §5.10), read and written. Pure. */
import type { Annotation, QuotaResource, QuotaRoot, SeenEntry } from '../store/store.js'
import { QUOTA_RESOURCES } from '../store/store.js'
import { bytesOf, type Dlist, DlistFieldError, DlistMap, field, kvlist, type Side, scalar } from './dlist.js'

const UNLIMITED = 4294967295

const mapOf = (value: Dlist, what: string): DlistMap => {
  if (!(value instanceof DlistMap)) throw new DlistFieldError(`${what} is no list of keys`)
  return value
}

/** A quota root as told: limits that are missing are unlimited. @throws {DlistFieldError} */
export function parseQuota(value: Dlist): { root: string; quota: QuotaRoot } {
  const map = mapOf(value, 'QUOTA')
  const limits: Partial<Record<QuotaResource, number>> = {}
  const set = (resource: QuotaResource, limit: number | undefined): void => {
    if (limit === undefined) return
    if (limit === UNLIMITED) delete limits[resource]
    else limits[resource] = limit
  }
  set('STORAGE', field.optionalNumber32(map, 'LIMIT'))
  for (const resource of QUOTA_RESOURCES) set(resource, field.optionalNumber32(map, resource))
  // names of RFC 9208, from Cyrus 3.10 on
  set('X-ANNOTATION-STORAGE', field.optionalNumber32(map, 'ANNOTATION-STORAGE'))
  set('X-NUM-FOLDERS', field.optionalNumber32(map, 'MAILBOX'))
  return { root: field.string(map, 'ROOT'), quota: { limits, modseq: field.optionalNumber(map, 'MODSEQ') ?? 0 } }
}

export function writeQuota(root: string, { limits, modseq }: QuotaRoot, side: Side): string {
  return kvlist([
    ['ROOT', scalar(bytesOf(root), side)],
    ['LIMIT', limits.STORAGE ?? UNLIMITED],
    ...QUOTA_RESOURCES.map((resource) => [resource, limits[resource]] as const),
    ['MODSEQ', modseq],
  ])
}

/** Whether two quota roots have the same limits; modseqs do not count. */
export function sameLimits(a: QuotaRoot, b: QuotaRoot): boolean {
  return QUOTA_RESOURCES.every((resource) => a.limits[resource] === b.limits[resource])
}

/** A seen entry as told. `userid` is '' in `* SEEN`, where it is not given. @throws {DlistFieldError} */
export function parseSeen(value: Dlist): { userid: string; uniqueid: string; entry: SeenEntry } {
  const map = mapOf(value, 'SEEN')
  return {
    userid: field.optionalString(map, 'USERID') ?? '',
    uniqueid: field.string(map, 'UNIQUEID'),
    entry: {
      lastRead: field.number(map, 'LASTREAD'),
      lastUid: field.number32(map, 'LASTUID'),
      lastChange: field.number(map, 'LASTCHANGE'),
      seenUids: field.string(map, 'SEENUIDS'),
    },
  }
}

/** @param userid left out if '' */
export function writeSeen(userid: string, uniqueid: string, entry: SeenEntry, side: Side): string {
  return kvlist([
    ['USERID', userid === '' ? undefined : scalar(bytesOf(userid), side)],
    ['UNIQUEID', scalar(bytesOf(uniqueid), side)],
    ['LASTREAD', entry.lastRead],
    ['LASTUID', entry.lastUid],
    ['LASTCHANGE', entry.lastChange],
    ['SEENUIDS', scalar(entry.seenUids, side)],
  ])
}

export function sameSeen(a: SeenEntry, b: SeenEntry): boolean {
  return (
    a.lastRead === b.lastRead && a.lastUid === b.lastUid && a.lastChange === b.lastChange && a.seenUids === b.seenUids
  )
}

/** APPLY SUB, UNSUB. @throws {DlistFieldError} */
export function parseSubscription(value: Dlist): { userid: string; name: string } {
  const map = mapOf(value, 'SUB')
  return { userid: field.string(map, 'USERID'), name: field.string(map, 'MBOXNAME') }
}

export function writeSubscription(userid: string, name: string, side: Side): string {
  return kvlist([
    ['USERID', scalar(bytesOf(userid), side)],
    ['MBOXNAME', scalar(bytesOf(name), side)],
  ])
}

/** An annotation of a mailbox, or with an empty name of the server. */
export interface NamedAnnotation extends Omit<Annotation, 'modseq'> {
  readonly name: string
}

/** @param withValue VALUE is required (ANNOTATION, not UNANNOTATION)  @throws {DlistFieldError} */
export function parseAnnotation(value: Dlist, withValue: boolean): NamedAnnotation {
  const map = mapOf(value, 'ANNOTATION')
  return {
    name: field.string(map, 'MBOXNAME'),
    entry: field.string(map, 'ENTRY'),
    userid: field.string(map, 'USERID'),
    value: withValue ? field.bytes(map, 'VALUE') : Buffer.alloc(0),
  }
}

/** @param withValue whether VALUE is written */
export function writeAnnotation(
  { name, entry, userid, value }: NamedAnnotation,
  withValue: boolean,
  side: Side,
): string {
  return kvlist([
    ['MBOXNAME', scalar(bytesOf(name), side)],
    ['ENTRY', scalar(bytesOf(entry), side)],
    ['USERID', scalar(bytesOf(userid), side)],
    ['VALUE', withValue ? scalar(value.toString('latin1'), side) : undefined],
  ])
}

/** A Sieve script as peers without SIEVE-MAILBOX tell it (csync.md §4.5). */
export interface SieveEntry {
  /** `NAME.script`, or for the active one `NAME.bc` */
  readonly filename: string
  /** unix seconds; 0 with `.bc` */
  readonly lastUpdate: number
  /** SHA-1 of the script; zeros with `.bc`, or where it is not known */
  readonly guid: string
  readonly active: boolean
}

/** @throws {DlistFieldError} */
export function parseSieve(value: Dlist): SieveEntry {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('SIEVE is no list of keys')
  return {
    filename: field.string(value, 'FILENAME'),
    lastUpdate: field.number(value, 'LAST_UPDATE'),
    guid: value.get('GUID') === undefined ? '0'.repeat(40) : field.guid(value, 'GUID'),
    active: (field.optionalNumber(value, 'ISACTIVE') ?? 0) !== 0,
  }
}

export function writeSieve({ filename, lastUpdate, guid, active }: SieveEntry, side: Side): string {
  return kvlist([
    ['FILENAME', scalar(bytesOf(filename), side)],
    ['LAST_UPDATE', lastUpdate],
    ['GUID', guid],
    ['ISACTIVE', active ? 1 : 0],
  ])
}
