/** Times of cron: what is meant, when it comes next, and what daylight saving does to it. */
import t from 'tap'
import { nextCronTime, parseCronTime, timeOfDay } from '../../master/cron_time.js'

process.env.TZ = 'Europe/Berlin'

const local = (text: string): number => new Date(text).getTime()
/** Local time as `2024-03-31 03:00`, with the zone's distance. */
const show = (at: number): string => {
  const two = (n: number): string => String(n).padStart(2, '0')
  const d = new Date(at)
  const zone = -d.getTimezoneOffset() / 60
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())} +${zone}`
}
const runs = (cron: string, from: string, count: number): string[] => {
  const time = parseCronTime(cron)
  const out: string[] = []
  for (let at = local(from); out.length < count; out.push(show(at))) at = nextCronTime(time, at)
  return out
}

const table: [cron: string, from: string, ...times: string[]][] = [
  ['* * * * *', '2024-01-10T12:00:30', '2024-01-10 12:01 +1', '2024-01-10 12:02 +1'],
  ['30 4 * * *', '2024-01-10T04:30:00', '2024-01-11 04:30 +1'],
  ['*/20 9-10 * * *', '2024-01-10T10:20', '2024-01-10 10:40 +1', '2024-01-11 09:00 +1', '2024-01-11 09:20 +1'],
  ['5,10 0 1 * *', '2024-01-10T00:00', '2024-02-01 00:05 +1', '2024-02-01 00:10 +1', '2024-03-01 00:05 +1'],
  ['0 0 * jan,Feb mon-wed/2', '2024-01-10T00:00', '2024-01-15 00:00 +1', '2024-01-17 00:00 +1', '2024-01-22 00:00 +1'],
  ['0 0 * * 7', '2024-01-10T00:00', '2024-01-14 00:00 +1'],
  ['0 0 13 * fri', '2024-09-10T00:00', '2024-09-13 00:00 +2', '2024-09-20 00:00 +2'],
  ['0 0 15 * fri', '2024-09-14T00:00', '2024-09-15 00:00 +2', '2024-09-20 00:00 +2'],
  ['0 12 29 2 *', '2024-03-01T00:00', '2028-02-29 12:00 +1'],
  ['10/25 3 * * *', '2024-01-10T00:00', '2024-01-10 03:10 +1', '2024-01-10 03:35 +1', '2024-01-11 03:10 +1'],
  // the clocks leap from 2 to 3 on 31 March and come back to 2 at 3 on 27 October
  ['30 2 * * *', '2024-03-30T02:30', '2024-03-31 03:00 +2', '2024-04-01 02:30 +2'],
  ['30 2 * * *', '2024-10-26T02:30', '2024-10-27 02:30 +2', '2024-10-28 02:30 +1'],
  ['0 4 * * *', '2024-03-30T04:00', '2024-03-31 04:00 +2', '2024-04-01 04:00 +2'],
  ['0 4 * * *', '2024-10-26T04:00', '2024-10-27 04:00 +1'],
  ['30 * * * *', '2024-03-31T00:30', '2024-03-31 01:30 +1', '2024-03-31 03:30 +2'],
  ['30 * * * *', '2024-10-27T01:30', '2024-10-27 02:30 +2', '2024-10-27 02:30 +1', '2024-10-27 03:30 +1'],
]
for (const [cron, from, ...times] of table) {
  t.test(`${cron} after ${from}`, async (t) => t.strictSame(runs(cron, from, times.length), times))
}

t.test('a time of day comes once each day at its wall clock time, for years', async (t) => {
  const time = timeOfDay(4, 30)
  let at = local('2024-01-01T04:30')
  for (let day = 1; day <= 800; day++) {
    at = nextCronTime(time, at)
    if (show(at).slice(11, 16) !== '04:30') t.fail(show(at))
  }
  t.equal(show(at).slice(0, 10), '2026-03-11')
})

const bad: [cron: string, message: string][] = [
  ['* * * *', '"* * * *" is not five fields (minute, hour, day of month, month, day of week)'],
  ['60 * * * *', 'minute "60": 60 is not in 0 to 59'],
  ['* 24 * * *', 'hour "24": 24 is not in 0 to 23'],
  ['* * 0 * *', 'day of month "0": 0 is not in 1 to 31'],
  ['* * * foo *', 'month "foo": "foo" is no number or name'],
  ['* * * * 8', 'day of week "8": 8 is not in 0 to 7'],
  ['5-1 * * * *', 'minute "5-1": the range 5-1 goes backwards'],
  ['*/0 * * * *', 'minute "*/0": "/0" is no step'],
  ['1-2-3 * * * *', 'minute "1-2-3": more than one "-" in a range'],
  ['1,,2 * * * *', 'minute "1,,2": "" is no number'],
  ['0 0 30 2 *', '"0 0 30 2 *" never comes: no such month has such a day'],
]
for (const [cron, message] of bad) {
  t.test(message, async (t) => t.throws(() => parseCronTime(cron), { message }))
}
