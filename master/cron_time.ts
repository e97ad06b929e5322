/**
 * Times of cron: five fields, local time, to the minute (`cron="m h dom mon dow"` of EVENTS; `at=hhmm` is the case of one minute and one hour).
 * Fields as in crontab(5): `*`, numbers, names of months and weekdays, ranges, lists, steps; if day of month and weekday are both restricted either
 * is enough. Pure: knows times, runs nothing.
 *
 * Daylight saving, as cron(8) has it: an entry that names its hours runs once a day: in the hour that comes twice the first time only, and right
 * after the leap when its minute was leapt over. One that runs in every hour goes by the time that passes.
 */

/** Which values of each field are meant; index is the value. */
export interface CronTime {
  readonly minutes: readonly boolean[]
  readonly hours: readonly boolean[]
  readonly days: readonly boolean[]
  readonly months: readonly boolean[]
  readonly weekdays: readonly boolean[]
  /** whether the field is not `*`-like */
  readonly restricted: { readonly hours: boolean; readonly days: boolean; readonly weekdays: boolean }
}

const MONTHS = ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const MINUTE = 60_000
/** The longest pause of a time that comes at all: from one 29 February to another over a year like 2100. */
const HORIZON = (8 * 366 + 1) * 24 * 60 * MINUTE

const FIELDS = [
  { name: 'minute', first: 0, last: 59, names: [] },
  { name: 'hour', first: 0, last: 23, names: [] },
  { name: 'day of month', first: 1, last: 31, names: [] },
  { name: 'month', first: 1, last: 12, names: MONTHS },
  { name: 'day of week', first: 0, last: 7, names: WEEKDAYS },
] as const

/**
 * @param text five fields, separated by blanks
 * @throws {SyntaxError} naming the field, also for times that never come (30 February)
 */
export function parseCronTime(text: string): CronTime {
  const words = text.trim().split(/\s+/)
  if (words.length !== 5 || words[0] === '') {
    throw new SyntaxError(`"${text}" is not five fields (minute, hour, day of month, month, day of week)`)
  }
  const [minutes, hours, days, months, weekdays] = FIELDS.map((field, n) => parseField(words[n]!, field)) as [
    boolean[],
    boolean[],
    boolean[],
    boolean[],
    boolean[],
  ]
  weekdays[0] ||= weekdays[7]! // 7 is Sunday too
  weekdays.length = 7
  const some = (field: readonly boolean[], first: number): boolean => field.slice(first).includes(false)
  const time: CronTime = {
    minutes,
    hours,
    days,
    months,
    weekdays,
    restricted: { hours: some(hours, 0), days: some(days, 1), weekdays: some(weekdays, 0) },
  }
  if (!everComes(time)) throw new SyntaxError(`"${text}" never comes: no such month has such a day`)
  return time
}

/** `at=hhmm`: every day at that time. */
export function timeOfDay(hour: number, minute: number): CronTime {
  return parseCronTime(`${minute} ${hour} * * *`)
}

/**
 * @param after milliseconds since 1970
 * @returns the next moment later than `after` at which the time comes
 */
export function nextCronTime(time: CronTime, after: number): number {
  const end = after + HORIZON
  let at = Math.floor(after / MINUTE) * MINUTE
  while (at < end) {
    const before = at
    at += step(time, at)
    const leapt = offset(before) - offset(at)
    if (leapt > 0 && time.restricted.hours && wasLeaptOver(time, at, leapt)) return at
    if (matches(time, new Date(at)) && !isRepeated(time, at)) return at
  }
  throw new RangeError('a cron time that never comes')
}

/** Minutes to go on, in ms: a whole hour when nothing in this one can match; minute by minute around a change of the clocks. */
function step(time: CronTime, at: number): number {
  const date = new Date(at)
  const rest = (60 - date.getMinutes()) * MINUTE
  if (offset(at) !== offset(at + rest)) return MINUTE
  return dayMatches(time, date) && time.hours[date.getHours()] ? MINUTE : rest
}

/** Minutes that local clocks are behind UTC. */
function offset(at: number): number {
  return new Date(at).getTimezoneOffset()
}

function matches(time: CronTime, date: Date): boolean {
  return dayMatches(time, date) && time.hours[date.getHours()]! && time.minutes[date.getMinutes()]!
}

function dayMatches({ days, months, weekdays, restricted }: CronTime, date: Date): boolean {
  if (!months[date.getMonth() + 1]) return false
  const day = days[date.getDate()]!
  const weekday = weekdays[date.getDay()]!
  return restricted.days && restricted.weekdays ? day || weekday : day && weekday
}

/** Whether one of the minutes that local clocks leapt over just before `at` is meant. */
function wasLeaptOver(time: CronTime, at: number, minutes: number): boolean {
  const landed = new Date(at)
  for (let back = 1; back <= minutes; back++) {
    // as if the clocks had not leapt: built in UTC from the local fields
    const wall = new Date(
      Date.UTC(
        landed.getFullYear(),
        landed.getMonth(),
        landed.getDate(),
        landed.getHours(),
        landed.getMinutes() - back,
      ),
    )
    const { months, days, weekdays, restricted } = time
    const day = days[wall.getUTCDate()]!
    const weekday = weekdays[wall.getUTCDay()]!
    if (
      months[wall.getUTCMonth() + 1] &&
      (restricted.days && restricted.weekdays ? day || weekday : day && weekday) &&
      time.hours[wall.getUTCHours()] &&
      time.minutes[wall.getUTCMinutes()]
    ) {
      return true
    }
  }
  return false
}

/** Whether local clocks showed this time before, since they were put back. */
function isRepeated({ restricted }: CronTime, at: number): boolean {
  if (!restricted.hours) return false
  for (const back of [30, 60, 120]) {
    if (offset(at) - offset(at - back * MINUTE) === back) return true
  }
  return false
}

function everComes({ days, months }: CronTime, longest = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]): boolean {
  return months.some((meant, month) => meant && days.some((day, n) => day && n >= 1 && n <= longest[month]!))
}

function parseField(
  text: string,
  { name, first, last, names }: { name: string; first: number; last: number; names: readonly string[] },
): boolean[] {
  const wrong = (why: string): never => {
    throw new SyntaxError(`${name} "${text}": ${why}`)
  }
  const value = (word: string): number => {
    const named = word === '' ? -1 : names.indexOf(word.toLowerCase())
    if (named >= 0) return named
    const number = /^\d{1,2}$/.test(word)
      ? Number(word)
      : wrong(`"${word}" is no number${names.length > 0 ? ' or name' : ''}`)
    return number >= first && number <= last ? number : wrong(`${number} is not in ${first} to ${last}`)
  }
  const meant = Array.from({ length: last + 1 }, () => false)
  for (const part of text.split(',')) {
    const [range = '', every, ...more] = part.split('/')
    if (more.length > 0) wrong('more than one "/"')
    const [from, to, ...rest] = range === '*' ? [first, last] : range.split('-').map(value)
    if (rest.length > 0) wrong('more than one "-" in a range')
    const start = from!
    const end = to ?? (every === undefined ? start : last)
    if (end < start) wrong(`the range ${range} goes backwards`)
    const by = every === undefined ? 1 : /^[1-9]\d?$/.test(every) ? Number(every) : wrong(`"/${every}" is no step`)
    for (let n = start; n <= end; n += by) meant[n] = true
  }
  return meant
}
