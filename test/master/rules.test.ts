/** Master's pure rules: fork rate, giving up, times of events, states of children, staffing, listen=. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ChildTable, type Counters, GRACE } from '../../master/child_table.js'
import { CrashGuard } from '../../master/crash_guard.js'
import { timeOfDay } from '../../master/cron_time.js'
import type { DaemonEntry, EventEntry, MasterConf, ServiceEntry } from '../../master/entries.js'
import { EventSchedule } from '../../master/event_schedule.js'
import { ForkRate } from '../../master/fork_rate.js'
import { parseListen, portNumber, resolveListen } from '../../master/listen_address.js'
import { typeOfService } from '../../master/qos_marking.js'
import { planReload, type Running } from '../../master/reload_plan.js'
import { missing, wantsConnections } from '../../master/spawn_policy.js'

t.test('fork rate: settles at the limit, and 0 is none', async (t) => {
  const rate = new ForkRate(0)
  let forks = 0
  // asked every 10 ms for 20 s by a service that would fork each time
  for (let now = 10; now <= 20_000; now += 10) {
    if (!rate.allows(5, now)) continue
    rate.forked()
    if (now > 5_000) forks++
  }
  const perSecond = forks / 15
  t.ok(perSecond > 4 && perSecond <= 6, `${perSecond} forks a second`)
  for (let n = 0; n < 1000; n++) rate.forked()
  t.ok(rate.allows(0, 20_001), 'no limit')
  t.notOk(rate.allows(5, 20_500), 'a burst is remembered')
  t.ok(rate.allows(5, 40_000), 'and forgotten')
})

t.test('fork rate: what is left of it in the figures', async (t) => {
  const rate = new ForkRate(0)
  for (let n = 0; n < 10; n++) rate.forked()
  t.equal(rate.perSecond(1000), 5)
  t.equal(rate.perSecond(2000), 2.5)
  t.equal(rate.perSecond(60_000), 0, 'comes to rest')
})

t.test('qosmarking', async (t) => {
  const tos = (name: string): number => typeOfService({ string: () => name })
  t.strictSame(['cs0', 'cs5', 'af11', 'af43', 'ef'].map(tos), [0, 0xa0, 0x28, 0x98, 0xb8])
})

t.test('giving up: five failures, none more than 10 s after the one before', async (t) => {
  const guard = new CrashGuard()
  t.strictSame(
    [0, 9_000, 18_000, 27_000, 36_000].map((now) => guard.failed(now)),
    [false, false, false, false, true],
  )
  const slow = new CrashGuard()
  t.strictSame(
    [0, 1, 2, 3, 10_004, 10_005].map((now) => slow.failed(now)),
    [false, false, false, false, false, false],
  )
  slow.reset()
  t.equal(slow.failures, 0)
})

const event = (name: string, more: Partial<EventEntry>): EventEntry => ({
  kind: 'event',
  name,
  line: 1,
  command: { program: '/x', argv: ['x'] },
  period: 0,
  ...more,
})

t.test('events', async (t) => {
  const schedule = new EventSchedule()
  const noon = new Date(2024, 0, 10, 12, 0).getTime()
  schedule.load([event('once', {}), event('each', { period: 60 }), event('daily', { time: timeOfDay(12, 30) })], noon)
  const names = (now: number): string[] => schedule.take(now).map(({ name }) => name)
  t.strictSame(names(noon), ['once', 'each'], 'periodic ones at once, timed ones not')
  t.strictSame(names(noon + 59_999), [])
  t.equal(schedule.next, noon + 60_000)
  t.strictSame(names(noon + 90_000), ['each'])
  t.equal(schedule.next, noon + 150_000, 'a period after it was started')
  t.strictSame(names(noon + 30 * 60_000), ['each', 'daily'])
  t.strictSame(names(noon + 24 * 3600_000 + 30 * 60_000).sort(), ['daily', 'each'])
  schedule.load([], noon)
  t.equal(schedule.next, undefined)
})

t.test('states of children', async (t) => {
  const reports: string[] = []
  const table = new ChildTable<Counters>((severity, message) => reports.push(`${severity}: ${message}`))
  const service = { label: 's/unix', ready: 0, active: 0, connections: 0 }
  const other = { label: 'o/unix', ready: 0, active: 0, connections: 0 }
  const counters = (): number[] => [service.ready, service.active, service.connections]
  const step = (message: number, pid = 1): number[] => {
    table.record(service, message, pid, 0)
    return counters()
  }
  table.forked(1, service, service.label)
  t.strictSame(counters(), [1, 1, 0], 'ready from the start')
  t.strictSame(step(2), [0, 1, 0])
  t.strictSame(step(3), [0, 1, 1])
  t.strictSame(step(1), [1, 1, 1])
  t.strictSame(step(4), [1, 1, 2], 'one more, still available')
  t.strictSame(reports, [], 'all as it should be')
  t.strictSame(step(1), [1, 1, 2])
  t.match(reports.pop(), /^warning: service s\/unix pid 1 in READY state: now available/)
  t.strictSame(step(3), [0, 1, 3])
  t.match(reports.pop(), /^error: .*now serving connection/)
  t.strictSame(step(2), [0, 1, 3])
  t.match(reports.pop(), /^warning: .*in BUSY state: now unavailable/)
  t.strictSame(step(4), [1, 1, 4])
  t.match(reports.pop(), /^error: /)
  t.strictSame(step(99), [1, 1, 4])
  t.match(reports.pop(), /unrecognized message 99/)
  t.strictSame(step(2, 77), [1, 1, 4], 'a pid that nobody knows counts nowhere')
  t.strictSame(reports, [])

  table.record(other, 2, 1, 0)
  t.match(reports.pop(), /^error: .*was a child of s\/unix/)
  t.strictSame(
    [counters(), other.ready, other.active],
    [[0, 0, 4], 0, 1],
    'moved to the service on whose pipe it speaks',
  )

  table.forked(2, service, service.label)
  t.match(table.ended(2, 1000), { was: 'ready' })
  t.strictSame(counters(), [0, 0, 4])
  t.strictSame(step(3, 2), [0, 0, 5], 'a late record still counts its connection')
  t.equal(table.ended(2, 1000), undefined, 'once only')
  t.equal(table.sweep(1000 + GRACE - 1), 1, 'remembered for a while')
  t.equal(table.sweep(1000 + GRACE), 0)
})

t.test('staffing', async (t) => {
  const staff = (
    ready: number,
    active: number,
    entry: { prefork?: number; maxchild?: number; babysit?: boolean },
    enabled = true,
  ) => ({
    ready,
    active,
    enabled,
    entry: { prefork: 0, maxchild: Number.POSITIVE_INFINITY, babysit: false, ...entry },
  })
  t.equal(missing(staff(0, 0, {})), 0)
  t.equal(missing(staff(0, 0, { prefork: 3 })), 3)
  t.equal(missing(staff(1, 5, { prefork: 3 })), 2)
  t.equal(missing(staff(0, 4, { prefork: 3, maxchild: 5 })), 1)
  t.equal(missing(staff(0, 5, { prefork: 3, maxchild: 5 })), 0)
  t.equal(missing(staff(0, 0, { prefork: 3 }, false)), 0)
  t.equal(missing(staff(0, 0, { babysit: true })), 1)
  t.ok(wantsConnections(staff(0, 2, {})))
  t.notOk(wantsConnections(staff(1, 1, {})), 'somebody is ready')
  t.notOk(wantsConnections(staff(0, 2, { maxchild: 2 })))
  t.notOk(wantsConnections(staff(0, 0, {}, false)))
})

t.test('listen=', async (t) => {
  t.strictSame(parseListen('/run/x'), { path: '/run/x' })
  t.strictSame(parseListen('imap'), { host: undefined, port: 'imap' })
  t.strictSame(parseListen(':143'), { host: undefined, port: '143' })
  t.strictSame(parseListen('mail.test:imap'), { host: 'mail.test', port: 'imap' })
  t.strictSame(parseListen('[::1]:143'), { host: '::1', port: '143' })
  t.strictSame(parseListen('::1:143'), { host: '::1', port: '143' })
  t.strictSame(parseListen('[::1]'), { host: '::1', port: '0' })
  for (const text of ['host:', '[::1', '[::1]:', '[::1]x', '']) t.equal(parseListen(text), undefined, text)

  const dir = mkdtempSync(join(tmpdir(), 'services-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'services')
  writeFileSync(file, '# c\nfoo  4711/tcp  bar baz # c\nfoo 4712/udp\n')
  t.equal(portNumber('foo', 'tcp', file), 4711)
  t.equal(portNumber('baz', 'tcp', file), 4711)
  t.equal(portNumber('foo', 'udp', file), 4712)
  t.equal(portNumber('imaps', 'tcp', '/nonexistent'), 993)
  t.equal(portNumber('csync', 'tcp', file), 2005)
  t.equal(portNumber('0', 'tcp', file), 0)
  for (const name of ['65536', 'nosuch', '-1']) t.equal(portNumber(name, 'tcp', file), undefined, name)

  t.strictSame(await resolveListen('1', 'tcp'), {
    datagram: false,
    addresses: [
      { family: 'ipv4', host: '0.0.0.0', port: 1 },
      { family: 'ipv6', host: '::', port: 1 },
    ],
  })
  t.strictSame(await resolveListen('[::1]:1', 'tcp6'), {
    datagram: false,
    addresses: [{ family: 'ipv6', host: '::1', port: 1 }],
  })
  t.strictSame(await resolveListen('127.0.0.1:1', 'udp4'), {
    datagram: true,
    addresses: [{ family: 'ipv4', host: '127.0.0.1', port: 1 }],
  })
  t.match(await resolveListen('/x', 'tcp'), { datagram: false })
  t.match(await resolveListen('/x', 'udp'), { datagram: true })
  t.match(await resolveListen('1', 'sctp'), { problem: /^invalid proto 'sctp'/ })
  t.match(await resolveListen('host:', 'tcp'), { problem: "invalid listen 'host:'" })
})

t.test('reload', async (t) => {
  const limits = { prefork: 0, maxchild: 1, maxforkrate: 0, maxfds: 0, babysit: false }
  const command = { program: '/x', argv: ['x'] }
  const service = (name: string, listen: string, proto = 'tcp'): ServiceEntry => ({
    kind: 'service',
    name,
    line: 1,
    command,
    listen,
    proto,
    provideUuid: false,
    ...limits,
  })
  const daemon = (name: string, wait: boolean): DaemonEntry => ({
    kind: 'daemon',
    name,
    line: 1,
    command,
    wait,
    ...limits,
  })
  const running = (entry: ServiceEntry | DaemonEntry, fd: number | undefined, dropped = false): Running => ({
    entry,
    fd,
    dropped,
  })
  const plan = (before: Running[], services: ServiceEntry[], daemons: DaemonEntry[] = []): unknown => {
    const conf: MasterConf = { start: [], events: [], services, daemons }
    const { kept, dropped, newServices, newDaemons } = planReload(before, conf)
    return [
      [...kept.keys()].map((each) => before.indexOf(each)),
      dropped.map((each) => before.indexOf(each)),
      newServices.map(({ name }) => name),
      newDaemons.map(({ name }) => name),
    ]
  }
  const two = [running(service('a', '1'), 5), running(service('a', '1'), 6)]
  t.strictSame(plan(two, [service('a', '1')]), [[0, 1], [], [], []], 'all sockets of an entry stay')
  t.strictSame(plan(two, []), [[], [0, 1], [], []])
  t.strictSame(plan(two, [service('a', '2')]), [[], [0, 1], ['a'], []], 'another address')
  t.strictSame(plan(two, [service('a', '1', 'tcp4')]), [[], [0, 1], ['a'], []], 'another protocol')
  t.strictSame(
    plan([running(service('a', '1'), undefined)], [service('a', '1')]),
    [[], [0], ['a'], []],
    'one that was given up is opened again',
  )
  t.strictSame(
    plan([running(service('a', '1'), 5, true)], [service('a', '1')]),
    [[], [], ['a'], []],
    'one that is going does not come back',
  )
  const waiting = [running(daemon('d', true), undefined)]
  t.strictSame(plan(waiting, [], [daemon('d', true)]), [[0], [], [], []])
  t.strictSame(plan(waiting, [], [daemon('d', false)]), [[], [0], [], ['d']])
})
