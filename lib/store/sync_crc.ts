/**
 * The two checksums by which replication peers compare mailboxes: SYNC_CRC over records, SYNC_CRC_ANNOT over message
 * annotations (csync.md §7). Both are XORs of one CRC-32 an item, so they are kept up to date item by item.
 */
import { crc32 as crc32OfBytes } from 'node:zlib'
import { FLAG_NAMES, Flag } from './flags.js'
import { type MessageRecord, NULL_THRID } from './record.js'

/** SYNC_CRC of a mailbox without messages. */
export const EMPTY_CRC_BASIC = 0
/** SYNC_CRC_ANNOT of a mailbox without message annotations. */
export const EMPTY_CRC_ANNOT = 12345678

/** Prefix of the annotations that are fields of a record ("virtual" ones, csync.md §6.5). */
export const VENDOR = '/vendor/cmu/cyrus-imapd/'

/** A message annotation as replication tells it. */
export interface Annotation {
  /** internal name: `/comment`, `/vendor/cmu/cyrus-imapd/expire` */
  entry: string
  /** '' for the shared value, else the user whose private value it is */
  userid: string
  /** 0 for annotations of mailboxes */
  modseq: number
  value: Buffer
}

/** What each byte does to a CRC-32 (polynomial 0xEDB88320). */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** CRC-32 as zlib's: texts here are short, and a call into zlib takes longer than their characters do. */
function crc32(data: string | Buffer, seed = 0): number {
  if (typeof data !== 'string') return crc32OfBytes(data, seed)
  let crc = ~seed
  for (let at = 0; at < data.length; at++) {
    const code = data.charCodeAt(at)
    if (code > 127) return crc32OfBytes(data, seed)
    crc = CRC_TABLE[(crc ^ code) & 255]! ^ (crc >>> 8)
  }
  return ~crc >>> 0
}

const flagCrcs = new Map<string, number>()

/** CRC-32 of a flag's name in lower case; remembered, since mailboxes repeat the same few. */
function flagCrc(name: string): number {
  let crc = flagCrcs.get(name)
  if (crc === undefined) {
    crc = crc32(name.toLowerCase())
    if (flagCrcs.size < 4096) flagCrcs.set(name, crc)
  }
  return crc
}

const SYSTEM_FLAG_CRCS = FLAG_NAMES.filter(([, bit]) => bit !== Flag.Expunged).map(
  ([name, bit]) => [bit, flagCrc(name)] as const,
)

/** What SYNC_CRC looks at. */
type CrcFields = Pick<MessageRecord, 'uid' | 'modseq' | 'lastUpdated' | 'internaldate' | 'guid' | 'flags' | 'userFlags'>

/**
 * A record's share of SYNC_CRC; 0 for expunged ones.
 * @param names the mailbox's keywords by number
 */
export function basicCrc(record: CrcFields, names: readonly (string | null)[]): number {
  if (record.flags & Flag.Expunged) return 0
  let flags = 0
  for (const [bit, crc] of SYSTEM_FLAG_CRCS) if (record.flags & bit) flags ^= crc
  for (let word = 0; word < 4; word++) {
    for (let bits = record.userFlags[word]!; bits !== 0; bits &= bits - 1) {
      const name = names[word * 32 + 31 - Math.clz32(bits & -bits)]
      if (name != null) flags ^= flagCrc(name)
    }
  }
  return crc32(
    `${record.uid} ${record.modseq} ${record.lastUpdated} (${flags >>> 0}) ${record.internaldate} ${record.guid}`,
  )
}

/** Whether two states of a record have the same share of SYNC_CRC_ANNOT, as long as no stored annotation changes. */
export function haveSameAnnotations(a: MessageRecord, b: MessageRecord): boolean {
  return (
    ((a.flags ^ b.flags) & Flag.Expunged) === 0 &&
    a.thrid === b.thrid &&
    a.savedate === b.savedate &&
    a.createdModseq === b.createdModseq
  )
}

/** A record's share of SYNC_CRC_ANNOT: its stored annotations and those that are fields; 0 for expunged ones. */
export function annotationCrc(record: MessageRecord, annotations: readonly Annotation[]): number {
  if (record.flags & Flag.Expunged) return 0
  const one = (entry: string, userid: string, value: Buffer | string): number =>
    crc32(value, crc32(`${record.uid} ${entry} ${userid} `))
  let crc = 0
  for (const { entry, userid, value } of annotations) if (value.length > 0) crc ^= one(entry, userid, value)
  if (record.thrid !== NULL_THRID) crc ^= one(`${VENDOR}thrid`, '', record.thrid.replace(/^0+/, ''))
  if (record.savedate !== 0) crc ^= one(`${VENDOR}savedate`, '', String(record.savedate))
  if (record.createdModseq !== 0) crc ^= one(`${VENDOR}createdmodseq`, '', String(record.createdModseq))
  return crc >>> 0
}
