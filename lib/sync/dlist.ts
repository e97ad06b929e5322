/**
 * dlist, the data notation of Cyrus' replication (csync.md §2): values and how they are written. Pure.
 *
 * Scalars are JavaScript strings of bytes (one character 0 to 255 a byte), so that nothing is lost and nothing is decoded that need not be;
 * `bytesOf` and `textOf` convert between them and ordinary text. Written pieces are such strings too: send them as latin1.
 */

/** A value; null is NIL. */
export type Dlist = null | string | DlistFile | DlistMap | readonly Dlist[]

/** `%(KEY value …)`: looked up by key, of repeated keys the first counts. */
export class DlistMap {
  readonly keys: string[] = []
  readonly values: Dlist[] = []

  /** The value of a key; undefined if the key is missing, null if it is NIL. */
  get(key: string): Dlist | undefined {
    const at = this.keys.indexOf(key)
    return at < 0 ? undefined : this.values[at]
  }

  add(key: string, value: Dlist): this {
    this.keys.push(key)
    this.values.push(value)
    return this
  }
}

/** `%{partition guid size}` and its bytes, which whoever read it has put somewhere. */
export class DlistFile {
  /** @param content what the reader's file sink made of the bytes */
  constructor(
    readonly partition: string,
    readonly guid: string,
    readonly size: number,
    readonly content: unknown,
  ) {}
}

const NON_ASCII = /[^\x00-\x7f]/

/** Ordinary text as a string of its UTF-8 bytes. */
export function bytesOf(text: string): string {
  return NON_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text
}

/** A string of bytes as ordinary text (UTF-8; what is none becomes U+FFFD). */
export function textOf(bytes: string): string {
  return NON_ASCII.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes
}

const ATOM = /^[\x1f-\x7e]{1,1023}$/
const NOT_IN_ATOM = /[ {()"%*\\]/
const QUOTED = /^[\x00-\x7f]{0,1023}$/
const NOT_IN_QUOTED = /[\r\n"%\\]/

/** Who writes: literals of a client carry a plus sign, those of a server must not (csync.md §2.4). */
export type Side = 'client' | 'server'

/**
 * A scalar as the writer's rules want it (csync.md §2.3).
 * @param value a string of bytes; null is NIL
 */
export function scalar(value: string | null, side: Side): string {
  if (value === null) return 'NIL'
  if (value === '') return '""'
  if (value !== 'NIL' && ATOM.test(value) && !NOT_IN_ATOM.test(value)) return value
  if (QUOTED.test(value) && !NOT_IN_QUOTED.test(value) && !value.includes('\0')) return `"${value}"`
  return `{${value.length}${side === 'client' ? '+' : ''}}\r\n${value}`
}

/** Head of a file literal; its bytes must follow at once. */
export function fileHead(partition: string, guid: string, size: number, side: Side): string {
  return `%{${scalar(bytesOf(partition), side)} ${guid} ${size}}\r\n`
}

/** A list of scalars. */
export function list(values: Iterable<string>, side: Side): string {
  const items: string[] = []
  for (const value of values) items.push(scalar(bytesOf(value), side))
  return `(${items.join(' ')})`
}

/** `%(KEY value …)` of ready-made values; those that are undefined are left out. */
export function kvlist(pairs: Iterable<readonly [key: string, written: string | number | undefined]>): string {
  const items: string[] = []
  for (const [key, written] of pairs) if (written !== undefined) items.push(`${key} ${written}`)
  return `%(${items.join(' ')})`
}

/** A peer's value that is missing or has the wrong form: BAD_PARAMETERS. */
export class DlistFieldError extends Error {
  override name = 'DlistFieldError'
}

const MAX_U32 = 2 ** 32

function scalarOf(map: DlistMap, key: string): string | undefined {
  const value = map.get(key)
  return typeof value === 'string' ? value : undefined
}

/** Readers of a kvlist's fields; each throws {DlistFieldError} naming the key. */
export const field = {
  /** Text; NIL and other types are missing. */
  string(map: DlistMap, key: string): string {
    const value = scalarOf(map, key)
    if (value === undefined || value.includes('\0')) throw new DlistFieldError(`${key} is missing or no string`)
    return textOf(value)
  },
  optionalString(map: DlistMap, key: string): string | undefined {
    const value = scalarOf(map, key)
    return value === undefined || value.includes('\0') ? undefined : textOf(value)
  },
  /** Bytes, NUL allowed. */
  bytes(map: DlistMap, key: string): Buffer {
    const value = scalarOf(map, key)
    if (value === undefined) throw new DlistFieldError(`${key} is missing`)
    return Buffer.from(value, 'latin1')
  },
  /** Decimal, up to 2^53; @returns undefined unless it is a number */
  optionalNumber(map: DlistMap, key: string): number | undefined {
    const value = scalarOf(map, key)
    if (value === undefined || !/^\d{1,20}$/.test(value)) return undefined
    const number = Number(value)
    return number <= Number.MAX_SAFE_INTEGER ? number : undefined
  },
  number(map: DlistMap, key: string): number {
    const value = field.optionalNumber(map, key)
    if (value === undefined) throw new DlistFieldError(`${key} is missing or no number`)
    return value
  },
  /** As `number`, but only the low 32 bits. */
  number32(map: DlistMap, key: string): number {
    return field.number(map, key) % MAX_U32
  },
  optionalNumber32(map: DlistMap, key: string): number | undefined {
    const value = field.optionalNumber(map, key)
    return value === undefined ? undefined : value % MAX_U32
  },
  /** 40 hex digits, made lower-case. */
  guid(map: DlistMap, key: string): string {
    const value = guidOf(map.get(key))
    if (value === undefined) throw new DlistFieldError(`${key} is missing or no GUID`)
    return value
  },
  list(map: DlistMap, key: string): readonly Dlist[] {
    const value = map.get(key)
    if (!Array.isArray(value)) throw new DlistFieldError(`${key} is missing or no list`)
    return value as readonly Dlist[]
  },
}

/** A GUID in lower case, or undefined. */
export function guidOf(value: Dlist | undefined): string | undefined {
  return typeof value === 'string' && /^[0-9a-fA-F]{40}$/.test(value) ? value.toLowerCase() : undefined
}

/** The strings of a list, other items skipped; a value that is no list is an empty one. */
export function stringsOf(value: Dlist): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string').map(textOf) : []
}
