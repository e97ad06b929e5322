/**
 * The value types of imapd.conf: switch, int, duration, byte size, as text → value. Pure.
 * Each answers undefined for text that is not of its type; who asks knows the place to name.
 */

/** Switches: `yes on t true 1` and `no off f false 0`, in any case (imapd.conf(5)). */
export function parseSwitch(text: string): boolean | undefined {
  const value = text.toLowerCase()
  if (['1', 'yes', 'on', 't', 'true', 'y'].includes(value)) return true
  if (['0', 'no', 'off', 'f', 'false', 'n'].includes(value)) return false
  return undefined
}

/** Integers: decimal, or hexadecimal after 0x, or octal after 0, within 32 bits, as strtol(3) with base 0. */
export function parseInteger(text: string): number | undefined {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/.exec(text)
  if (match === null) return undefined
  const digits = match[2]!
  const magnitude = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)
  const value = match[1] === '-' ? -magnitude : magnitude
  return Number.isSafeInteger(value) && value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined
}

/** Units of durations, in seconds. */
export type DurationUnit = 'd' | 'h' | 'm' | 's'
const SECONDS: Record<DurationUnit, number> = { d: 86400, h: 3600, m: 60, s: 1 }

/**
 * Durations such as `10s`, `1h30m`, `0.5s`, `-1`.
 * @param unit of a bare number
 * @returns seconds; fractions are an addition of ours to what 3.6.1 reads
 */
export function parseDuration(text: string, unit: DurationUnit): number | undefined {
  const match = /^([+-]?)((?:[0-9]+(?:\.[0-9]+)?[dhms])*)([0-9]+(?:\.[0-9]+)?)?$/i.exec(text)
  if (match === null || (match[2] === '' && match[3] === undefined)) return undefined
  let seconds = match[3] === undefined ? 0 : Number(match[3]) * SECONDS[unit]
  for (const [, amount, letter] of match[2]!.matchAll(/([0-9.]+)([dhms])/gi)) {
    seconds += Number(amount) * SECONDS[letter!.toLowerCase() as DurationUnit]
  }
  return match[1] === '-' ? -seconds : seconds
}

/** Units of byte sizes, in bytes. */
export type SizeUnit = 'B' | 'K' | 'M' | 'G'
const BYTES: Record<SizeUnit, number> = { B: 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/**
 * Byte sizes such as `128K`, `10 MiB`, `1g`, `-1`.
 * @param unit of a bare number
 * @returns bytes
 */
export function parseSize(text: string, unit: SizeUnit): number | undefined {
  const match = /^([+-]?[0-9]+)\s*(?:([kmg])i?)?b?$/i.exec(text)
  if (match === null) return undefined
  const factor =
    match[2] === undefined ? (/b$/i.test(text) ? 1 : BYTES[unit]) : BYTES[match[2].toUpperCase() as SizeUnit]
  const value = Number(match[1]) * factor
  return Number.isSafeInteger(value) ? value : undefined
}

/** @returns a duration as imapd.conf takes it, in the largest unit that divides it: `90` → `90s`, `120` → `2m` */
export function formatDuration(seconds: number): string {
  for (const [unit, length] of [
    ['d', 86400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (seconds !== 0 && seconds % length === 0) return `${seconds / length}${unit}`
  }
  return `${seconds}s`
}

/** @returns a size as imapd.conf takes it, in the largest unit that divides it */
export function formatSize(bytes: number): string {
  for (const [unit, length] of [
    ['g', 1024 ** 3],
    ['m', 1024 ** 2],
    ['k', 1024],
  ] as const) {
    if (bytes !== 0 && bytes % length === 0) return `${bytes / length}${unit}`
  }
  return String(bytes)
}
