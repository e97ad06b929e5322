/** Every argument of every section of cyrus.conf (reference: master.md §2), and every option of the command line, on the real program. */
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { program } from '../lab/software.js'
import { statisticsOf } from './figures.js'
import { Client, childrenOf, freePort, Instance, isAlive, until } from './instance.js'

/** A file of /proc; empty when its process is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

t.test(
  'START: in order, each waited for, nothing in its environment; a program that is not there is a failure',
  async (t) => {
    const master = new Instance()
    t.teardown(() => master.close())
    const trace = master.path('trace')
    writeFileSync(master.path('bin/step'), `#!/bin/sh\nsleep $2\necho "$1 [$CYRUS_SERVICE$CYRUS_ID]" >>${trace}\n`, {
      mode: 0o755,
    })
    master.configure(`START {
    slow cmd="step slow 0.3"
    fast cmd="step fast 0"
  }
  SERVICES {
    one cmd="tiny" listen="${master.path('sock')}"
  }`)
    await master.start()
    t.equal(readFileSync(trace, 'utf8'), 'slow []\nfast []\n')

    const broken = new Instance()
    t.teardown(() => broken.close())
    broken.configure('START {\n  gone cmd="nosuchprogram"\n}')
    await broken.start({ noWait: true })
    t.strictSame(await broken.exit, { code: 71, signal: null })
    t.match(broken.log, /cyrus\.conf:2: can't run startup 'gone': .*ENOENT/)
  },
)

t.test('SERVICES: listen=, proto=', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const [any, four, six] = [await freePort(), await freePort(), await freePort()]
  const ipv6 = existsSync('/proc/net/if_inet6')
  master.configure(`SERVICES {
    both cmd="tiny" listen=${any}
    v4 cmd="tiny" listen=${four} proto=tcp4
    v6 cmd="tiny" listen=${six} proto=tcp6
    unix cmd="tiny" listen="${master.path('sock')}"
    wrong cmd="tiny" listen=${any} proto=sctp
    long cmd="tiny" listen="${master.path('x'.repeat(120))}"
  }`)
  mkdirSync(master.path('conf'), { recursive: true })
  await master.start()
  const id = async (where: string | number, host?: string): Promise<string | undefined> => {
    const client = await Client.connect(where, host)
    await client.line()
    const answer = `${await client.ask('env CYRUS_SERVICE')} ${await client.ask('env CYRUS_ID')}`
    await client.close()
    return answer
  }
  t.equal(await id(any), 'both 0')
  t.equal(await id(four), 'v4 0')
  t.equal(await id(master.path('sock')), 'unix 0')
  t.equal(statSync(master.path('sock')).mode & 0o777, 0o777, 'open to all, as Cyrus makes them')
  if (ipv6) {
    t.equal(await id(any, '::1'), 'both 1')
    t.equal(await id(six, '::1'), 'v6 0')
    await t.rejects(Client.connect(four, '::1'))
  }
  await t.rejects(Client.connect(six), 'IPv6 alone')
  t.match(master.log, /invalid proto 'sctp' .*disabling wrong/)
  t.match(master.log, /unable to create long listener socket: invalid listen '.*' \(too long\), disabling it/)
})

t.test('SERVICES: proto=udp, for UNIX sockets too; one process whatever prefork and maxchild say', async (t) => {
  const master = new Instance('prometheus_update_freq: 1s\n')
  t.teardown(() => master.close())
  const port = await freePort()
  const seen = master.path('seen')
  master.configure(`SERVICES {
    dgram cmd="tiny -u ${seen}" listen=127.0.0.1:${port} proto=udp prefork=3 maxchild=5
    lazy cmd="tiny -u ${seen}" listen="${master.path('sock')}" proto=udp
  }`)
  await master.start()
  await until('one process', () => childrenOf(master.pid).length === 1)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.send('one', port, '127.0.0.1')
  await until('the datagram', () => existsSync(seen) && readFileSync(seen, 'utf8') === 'one\n')
  socket.send('two', port, '127.0.0.1')
  await until('another', () => readFileSync(seen, 'utf8') === 'one\ntwo\n')
  t.equal(childrenOf(master.pid).length, 1)
  await until('the figures', () => statisticsOf(master, 'dgram/ipv4').connections_total === 2)
  t.equal(statisticsOf(master, 'dgram/ipv4').max_children, 1)
  t.ok(statSync(master.path('sock')).isSocket(), 'a UNIX socket for datagrams')
})

t.test('SERVICES: maxforkrate', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    limited cmd="tiny" listen="${master.path('sock')}" maxforkrate=5
    free cmd="tiny" listen="${master.path('free')}"
  }`)
  await master.start()
  /** Seconds between the starts of the first and the last of so many processes: how long each then takes to say something is not master's matter. */
  const started = async (name: string, count: number): Promise<number> => {
    const clients = await Promise.all(Array.from({ length: count }, () => master.connect(name)))
    const pids = await Promise.all(clients.map((client) => client.pid()))
    const ticks = pids.map((pid) => {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
    })
    for (const client of clients) await client.close()
    return (Math.max(...ticks) - Math.min(...ticks)) / 100
  }
  const limited = await started('sock', 14)
  // the rate is an average: the first second lets more through than those after it
  t.ok(limited > 1.3 && limited < 8, `14 processes were started within ${limited} s`)
  const free = await started('free', 8)
  t.ok(free < limited, `8 without limit within ${free} s`)
})

