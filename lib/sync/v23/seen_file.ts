/**
 * A user's seen file as SETSEEN_ALL carries it (csync-2.3.md §4.11): a Cyrus skiplist of unique id → `1 lastread lastuid lastchange seenuids`.
 * Files of the flat kind, a line `key TAB value` each, are read too. Pure.
 *
 * Skiplist, all numbers 32 bits, big endian: a magic of 20 bytes; version, minor version, greatest level, current level, number of records, start
 * of the log, time of the last recovery; a dummy record with a pointer for each level; then records. A record is its type (1 in order, 2
 * added later), key and value each with its length in front and filled up to 4 bytes, pointers and -1 at their end. In the log stand also
 * 4, the removal of the record at an offset, and 255, which makes valid what came since the last one.
 */
import type { SeenEntry } from '../../store/store.js'

const MAGIC = Buffer.from('\xa1\x02\x8b\rskiplist file\0\0\0', 'latin1')
const HEAD = 48
const LEVELS = 20
const IN_ORDER = 1
const ADDED = 2
const REMOVED = 4
const COMMITTED = 255
const DUMMY = 257
const END = 0xffffffff
/** pointers behind a record and the mark at their end; no file has more levels */
const MOST_POINTERS = 64

/** The bytes are no seen file. */
export class SeenFileError extends Error {
  override name = 'SeenFileError'
}

/** @returns entries by unique id; values that are none are left out  @throws {SeenFileError} */
export function readSeenFile(bytes: Buffer): Map<string, SeenEntry> {
  const values =
    bytes.length >= HEAD && bytes.subarray(0, MAGIC.length).equals(MAGIC) ? readSkiplist(bytes) : readFlat(bytes)
  const entries = new Map<string, SeenEntry>()
  for (const [key, value] of values) {
    const match = /^1 (\d{1,10}) (\d{1,10}) (\d{1,10}) ([\d:,]*)\s*$/.exec(value)
    if (match === null) continue
    const [, lastRead, lastUid, lastChange, seenUids] = match
    entries.set(key, {
      lastRead: Number(lastRead),
      lastUid: Number(lastUid),
      lastChange: Number(lastChange),
      seenUids: seenUids!,
    })
  }
  return entries
}

function readFlat(bytes: Buffer): Map<string, string> {
  const values = new Map<string, string>()
  for (const line of bytes.toString('latin1').split('\n')) {
    if (line === '') continue
    const tab = line.indexOf('\t')
    if (tab <= 0 || line.includes('\0')) throw new SeenFileError('neither a skiplist nor a flat seen file')
    values.set(line.slice(0, tab), line.slice(tab + 1))
  }
  return values
}

const filled = (length: number): number => (length + 3) & ~3

function readSkiplist(bytes: Buffer): Map<string, string> {
  const values = new Map<string, string>()
  const keys = new Map<number, string>()
  let pending: (() => void)[] = []
  const logStart = bytes.readUInt32BE(40)
  let at = HEAD
  const number = (): number => {
    if (at + 4 > bytes.length) throw new SeenFileError(`the seen file ends at byte ${bytes.length}, inside a record`)
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const length = number()
    if (length > bytes.length - at) throw new SeenFileError(`the seen file ends inside the record at byte ${at}`)
    const value = bytes.toString('latin1', at, at + length)
    at += filled(length)
    return value
  }
  while (at < bytes.length) {
    const start = at
    const type = number()
    if (type === COMMITTED) {
      for (const change of pending) change()
      pending = []
    } else if (type === REMOVED) {
      const key = keys.get(number())
      if (key !== undefined) pending.push(() => values.delete(key))
    } else if (type === IN_ORDER || type === ADDED || type === DUMMY) {
      const key = text()
      const value = text()
      let pointers = 0
      while (number() !== END)
        if (++pointers > MOST_POINTERS)
          throw new SeenFileError(`the record at byte ${start} of the seen file does not end`)
      if (type === DUMMY) continue
      keys.set(start, key)
      if (start < logStart) values.set(key, value)
      else pending.push(() => values.set(key, value))
    } else throw new SeenFileError(`the seen file has no record at byte ${start}`)
  }
  return values
}

/** @param time of writing, unix seconds */
export function writeSeenFile(entries: ReadonlyMap<string, SeenEntry>, time: number): Buffer {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
  const nodes = sorted.map(([key, { lastRead, lastUid, lastChange, seenUids }], n) => ({
    key: Buffer.from(key, 'latin1'),
    value: Buffer.from(`1 ${lastRead} ${lastUid} ${lastChange} ${seenUids}`, 'latin1'),
    // every second one a level higher, every fourth two: a list as even as chance would make it
    level: Math.min(LEVELS, 32 - Math.clz32((n + 1) & -(n + 1))),
    at: 0,
  }))
  let size = HEAD + 12 + 4 * LEVELS + 4
  for (const node of nodes) {
    node.at = size
    size += 12 + filled(node.key.length) + filled(node.value.length) + 4 * node.level + 4
  }
  const bytes = Buffer.alloc(size)
  MAGIC.copy(bytes)
  const current = Math.max(1, ...nodes.map(({ level }) => level))
  let at = MAGIC.length
  const number = (value: number): void => void (at = bytes.writeUInt32BE(value, at))
  for (const value of [1, 2, LEVELS, current, nodes.length, size, time]) number(value)
  const text = (value: Buffer): void => {
    number(value.length)
    value.copy(bytes, at)
    at += filled(value.length)
  }
  /** where the next node of each level is, from a place on; filled in from the end */
  const next = new Array<number>(LEVELS).fill(0)
  const pointers = nodes.map(({ level }) => new Array<number>(level))
  for (let n = nodes.length - 1; n >= 0; n--) {
    for (let level = 0; level < nodes[n]!.level; level++) {
      pointers[n]![level] = next[level]!
      next[level] = nodes[n]!.at
    }
  }
  number(DUMMY)
  text(Buffer.alloc(0))
  text(Buffer.alloc(0))
  next.forEach(number)
  number(END)
  for (const [n, { key, value }] of nodes.entries()) {
    number(IN_ORDER)
    text(key)
    text(value)
    pointers[n]!.forEach(number)
    number(END)
  }
  return bytes
}
