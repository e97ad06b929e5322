/**
 * One message's index record: 112 bytes, fixed offsets, little endian. `MessageRecord` is its unpacked form.
 * Scans read single fields by offset and never unpack; see index.ts.
 */
export const RECORD_SIZE = 112

/** Offsets of fields in a packed record; u32 unless said otherwise. */
export const At = {
  uid: 0,
  flags: 4,
  /** u64 as two u32, low first */
  modseq: 8,
  createdModseq: 16,
  internaldate: 24,
  sentdate: 28,
  lastUpdated: 32,
  savedate: 36,
  size: 40,
  headerSize: 44,
  /** 20 bytes */
  guid: 48,
  /** 12 bytes */
  uuid: 68,
  /** 16 bytes, bit n of the mailbox's keyword n */
  userFlags: 80,
  /** 8 bytes, big endian as written in hex */
  thrid: 96,
} as const

/** A message's metadata. Times are unix seconds (0 to 4294967295), sizes bytes. */
export interface MessageRecord {
  uid: number
  modseq: number
  /** modseq of the moment it was added to the mailbox */
  createdModseq: number
  /** when the record last changed */
  lastUpdated: number
  internaldate: number
  /** the Date: header's time, 0 if it has none */
  sentdate: number
  /** when it was added to this mailbox (RFC 8514) */
  savedate: number
  size: number
  headerSize: number
  /** SHA-1 of the bytes, 40 lower-case hex digits */
  guid: string
  /** message UUID in the sense of Cyrus 2.3, 24 hex digits; zeros if none was made */
  uuid: string
  /** conversation id, 16 hex digits; zeros if none */
  thrid: string
  /** bits of Flag */
  flags: number
  /** keywords: bit n of word n/32 is keyword n of the mailbox */
  userFlags: Uint32Array
}

export const NULL_UUID = '0'.repeat(24)
export const NULL_THRID = '0'.repeat(16)
export const NULL_GUID = '0'.repeat(40)

const HIGH = 2 ** 32

/** A u64 field as a number; modseqs stay far below 2^53. */
export function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * HIGH
}

function writeU64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % HIGH, at)
  buffer.writeUInt32LE(Math.floor(value / HIGH), at + 4)
}

const MAX_U32 = 4294967295
const u32 = (value: number): number => (value >= 0 ? Math.min(Math.floor(value), MAX_U32) : 0)

/** Writes a record at an offset of a block. Values out of a field's range are clamped to it. */
export function packRecord(record: MessageRecord, buffer: Buffer, at: number): void {
  buffer.writeUInt32LE(record.uid, at + At.uid)
  buffer.writeUInt32LE(record.flags >>> 0, at + At.flags)
  writeU64(buffer, record.modseq, at + At.modseq)
  writeU64(buffer, record.createdModseq, at + At.createdModseq)
  buffer.writeUInt32LE(u32(record.internaldate), at + At.internaldate)
  buffer.writeUInt32LE(u32(record.sentdate), at + At.sentdate)
  buffer.writeUInt32LE(u32(record.lastUpdated), at + At.lastUpdated)
  buffer.writeUInt32LE(u32(record.savedate), at + At.savedate)
  buffer.writeUInt32LE(u32(record.size), at + At.size)
  buffer.writeUInt32LE(u32(record.headerSize), at + At.headerSize)
  buffer.write(record.guid, at + At.guid, 20, 'hex')
  buffer.write(record.uuid, at + At.uuid, 12, 'hex')
  for (let word = 0; word < 4; word++) buffer.writeUInt32LE(record.userFlags[word]! >>> 0, at + At.userFlags + 4 * word)
  buffer.write(record.thrid, at + At.thrid, 8, 'hex')
  buffer.fill(0, at + 104, at + RECORD_SIZE)
}

/** The fields that a change of flags looks at and changes. One object serves for many records. */
export class FlagFields {
  uid = 0
  modseq = 0
  lastUpdated = 0
  internaldate = 0
  guid = ''
  flags = 0
  readonly userFlags = new Uint32Array(4)

  /** Takes them from a packed record. */
  read(buffer: Buffer, at: number): void {
    this.uid = buffer.readUInt32LE(at + At.uid)
    this.modseq = readU64(buffer, at + At.modseq)
    this.lastUpdated = buffer.readUInt32LE(at + At.lastUpdated)
    this.internaldate = buffer.readUInt32LE(at + At.internaldate)
    this.guid = buffer.toString('hex', at + At.guid, at + At.guid + 20)
    this.flags = buffer.readInt32LE(at + At.flags)
    for (let word = 0; word < 4; word++) this.userFlags[word] = buffer.readUInt32LE(at + At.userFlags + 4 * word)
  }

  /** Puts those that a change of flags changes into it. */
  write(buffer: Buffer, at: number): void {
    writeU64(buffer, this.modseq, at + At.modseq)
    buffer.writeUInt32LE(u32(this.lastUpdated), at + At.lastUpdated)
    buffer.writeUInt32LE(this.flags >>> 0, at + At.flags)
    for (let word = 0; word < 4; word++) buffer.writeUInt32LE(this.userFlags[word]!, at + At.userFlags + 4 * word)
  }
}

/** Whether so many u32 are zero. */
function isNull(buffer: Buffer, at: number, words: number): boolean {
  for (let word = 0; word < words; word++) if (buffer.readUInt32LE(at + 4 * word) !== 0) return false
  return true
}

/** Unpacks the record at an offset of a block; the result shares nothing with the buffer. */
export function unpackRecord(buffer: Buffer, at: number): MessageRecord {
  const userFlags = new Uint32Array(4)
  for (let word = 0; word < 4; word++) userFlags[word] = buffer.readUInt32LE(at + At.userFlags + 4 * word)
  return {
    uid: buffer.readUInt32LE(at + At.uid),
    modseq: readU64(buffer, at + At.modseq),
    createdModseq: readU64(buffer, at + At.createdModseq),
    lastUpdated: buffer.readUInt32LE(at + At.lastUpdated),
    internaldate: buffer.readUInt32LE(at + At.internaldate),
    sentdate: buffer.readUInt32LE(at + At.sentdate),
    savedate: buffer.readUInt32LE(at + At.savedate),
    size: buffer.readUInt32LE(at + At.size),
    headerSize: buffer.readUInt32LE(at + At.headerSize),
    guid: buffer.toString('hex', at + At.guid, at + At.guid + 20),
    uuid: isNull(buffer, at + At.uuid, 3) ? NULL_UUID : buffer.toString('hex', at + At.uuid, at + At.uuid + 12),
    thrid: isNull(buffer, at + At.thrid, 2) ? NULL_THRID : buffer.toString('hex', at + At.thrid, at + At.thrid + 8),
    flags: buffer.readInt32LE(at + At.flags),
    userFlags,
  }
}