t.test('SERVICES: maxfds, and the user’s limit without it', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    some cmd="tiny" listen="${master.path('sock')}" maxfds=77
    free cmd="tiny" listen="${master.path('free')}"
    much cmd="tiny" listen="${master.path('much')}" maxfds=2000000000
  }
  DAEMON {
    helper cmd="tiny -d" maxfds=66
  }`)
  await master.start()
  const limit = async (name: string): Promise<string | undefined> => {
    const client = await master.connect(name)
    await client.line()
    const answer = await client.ask('limit')
    await client.close()
    return answer
  }
  const own = /Max open files +(\w+)/.exec(readFileSync(`/proc/${master.pid}/limits`, 'utf8'))![1]
  t.equal(await limit('sock'), '77')
  t.equal(await limit('free'), own)
  const hard = /Max open files +\w+ +(\w+)/.exec(readFileSync(`/proc/${master.pid}/limits`, 'utf8'))![1]
  t.equal(await limit('much'), hard, 'as much as the system allows')
  t.match(master.log, `much: maxfds=2000000000 is more than the system allows; its processes get ${hard}`)
  const daemon = await until('the daemon', () =>
    childrenOf(master.pid).find((pid) => textOf(`/proc/${pid}/cmdline`).includes('-d')),
  )
  t.match(readFileSync(`/proc/${daemon}/limits`, 'utf8'), /Max open files +66 /)
})

t.test('SERVICES: babysit', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {\n  sat cmd="tiny" listen="${master.path('sock')}" babysit=1\n}`)
  await master.start()
  const [first] = await until('a process', () => childrenOf(master.pid).length === 1 && childrenOf(master.pid))
  process.kill(first!, 'SIGKILL')
  await master.logged('lost all children for service: sat/unix.  Applying babysitter.')
  await until('another', () => childrenOf(master.pid).some((pid) => pid !== first))
})

t.test('EVENTS: period, at and cron, by a clock that runs faster', async (t) => {
  const clock = new URL('fast_clock.js', import.meta.url).href
  const master = new Instance()
  t.teardown(() => master.close())
  const event = (name: string): string => `/bin/sh ${master.path('event')} ${name}`
  writeFileSync(master.path('event'), `echo "$1 [$CYRUS_SERVICE]" >>${master.path('trace')}\n`)
  master.configure(`EVENTS {
    once cmd="${event('once')}"
    hourly cmd="${event('hourly')}" period=60
    night cmd="${event('night')}" at=0230
    cron cmd="${event('cron')}" cron="15 */2 * * *"
  }`)
  // the night in which clocks leap from 2 to 3, four hours of it in four seconds
  await master.start({
    nodeArgs: ['--import', clock],
    environment: { FAST_CLOCK: '3600', FAST_CLOCK_START: '2024-03-31T00:50:00', TZ: 'Europe/Berlin' },
  })
  const trace = (): string[] =>
    (existsSync(master.path('trace')) ? readFileSync(master.path('trace'), 'utf8') : '').split('\n')
  const count = (name: string): number => trace().filter((line) => line === `${name} []`).length
  await until('cron at 4:15', () => count('cron') >= 2)
  t.equal(count('once'), 1)
  t.ok(count('hourly') >= 3, `hourly ${count('hourly')} times`)
  t.equal(count('night'), 1, 'the time that was leapt over came')
  t.ok(trace().indexOf('night []') < trace().lastIndexOf('cron []'), 'in order')
})

