/**
 * How the 2.3 generation writes arguments (csync-2.3.md §2.1): astrings, flag lists. Text in and out is of bytes, one character each;
 * `bytesOf` and `textOf` of dlist.ts convert between that and ordinary text. Pure.
 */
import { Flag, type MessageRecord } from '../../store/store.js'
import { bytesOf } from '../dlist.js'

const ATOM = /^[\x20-\x7e]{1,1023}$/
const NOT_IN_ATOM = /[ {()"%*\\]/
const QUOTED = /^[\x00-\x7f]{0,1023}$/
const NOT_IN_QUOTED = /[\r\n"%\\\0]/

/** @param value a string of bytes */
export function astring(value: string): string {
  if (ATOM.test(value) && !NOT_IN_ATOM.test(value)) return value
  return quoted(value)
}

/** As `astring`, never an atom. */
export function quoted(value: string): string {
  return QUOTED.test(value) && !NOT_IN_QUOTED.test(value) ? `"${value}"` : `{${value.length}+}\r\n${value}`
}

/** A name of ours, which may hold any character, as an argument. */
export function nameArgument(name: string): string {
  return astring(bytesOf(name))
}

/** \Seen is no flag of this protocol (SETSEEN). In the order in which they are written. */
const SYSTEM: readonly (readonly [name: string, bit: number])[] = [
  ['\\deleted', Flag.Deleted],
  ['\\answered', Flag.Answered],
  ['\\flagged', Flag.Flagged],
  ['\\draft', Flag.Draft],
]

/** Bits that a flag list tells of. */
export const WIRE_FLAGS = Flag.Deleted | Flag.Answered | Flag.Flagged | Flag.Draft

/** `(\deleted $Work)`: system flags in lower case, then keywords by number. @param keywords the mailbox's, by number */
export function flagList(
  { flags, userFlags }: Pick<MessageRecord, 'flags' | 'userFlags'>,
  keywords: readonly (string | null)[],
): string {
  const names: string[] = []
  for (const [name, bit] of SYSTEM) if (flags & bit) names.push(name)
  for (let slot = 0; slot < keywords.length; slot++) {
    const name = keywords[slot]
    if (name != null && userFlags[slot >>> 5]! & (1 << (slot & 31))) names.push(bytesOf(name))
  }
  return `(${names.join(' ')})`
}

/** Flags taken apart. */
export interface Flags {
  /** bits of Flag, without \Seen */
  readonly system: number
  readonly keywords: readonly string[]
  /** system flags that nobody knows, for the log */
  readonly unknown: readonly string[]
}

/** @param words what stood between the parentheses  @returns undefined if one cannot be a flag */
export function parseFlags(words: readonly string[]): Flags | undefined {
  let system = 0
  const keywords: string[] = []
  const unknown: string[] = []
  for (const word of words) {
    if (word.startsWith('\\')) {
      const lower = word.toLowerCase()
      const bit = SYSTEM.find(([name]) => name === lower)?.[1]
      if (bit !== undefined) system |= bit
      else if (lower !== '\\seen') unknown.push(word)
    } else if (ATOM.test(word) && !NOT_IN_ATOM.test(word)) keywords.push(word)
    else return undefined
  }
  return { system, keywords, unknown }
}

const DECIMAL = /^\d{1,20}$/

/** An unsigned decimal number; undefined for anything else, and for what is above 2^53. */
export function numberOf(text: string): number | undefined {
  if (!DECIMAL.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}

/** A number of 32 bits, as UIDs and times are; undefined for anything else. */
export function number32Of(text: string): number | undefined {
  const value = numberOf(text)
  return value === undefined || value > 4294967295 ? undefined : value
}
