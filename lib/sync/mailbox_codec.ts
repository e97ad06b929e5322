/**
 * MAILBOX of replication (csync.md §6.1): the state of a mailbox as both peers tell it, read and written. Pure.
 */
import type { Annotation, MailboxHeader } from '../store/store.js'
import { bytesOf, type Dlist, DlistFieldError, DlistMap, field, type Side, scalar } from './dlist.js'
import { parseAnnotations, parseRecord, type SyncRecord, writeMailboxAnnotations, writeRecord } from './record_codec.js'

/** A mailbox without its messages. Optional fields may be missing from older peers. */
export interface MailboxState {
  readonly uniqueid: string
  /** internal name */
  readonly name: string
  /** '' ordinary mail; letters as csync.md §6.2, without `e` */
  readonly mbtype: string
  /** 0 or undefined: not known */
  readonly crc?: number
  readonly crcAnnot?: number
  readonly lastUid: number
  readonly highestModseq: number
  readonly recentUid: number
  readonly recentTime: number
  readonly lastAppendDate: number
  readonly pop3LastLogin: number
  readonly pop3ShowAfter?: number
  readonly xconvModseq?: number
  readonly raclModseq?: number
  readonly uidvalidity: number
  readonly partition: string | null
  readonly acl: string
  /** letters */
  readonly options: string
  readonly quotaRoot?: string
  readonly createdModseq?: number
  readonly folderModseq?: number
  readonly annotations: readonly Annotation[]
}

/** What an APPLY MAILBOX is based on: the replica's state as the client last saw it. */
export interface Since {
  readonly modseq: number
  readonly crc: number
  readonly crcAnnot: number
}

/** APPLY MAILBOX, or the answer to GET FULLMAILBOX. */
export interface MailboxUpdate {
  readonly state: MailboxState
  readonly since: Since | undefined
  readonly records: readonly SyncRecord[]
}

/** A type as the store has it, of MBOXTYPE: `e` is what no letter means. */
export const typeOf = (letters: string): string => letters.replace(/^e/, '')

/** Whether a type is that of a name without a mailbox: an intermediate one, or a tombstone. */
export function isListEntryOnly(mbtype: string): boolean {
  return /[id]/.test(mbtype)
}

/**
 * @throws {DlistFieldError} if a required key is missing
 * @param from 'client' for APPLY MAILBOX, whose LAST_APPENDDATE is required, and whose list-only types may be short (csync.md §6.1)
 */
export function parseState(value: Dlist, from: Side): MailboxState {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('MAILBOX is no list of keys')
  const mbtype = typeOf(field.optionalString(value, 'MBOXTYPE') ?? '')
  const short = isListEntryOnly(mbtype)
  const number = (key: string): number => (short ? (field.optionalNumber(value, key) ?? 0) : field.number(value, key))
  const partition = value.get('PARTITION')
  if (partition === undefined && !short) throw new DlistFieldError('PARTITION is missing')
  return {
    uniqueid: field.string(value, 'UNIQUEID'),
    name: field.string(value, 'MBOXNAME'),
    mbtype,
    crc: field.optionalNumber32(value, 'SYNC_CRC'),
    crcAnnot: field.optionalNumber32(value, 'SYNC_CRC_ANNOT'),
    lastUid: number('LAST_UID'),
    highestModseq: number('HIGHESTMODSEQ'),
    recentUid: number('RECENTUID'),
    recentTime: number('RECENTTIME'),
    lastAppendDate:
      from === 'server' ? (field.optionalNumber(value, 'LAST_APPENDDATE') ?? 0) : number('LAST_APPENDDATE'),
    pop3LastLogin: number('POP3_LAST_LOGIN'),
    pop3ShowAfter: field.optionalNumber(value, 'POP3_SHOW_AFTER'),
    xconvModseq: field.optionalNumber(value, 'XCONVMODSEQ'),
    raclModseq: field.optionalNumber(value, 'RACLMODSEQ'),
    uidvalidity: number('UIDVALIDITY'),
    partition: partition === null || partition === undefined ? null : field.string(value, 'PARTITION'),
    acl: short ? (field.optionalString(value, 'ACL') ?? '') : field.string(value, 'ACL'),
    options: short ? (field.optionalString(value, 'OPTIONS') ?? '') : field.string(value, 'OPTIONS'),
    quotaRoot: field.optionalString(value, 'QUOTAROOT'),
    createdModseq: field.optionalNumber(value, 'CREATEDMODSEQ'),
    folderModseq: field.optionalNumber(value, 'FOLDERMODSEQ'),
    annotations: parseAnnotations(value.get('ANNOTATIONS')),
  }
}

/** SINCE_* of an APPLY MAILBOX; undefined unless SINCE_MODSEQ is there and not 0. */
export function parseSince(value: DlistMap): Since | undefined {
  const modseq = field.optionalNumber(value, 'SINCE_MODSEQ')
  if (!modseq) return undefined
  return {
    modseq,
    crc: field.optionalNumber32(value, 'SINCE_CRC') ?? 0,
    crcAnnot: field.optionalNumber32(value, 'SINCE_CRC_ANNOT') ?? 0,
  }
}