t.test('DAEMON: environment, maxforkrate, babysat; wait=y in a group of its own and in order', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const trace = master.path('trace')
  master.configure(`DAEMON {
    first cmd="tiny -d -w okCRLF -t ${trace}" wait=y
    second cmd="tiny -d -w okCRLF -t ${trace}" wait=yes
    plain cmd="tiny -d -t ${trace}"
  }`)
  await master.start()
  t.equal(readFileSync(trace, 'utf8').split('\n').slice(0, 2).join(), 'first start 1,second start 1')
  await until('the plain one', () => readFileSync(trace, 'utf8').includes('plain start 1'))
  const pidOf = (name: string): number =>
    childrenOf(master.pid).find((pid) => textOf(`/proc/${pid}/environ`).includes(`CYRUS_SERVICE=${name}\0`))!
  const groupOf = (pid: number): number =>
    Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')[2])
  t.equal(groupOf(pidOf('plain')), master.pid, 'in master’s process group')
  t.not(groupOf(pidOf('first')), master.pid, 'not in master’s')
  const old = pidOf('first')
  process.kill(old, 'SIGKILL')
  await until('the first one again', () => {
    const now = pidOf('first')
    return now !== undefined && now !== old
  })
  await until('its word', () => readFileSync(trace, 'utf8').match(/first start/g)?.length === 2)
  master.kill('SIGTERM')
  t.strictSame(await master.exit, { code: 0, signal: null })
  t.match(readFileSync(trace, 'utf8'), /plain end\nsecond end\nfirst end\n$/, 'backwards, after the others')
})

t.test('DAEMON: a wait=y that says something else', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const trace = master.path('trace')
  master.configure(`DAEMON {\n  good cmd="tiny -d -w okCRLF -t ${trace}" wait=y\n  bad cmd="tiny -d -w nope" wait=y\n}`)
  await master.start({ noWait: true })
  t.strictSame(await master.exit, { code: 78, signal: null })
  t.match(master.log, `daemon 'bad' said "nope" instead of "ok\\r\\n"`)
  await until('the good one to be told to go', () => readFileSync(trace, 'utf8').endsWith('good end\n'))
})

t.test('-V, --help, -P and -x of Cyrus 2.3, -v, -L, -r, -l, -j', async (t) => {
  // MAJOR.MINOR.REV[-extra], which test suites read
  t.match(
    execFileSync(program('ours', 'master'), ['-V'], { encoding: 'utf8' }),
    /^cyrus-imapd 3\.6\.1-cyrus-ts-\d+\.\d+\.\d+\n$/,
  )
  t.match(execFileSync(program('ours', 'master'), ['--help'], { encoding: 'utf8' }), /^usage: master /)
  const version = new Instance()
  t.teardown(() => version.close())
  version.configure('')
  const out = version.path('out')
  writeFileSync(version.path('bin/shout'), '#!/bin/sh\necho shouted\necho cried >&2\nenv | grep CYRUS_VERBOSE\n', {
    mode: 0o755,
  })
  version.configure(
    `START {\n  shout cmd="shout"\n}\nSERVICES {\n  one cmd="testd" listen="${version.path('sock')}"\n}`,
  )
  const ready = version.path('ready')
  await version.start({
    daemon: true,
    args: ['-v', '-v', '-L', out, '-r', ready, '-l', '7', '-j', '5', '-P', '3', '-x', '/x'],
  })
  t.ok(existsSync(ready), 'ready for work')
  t.match(readFileSync(out, 'utf8'), /^shouted\ncried\nCYRUS_VERBOSE=2\n/, 'output of programs')
  const client = await version.connect()
  await client.pid()
  await client.close()
  await until('debug messages of the service', () =>
    readFileSync(out, 'utf8').includes('one: debug: accepted connection'),
  )
  version.kill('SIGTERM')
  await until('the end', () => !isAlive(version.pid))
  t.notOk(existsSync(ready), 'gone at the end')

  const plain = new Instance()
  t.teardown(() => plain.close())
  plain.configure('')
  await plain.start()
  t.ok(existsSync(plain.path('conf/master.ready')), 'where it is by default')

  const refused = new Instance()
  t.teardown(() => refused.close())
  refused.configure('')
  await refused.start({ noWait: true, args: ['-r', refused.path('none/ready')] })
  t.strictSame(await refused.exit, { code: 71, signal: null })
  t.match(refused.log, 'cannot create ready file: ENOENT')
})

t.test('master_bind_errors_fatal', async (t) => {
  const port = await freePort()
  const first = new Instance()
  t.teardown(() => first.close())
  first.configure(`SERVICES {\n  a cmd="tiny" listen=127.0.0.1:${port}\n}`)
  await first.start()
  const second = new Instance('master_bind_errors_fatal: yes\n')
  t.teardown(() => second.close())
  second.configure(`SERVICES {\n  a cmd="tiny" listen=127.0.0.1:${port}\n}`)
  await second.start({ noWait: true })
  t.strictSame(await second.exit, { code: 69, signal: null })
  t.match(second.log, /cannot open a\/ipv4 socket on 127\.0\.0\.1 port \d+: Address already in use/)
})
