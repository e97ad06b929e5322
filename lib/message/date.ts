/**
 * Date-time of header fields (RFC 5322 §3.3 with the obsolete and the merely common forms Cyrus takes). Pure.
 */
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const DAY =
  /^[\s]*(?:[A-Za-z]{3},\s*)?(\d{1,2})(?:[\s]+|[^\s])([A-Za-z]{3})(?:[\s]+|[^\s])(\d{2}|\d{4,9})(?![A-Za-z0-9])/
const TIME = /^\s*(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?\s*([+-]?)([A-Za-z0-9]*)/
const ZONES: Record<string, number> = {
  EDT: -240,
  EST: -300,
  CDT: -300,
  CST: -360,
  MDT: -360,
  MST: -420,
  PDT: -420,
  PST: -480,
}

interface Day {
  year: number
  month: number
  day: number
  rest: string
}

function parseDay(text: string): Day | undefined {
  const match = DAY.exec(text)
  if (!match) return undefined
  const month = MONTHS.indexOf(match[2]!.toLowerCase())
  if (month === -1) return undefined
  let year = Number(match[3])
  if (match[3]!.length === 2) year += year < 70 ? 2000 : 1900
  if (year < 1900) return undefined
  return { year, month, day: Number(match[1]), rest: text.slice(match[0].length) }
}

/**
 * The day a Date: field names, as the start of that day in our own zone, its clock time and zone ignored (what SEARCH SENTON
 * compares, RFC 3501 §6.4.4). @returns unix seconds, 0 when there is no day to be read
 */
export function sentDay(text: string): number {
  const day = parseDay(text)
  if (!day) return 0
  const seconds = new Date(day.year, day.month, day.day).getTime() / 1000
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : 0
}

/** The instant a Date: field names. @returns unix seconds, 0 when it cannot be read */
export function sentInstant(text: string): number {
  const day = parseDay(text)
  const time = day && TIME.exec(day.rest)
  if (!day || !time) return 0
  const [, hour, minute, second, sign, zone] = time
  const seconds = Date.UTC(day.year, day.month, day.day, Number(hour), Number(minute), Number(second ?? 0)) / 1000
  const instant = seconds - zoneMinutes(zone!, sign!) * 60
  return Number.isFinite(instant) ? Math.max(instant, 0) : 0
}

function zoneMinutes(zone: string, sign: string): number {
  if (!/^\d{4}$/.test(zone)) return ZONES[zone.toUpperCase()] ?? 0
  const minutes = Number(zone.slice(0, 2)) * 60 + Number(zone.slice(2))
  return sign === '+' ? minutes : -minutes
}
