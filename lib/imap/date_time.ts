/** Dates of the IMAP grammar (RFC 3501 §9 `date-time`, `date`). Times are unix seconds. Pure. */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MONTH_NUMBER = new Map(MONTHS.map((name, index) => [name.toLowerCase(), index]))

const two = (value: number): string => (value < 10 ? `0${value}` : String(value))

/** INTERNALDATE's text in this process' zone, without quotes: ` 1-Jan-2020 09:00:00 +0000`. */
export function formatDateTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  const offset = -date.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  const day = date.getDate()
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day < 10 ? ' ' : ''}${day}-${MONTHS[date.getMonth()]}-${date.getFullYear()} ${clock} ${zone}`
}

/** @param text without quotes; a day of one digit may stand alone, as clients send it and Cyrus takes it  @returns unix seconds, undefined when it is no date-time or before 1970 */
export function parseDateTime(text: string): number | undefined {
  const match = /^([ \d]?\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text)
  const month = match ? MONTH_NUMBER.get(match[2]!.toLowerCase()) : undefined
  if (!match || month === undefined) return undefined
  const [day, year, hour, minute, second] = [match[1], match[3], match[4], match[5], match[6]].map(Number) as number[]
  if (hour! > 23 || minute! > 59 || second! > 60 || !isDay(year!, month, day!)) return undefined
  const zone = (Number(match[8]) * 60 + Number(match[9])) * (match[7] === '-' ? -60 : 60)
  const seconds = Date.UTC(year!, month, day, hour, minute, second) / 1000 - zone
  return seconds >= 0 && seconds <= 4294967295 ? seconds : undefined
}

function isDay(year: number, month: number, day: number): boolean {
  return day >= 1 && day <= new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
}

/** A day's bounds in this process' zone, as SEARCH compares: [start, end), unix seconds. */
export interface Day {
  readonly start: number
  readonly end: number
}

/** @param text `1-Feb-1994`, without quotes  @returns undefined when it is no date */
export function parseDay(text: string): Day | undefined {
  const match = /^(\d{1,2})-([A-Za-z]{3})-(\d{4})$/.exec(text.trimStart())
  const month = match ? MONTH_NUMBER.get(match[2]!.toLowerCase()) : undefined
  if (!match || month === undefined) return undefined
  const [day, year] = [Number(match[1]), Number(match[3])]
  if (!isDay(year, month, day)) return undefined
  const at = (offset: number): number => new Date(year, month, day + offset).getTime() / 1000
  return { start: at(0), end: at(1) }
}
