/** Master's rules at work (reference: master.md §7 to §12): states and records, spawning, giving up, reload, shutdown, on the real program. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { statisticsOf } from './figures.js'
import { Client, childrenOf, freePort, Instance, isAlive, until } from './instance.js'

t.test('records: what is odd is told, counters stay right', async (t) => {
  const master = new Instance('prometheus_update_freq: 1s\n')
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="tiny" listen="${master.path('sock')}"
    two cmd="tiny" listen="${master.path('two')}"
  }`)
  await master.start()
  const client = await master.connect()
  const pid = await client.pid()
  client.say('say 2')
  await master.logged(`service one/unix pid ${pid} in BUSY state: now unavailable and in BUSY state`)
  client.say('say 1')
  client.say('say 1')
  await master.logged(`service one/unix pid ${pid} in READY state: now available and in READY state`)
  client.say('say 3')
  await master.logged(`service one/unix pid ${pid} in READY state: now serving connection`)
  client.say('say 4')
  await master.logged(`service one/unix pid ${pid} in BUSY state: serving one more multi-threaded connection`)
  client.say('say 42')
  await master.logged(`service one/unix pid ${pid} in READY state: unrecognized message 42`)
  client.say('half 2')
  client.say('say 3')
  const other = await master.connect('two')
  const otherPid = await other.pid()
  other.say(`say 1 ${pid}`)
  await master.logged(`service two/unix pid ${pid}: was a child of one/unix`)
  other.say(`say 1 1`)
  other.say('serve')
  await until('the figures', () => {
    const { ready_workers, active_children } = statisticsOf(master, 'two/unix')
    return ready_workers === 2 && active_children === 2
  })
  const one = statisticsOf(master, 'one/unix')
  t.equal(one.active_children, 0, 'the child has moved to the service on whose pipe it was spoken of')
  t.equal(one.connections_total, 4)
  t.ok(isAlive(otherPid))
  process.kill(pid, 'SIGKILL')
  await until('one of two to be gone', () => statisticsOf(master, 'two/unix').active_children === 1)
  await client.close()
  await other.close()
})

t.test('after one connection exactly five processes that die in start-up, then the service is off', async (t) => {
  const master = new Instance('prometheus_update_freq: 1s\n')
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    exits cmd="tiny -e 1" listen="${master.path('sock')}"
    dies cmd="tiny -k SIGSEGV" listen="${master.path('dies')}"
    later cmd="tiny -e 75" listen="${master.path('later')}" maxforkrate=5
  }`)
  await master.start()
  t.strictSame(childrenOf(master.pid), [], 'nobody is there before')
  const clients = [await master.connect(), await master.connect('dies'), await master.connect('later')]
  await master.logged(
    'too many failures for service exits/unix, disabling until next SIGHUP: 5 processes in a row exited with 1',
  )
  await master.logged(
    'too many failures for service dies/unix, disabling until next SIGHUP: 5 processes in a row died of SIGSEGV',
  )
  for (const name of ['sock', 'dies']) await t.rejects(master.connect(name), { code: 'ECONNREFUSED' })
  await until('the figures', () => statisticsOf(master, 'dies/unix').ready_fails_total === 5)
  t.equal(statisticsOf(master, 'exits/unix').forks_total, 5)
  await until('more than five', () => statisticsOf(master, 'later/unix').forks_total! > 5)
  t.equal(statisticsOf(master, 'later/unix').ready_fails_total, 0, '75 is no failure')
  t.notMatch(master.log, 'too many failures for service later')
  for (const client of clients) await client.close()
})

t.test('a hundred processes that end at once are all reaped', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {\n  one cmd="/bin/sleep 1000" listen="${master.path('sock')}" prefork=100\n}`)
  await master.start()
  const first = await until('a hundred', () => childrenOf(master.pid).length === 100 && childrenOf(master.pid))
  for (const pid of first) process.kill(pid, 'SIGKILL')
  await until('a hundred others', () => {
    const now = childrenOf(master.pid)
    return now.length === 100 && !now.some((pid) => first.includes(pid))
  })
  const all = readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, 'utf8').trim().split(' ')
  t.equal(all.length, 100, 'no zombie is left')
})

t.test('SIGHUP: a service moves to another port and protocol while connections are open', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const [before, after] = [await freePort(), await freePort()]
  const configure = (listen: string): void =>
    master.configure(`SERVICES {
    moves cmd="tiny" listen=${listen}
    stays cmd="tiny" listen="${master.path('sock')}" prefork=1
  }`)
  configure(`127.0.0.1:${before}`)
  await master.start()
  const idle = await until('the preforked one', () => childrenOf(master.pid)[0])
  const client = await Client.connect(before)
  const busy = await client.pid()
  configure(`127.0.0.1:${after}`)
  master.kill('SIGHUP')
  await master.logged('Services reconfigured.')
  const moved = await Client.connect(after)
  t.ok(await moved.pid(), 'answers right after the signal')
  await t.rejects(Client.connect(before), { code: 'ECONNREFUSED' })
  t.equal(await client.ask('env CYRUS_SERVICE'), 'moves', 'the old conversation goes on')
  await until('the idle one to be recycled', () => !isAlive(idle))
  client.say('serve')
  await until('the busy one to leave after its connection', () => !isAlive(busy))
  configure(`"${master.path('moved')}"`)
  master.kill('SIGHUP')
  await until('the second reload', () => master.log.match(/Services reconfigured/g)?.length === 2)
  const again = await master.connect('moved')
  t.ok(await again.pid(), 'from a port to a path')
  for (const each of [client, moved, again]) await each.close()
})

t.test('SIGHUP: limits and command change for new processes; START is not run again; EVENTS begin anew', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const trace = master.path('trace')
  writeFileSync(master.path('bin/note'), `#!/bin/sh\necho "$1" >>${trace}\n`, { mode: 0o755 })
  const configure = (args: string): void =>
    master.configure(`START {\n  begin cmd="note start"\n}
  SERVICES {\n  one cmd="tiny" listen="${master.path('sock')}" ${args}\n}
  EVENTS {\n  each cmd="note event" period=60\n}`)
  configure('maxchild=1')
  await master.start()
  await until('the event', () => readFileSync(trace, 'utf8') === 'start\nevent\n')
  const [first, second] = [await master.connect(), await master.connect()]
  await first.pid()
  t.equal(second.waiting, 0)
  configure('maxchild=2 maxfds=88')
  master.kill('SIGHUP')
  await second.pid()
  t.equal(await second.ask('limit'), '88')
  await until('the event again', () => readFileSync(trace, 'utf8') === 'start\nevent\nevent\n')
  for (const client of [first, second]) await client.close()
})

t.test('SIGHUP: children that do not heed it are told of', async (t) => {
  const clock = new URL('fast_clock.js', import.meta.url).href
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {\n  one cmd="tiny" listen="${master.path('sock')}"\n}`)
  await master.start({ nodeArgs: ['--import', clock], environment: { FAST_CLOCK: '60' } })
  const client = await master.connect()
  const pid = await client.pid()
  master.kill('SIGHUP')
  await master.logged(`still there 30 s after SIGHUP, busy: ${pid}`)
  await client.close()
})

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
  t.test(`${signal}: clean shutdown, waiting for a child that hangs, without a time limit`, async (t) => {
    const master = new Instance()
    t.teardown(() => master.close())
    master.configure(
      `SERVICES {\n  one cmd="tiny" listen="${master.path('sock')}"\n  two cmd="tiny" listen="${master.path('two')}" prefork=2\n}`,
    )
    await master.start()
    const client = await master.connect()
    const pid = await client.pid()
    t.equal(await client.ask('hang'), 'hanging')
    await until('all three', () => childrenOf(master.pid).length === 3)
    master.kill('SIGALRM')
    master.kill(signal)
    await master.logged(`attempting clean shutdown on ${signal}`)
    await until('the others to be gone', () => childrenOf(master.pid).length === 1)
    master.kill('SIGTERM')
    const late = await master.connect('two').catch(() => undefined)
    t.ok(isAlive(master.pid), 'master waits')
    t.equal(late?.waiting ?? 0, 0, 'nobody is served any more')
    await late?.close()
    process.kill(pid, 'SIGKILL')
    t.strictSame(await master.exit, { code: 0, signal: null })
    t.match(master.log, 'All children have exited, closing down')
    await client.close()
  })
}

t.test('descriptors 3 and 4 of a daemon and of commands are /dev/null', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  writeFileSync(
    master.path('bin/fds'),
    `#!/bin/sh\nls -l /proc/$$/fd | grep -o '[0-9]* -> .*' >${master.dir}/$1\nexec sleep $2\n`,
    {
      mode: 0o755,
    },
  )
  master.configure('EVENTS {\n  event cmd="fds event 0"\n}\nDAEMON {\n  daemon cmd="fds daemon 1000"\n}')
  await master.start()
  for (const name of ['event', 'daemon']) {
    const path = master.path(name)
    const held = await until(name, () => {
      const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
      return text.includes('4 ->') && text
    })
    t.match(held, /^3 -> \/dev\/null$/m)
    t.match(held, /^4 -> \/dev\/null$/m)
    t.notMatch(held, /^([5-9]|\d\d) -> socket/m, 'none of master’s sockets')
  }
})

t.test('a socket’s accept lock is where Cyrus has it, 0600', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {\n  one cmd="testd" listen="${master.path('sock')}"\n}`)
  await master.start()
  const client = await master.connect()
  await client.pid()
  t.equal(statSync(master.path('conf/socket/one-0.lock')).mode & 0o777, 0o600)
  await client.close()
})