/** RECORD; undefined if it is missing. @throws {DlistFieldError} on a record that is none */
export function parseRecords(value: DlistMap): SyncRecord[] | undefined {
  const records = value.get('RECORD')
  return Array.isArray(records) ? (records as readonly Dlist[]).map(parseRecord) : undefined
}

/**
 * The state of a stored mailbox.
 * @param annotations the mailbox's own
 * @param quotaRoot the root it belongs to
 */
export function stateOf(
  header: MailboxHeader,
  annotations: readonly Annotation[],
  quotaRoot: string | undefined,
): MailboxState {
  if (header.mbtype.includes('i')) {
    return {
      ...NOTHING,
      uniqueid: header.uniqueid,
      name: header.name,
      mbtype: header.mbtype,
      createdModseq: header.createdModseq,
      folderModseq: header.folderModseq,
    }
  }
  const { uniqueid, name, mbtype, lastUid, highestModseq, recentUid, recentTime, lastAppendDate } = header
  const { pop3LastLogin, pop3ShowAfter, uidvalidity, partition, acl, options, createdModseq, folderModseq } = header
  return {
    uniqueid,
    name,
    mbtype,
    crc: header.crcBasic,
    crcAnnot: header.crcAnnot,
    lastUid,
    highestModseq,
    recentUid,
    recentTime,
    lastAppendDate,
    pop3LastLogin,
    pop3ShowAfter,
    xconvModseq: header.xconvModseq,
    raclModseq: header.raclModseq,
    uidvalidity,
    partition,
    acl,
    options,
    quotaRoot,
    createdModseq,
    folderModseq,
    annotations,
  }
}

const NOTHING = {
  crc: 0,
  lastUid: 0,
  highestModseq: 0,
  recentUid: 0,
  recentTime: 0,
  lastAppendDate: 0,
  pop3LastLogin: 0,
  pop3ShowAfter: 0,
  uidvalidity: 0,
  partition: null,
  acl: '',
  options: '',
  annotations: [],
} as const

/**
 * `%(UNIQUEID … RECORD (…))` in pieces, so that a large mailbox need not be one string.
 * @param records undefined: no RECORD key
 */
export function* writeMailbox(
  state: MailboxState,
  side: Side,
  since?: Since,
  records?: Iterable<SyncRecord>,
): Generator<string> {
  const text = (value: string | null): string => scalar(value === null ? null : bytesOf(value), side)
  const known = (value: number | undefined): number | undefined => value || undefined
  const short = side === 'client' && isListEntryOnly(state.mbtype)
  const pairs: Array<readonly [string, string | number | undefined]> = short
    ? [
        ['UNIQUEID', text(state.uniqueid)],
        ['MBOXNAME', text(state.name)],
        ['MBOXTYPE', wireType(state.mbtype)],
        ['HIGHESTMODSEQ', state.highestModseq],
        ['CREATEDMODSEQ', state.createdModseq],
        ['FOLDERMODSEQ', state.folderModseq],
      ]
    : [
        ['UNIQUEID', text(state.uniqueid)],
        ['MBOXNAME', text(state.name)],
        ['MBOXTYPE', state.mbtype === '' ? undefined : wireType(state.mbtype)],
        ['SYNC_CRC', state.crc],
        ['SYNC_CRC_ANNOT', state.crcAnnot],
        ['LAST_UID', state.lastUid],
        ['HIGHESTMODSEQ', state.highestModseq],
        ['RECENTUID', state.recentUid],
        ['RECENTTIME', state.recentTime],
        ['LAST_APPENDDATE', state.lastAppendDate],
        ['POP3_LAST_LOGIN', state.pop3LastLogin],
        ['POP3_SHOW_AFTER', state.pop3ShowAfter],
        ['XCONVMODSEQ', known(state.xconvModseq)],
        ['RACLMODSEQ', known(state.raclModseq)],
        ['UIDVALIDITY', state.uidvalidity],
        ['PARTITION', text(state.partition)],
        ['ACL', text(state.acl)],
        ['OPTIONS', text(state.options)],
        ['QUOTAROOT', state.quotaRoot === undefined ? undefined : text(state.quotaRoot)],
        ['CREATEDMODSEQ', known(state.createdModseq)],
        ['FOLDERMODSEQ', known(state.folderModseq)],
        ['ANNOTATIONS', writeMailboxAnnotations(state.annotations, side)],
        ...(since === undefined
          ? []
          : ([
              ['SINCE_MODSEQ', since.modseq],
              ['SINCE_CRC', since.crc],
              ['SINCE_CRC_ANNOT', since.crcAnnot],
            ] as const)),
      ]
  const items = pairs.filter(([, written]) => written !== undefined).map(([key, written]) => `${key} ${written}`)
  yield `%(${items.join(' ')}`
  if (records !== undefined && !short) {
    yield ' RECORD ('
    let separator = ''
    for (const record of records) {
      yield separator + writeRecord(record, side)
      separator = ' '
    }
    yield ')'
  }
  yield ')'
}

/** Intermediate mailboxes are told as `ei`; others as their bare letters (csync.md §6.1, §6.2). */
function wireType(mbtype: string): string {
  return isListEntryOnly(mbtype) ? `e${mbtype}` : mbtype
}
