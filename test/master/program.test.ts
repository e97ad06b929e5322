/** The program master, driven as an administrator and clients do. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { Client, childrenOf, freePort, Instance, isAlive, until } from './instance.js'

t.test('prefork keeps processes ready, and a shut down master leaves none', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" prefork=2
  }`)
  await master.start()
  const children = await until('two children', () => childrenOf(master.pid).length === 2 && childrenOf(master.pid))
  t.equal(readFileSync(master.path('pid'), 'utf8'), `${master.pid}\n`)
  const client = await master.connect()
  t.ok(children.includes(await client.pid()), 'a preforked process serves')
  t.equal(await client.ask('env CYRUS_SERVICE'), 'one')
  t.equal(await client.ask('env CYRUS_ID'), '0')
  master.kill('SIGTERM')
  t.equal(await client.line(), 'bye', 'the conversation is told')
  t.strictSame(await master.exit, { code: 0, signal: null })
  for (const pid of children) t.notOk(isAlive(pid), 'no child is left')
  t.match(master.log, 'attempting clean shutdown on SIGTERM')
  t.match(master.log, 'All children have exited, closing down')
})

t.test('without prefork a process is spawned for the first connection, within maxchild', async (t) => {
  const master = new Instance('service_connections: 1\n')
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" maxchild=2
  }`)
  await master.start()
  t.strictSame(childrenOf(master.pid), [], 'nobody is there before')
  const first = await master.connect()
  const second = await master.connect()
  const third = await master.connect()
  const pids = new Set([await first.pid(), await second.pid()])
  t.equal(pids.size, 2, 'one connection a process')
  t.equal(childrenOf(master.pid).length, 2)
  t.equal(third.waiting, 0, 'the third waits in the backlog')
  first.say('quit')
  t.ok(pids.has(await third.pid()), 'and is served by the process that became free')
  await Promise.all([first.close(), second.close(), third.close()])
})

t.test('a process with several slots is one process for several connections', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}"
  }`)
  await master.start()
  const clients = await Promise.all([1, 2, 3, 4, 5].map(() => master.connect()))
  const pids = await Promise.all(clients.map((client) => client.pid()))
  t.equal(new Set(pids).size, 2, 'four slots, then a second process')
  for (const client of clients) await client.close()
})

t.test('a burst of connections is served to the last one', async (t) => {
  const master = new Instance('service_connections: 500\n')
  t.teardown(() => master.close())
  const port = await freePort()
  master.configure(`SERVICES {
    one cmd="testd" listen=127.0.0.1:${port}
  }`)
  await master.start()
  // All are there before the first process is.
  const clients = await Promise.all(Array.from({ length: 200 }, () => Client.connect(port)))
  const pids = await Promise.all(clients.map((client) => client.pid()))
  t.notOk(pids.some(Number.isNaN), 'everyone is greeted')
  await Promise.all(clients.map((client) => client.close()))
})

t.test('TCP: every address has a socket with a number of its own', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const port = await freePort()
  master.configure(`SERVICES {
    one cmd="testd" listen=${port}
  }`)
  await master.start()
  const four = await Client.connect(port, '127.0.0.1')
  await four.pid()
  t.equal(await four.ask('env CYRUS_ID'), '0')
  await four.close()
  if (!existsSync('/proc/net/if_inet6')) return
  const six = await Client.connect(port, '::1')
  await six.pid()
  t.equal(await six.ask('env CYRUS_ID'), '1')
  await six.close()
})

t.test('children get descriptors 3 and 4 and no other sockets of master', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" maxfds=123
    two cmd="testd" listen="${master.path('sock2')}" prefork=1
  }`)
  await master.start()
  const client = await master.connect()
  const pid = await client.pid()
  const listening = readFileSync('/proc/net/unix', 'utf8')
  const { readdirSync, readlinkSync } = await import('node:fs')
  const held = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return []
    }
  })
  const inodeOf = (path: string): string => {
    const line = listening.split('\n').find((text) => text.endsWith(` ${path}`))!
    return `socket:[${line.trim().split(/\s+/)[6]}]`
  }
  t.ok(held.includes(inodeOf(master.path('sock'))), 'its own listener')
  t.notOk(held.includes(inodeOf(master.path('sock2'))), 'not the other one')
  t.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max open files +123 +123/)
  await client.close()
})

t.test('processes that die before they serve: given up after five, until SIGHUP', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const text = (options: string): string => `SERVICES {
    bad cmd="testd${options}" listen="${master.path('bad')}" prefork=1
    good cmd="testd" listen="${master.path('sock')}"
  }`
  master.configure(text(' -f 1'))
  await master.start()
  await master.logged('ERROR: too many failures for service bad/unix, disabling until next SIGHUP')
  t.equal(master.log.match(/bad\/unix pid \d+ in READY state: terminated abnormally/g)?.length, 5)
  await t.rejects(Client.connect(master.path('bad')), { code: 'ECONNREFUSED' }, 'its socket is closed')
  const client = await master.connect()
  t.ok(await client.pid(), 'others are not affected')
  await client.close()
  master.configure(text(''))
  master.kill('SIGHUP')
  await master.logged('Services reconfigured.')
  const again = await master.connect('bad')
  t.ok(await again.pid(), 'SIGHUP brings it back')
  await again.close()
})

t.test('processes that die while they serve are replaced without end', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}"
  }`)
  await master.start()
  for (let n = 0; n < 7; n++) {
    const client = await master.connect()
    const pid = await client.pid()
    client.say(n % 2 === 0 ? 'kill SIGKILL' : 'exit 1')
    await until('its death', () => !isAlive(pid))
    await client.close()
  }
  t.notMatch(master.log, 'too many failures')
})

t.test('SIGHUP: new, removed and changed services; children are recycled', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd -e old" listen="${master.path('sock')}" prefork=1
    gone cmd="testd" listen="${master.path('gone')}" prefork=1
  }`)
  await master.start()
  const client = await master.connect()
  const before = await client.pid()
  t.equal(await client.ask('option'), 'old')
  const idle = await until('the other child', () => childrenOf(master.pid).find((pid) => pid !== before))
  master.configure(`SERVICES {
    one cmd="testd -e new" listen="${master.path('sock')}" prefork=1
    fresh cmd="testd" listen="${master.path('fresh')}"
  }`)
  master.kill('SIGHUP')
  await master.logged('Services reconfigured.')
  const fresh = await master.connect('fresh')
  t.ok(await fresh.pid(), 'a new service answers right after')
  await until('the idle child of the removed service to leave', () => !isAlive(idle))
  await t.rejects(Client.connect(master.path('gone')), 'nobody listens for it any more')
  t.equal(await client.ask('echo still here'), 'still here', 'a busy child finishes its conversation')
  client.say('quit')
  await until('the old child to leave', () => !isAlive(before))
  const second = await master.connect()
  await second.pid()
  t.equal(await second.ask('option'), 'new')
  for (const each of [client, fresh, second]) await each.close()
})

t.test('SIGHUP: a child that dies of it, too young to heed it, has not failed', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    deaf cmd="/bin/sleep 1000" listen="${master.path('sock')}" prefork=1
  }`)
  await master.start()
  const [before] = await until('the child', () =>
    childrenOf(master.pid).length === 1 ? childrenOf(master.pid) : undefined,
  )
  master.kill('SIGHUP')
  await until('another one', () => !isAlive(before!) && childrenOf(master.pid).length === 1)
  t.notMatch(master.log, /terminated abnormally|was ended by/)
})

t.test('SIGHUP with an error in cyrus.conf changes nothing', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" prefork=1
  }`)
  await master.start()
  const client = await master.connect()
  await client.pid()
  writeFileSync(master.path('cyrus.conf'), 'SERVICES {\n  one cmd="unfinished\n}\n')
  master.kill('SIGHUP')
  await master.logged(/reload refused, nothing has changed: .*cyrus\.conf:2: missing "/)
  t.equal(await client.ask('echo hello'), 'hello')
  await client.close()
})

t.test('START: a failure stops everything, with its name and line', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`START {
    fine cmd="/bin/sh -c exit"
    wrong cmd="/bin/false"
  }
  SERVICES {
    one cmd="testd" listen="${master.path('sock')}"
  }`)
  await master.start({ noWait: true })
  t.strictSame(await master.exit, { code: 71, signal: null })
  t.match(master.log, /cyrus\.conf:3: can't run startup 'wrong': exited with status 1/)
  t.notOk(existsSync(master.path('sock')), 'nothing was opened')
})

t.test('EVENTS run at start and are not waited for', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`EVENTS {
    slow cmd="/bin/sleep 60"
    touch cmd="/usr/bin/touch ${master.path('event')}" period=1
  }`)
  await master.start()
  await until('the event', () => existsSync(master.path('event')))
  master.kill('SIGTERM')
  t.strictSame(await master.exit, { code: 0, signal: null }, 'a running event does not hold up the end')
})

t.test('DAEMON: restarted when it ends; wait=y is waited for, and stopped last', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const script = master.path('bin/daemon')
  writeFileSync(
    script,
    `#!/bin/sh\necho "$1 start $CYRUS_ISDAEMON" >>${master.path('trace')}\n` +
      `trap 'echo "$1 end" >>${master.path('trace')}; exit 0' TERM\n` +
      `[ "$2" = wait ] && printf 'ok\\r\\n' >&3\nwhile :; do sleep 0.05; done\n`,
    { mode: 0o755 },
  )
  master.configure(`DAEMON {
    waits cmd="daemon waits wait" wait=y
    plain cmd="daemon plain"
  }`)
  await master.start()
  t.match(readFileSync(master.path('trace'), 'utf8'), /^waits start 1\n/, 'was up before master was ready')
  const trace = (): string => readFileSync(master.path('trace'), 'utf8')
  await until('the plain daemon', () => trace().includes('plain start'))
  const children = childrenOf(master.pid)
  const plain = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('plain'))!
  process.kill(plain, 'SIGTERM')
  await until('its restart', () => trace().match(/plain start/g)?.length === 2)
  master.kill('SIGTERM')
  t.strictSame(await master.exit, { code: 0, signal: null })
  t.match(trace(), /plain end\n[\s\S]*plain end\nwaits end\n$/, 'the waiting daemon went last')
})

t.test('a waiting daemon that does not come up stops everything', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure('DAEMON {\n  bad cmd="/bin/true" wait=y\n}')
  await master.start({ noWait: true })
  t.strictSame(await master.exit, { code: 78, signal: null })
  t.match(master.log, "daemon 'bad' ended without becoming ready")
})

t.test('-d returns when master is up, and with its status when it is not', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" prefork=1
  }`)
  await master.start({ daemon: true })
  t.ok(isAlive(master.pid))
  t.not(master.pid, master.child!.pid)
  const client = await master.connect()
  t.ok(await client.pid(), 'serves at once')
  await client.close()
  t.notOk(existsSync(master.path('pid.lock')))

  const { pid } = master
  await t.rejects(master.start({ daemon: true }), /left with 71: .*another master still running\? pid \d+ has it/s)
  t.ok(isAlive(pid), 'the first one goes on')

  const broken = new Instance()
  t.teardown(() => broken.close())
  broken.configure('START {\n  wrong cmd="/bin/false"\n}')
  await t.rejects(broken.start({ daemon: true }), /left with 71/)
})

t.test('bad configuration: one line that names file and line', async (t) => {
  const cases: [text: string, status: number, message: RegExp][] = [
    ['SERVICES {\n  one listen=1\n}', 78, /cyrus\.conf:2: unable to find command or port for service 'one'/],
    ['SERVICES {\n\n  no-name cmd="testd" listen=1\n}', 78, /cyrus\.conf:3: bad character '-' in name/],
    ['SERVICES {\n  one cmd="nothere" listen=1\n}', 78, /cyrus\.conf:2: cannot find executable for service 'one'/],
    [
      'SERVICES {\n  one cmd="testd" listen=1\n  one cmd="testd" listen=2\n}',
      78,
      /cyrus\.conf:3: multiple entries for service 'one'/,
    ],
  ]
  for (const [text, status, message] of cases) {
    const master = new Instance()
    master.configure(text)
    await master.start({ noWait: true })
    t.strictSame(await master.exit, { code: status, signal: null })
    t.match(master.log, message)
    await master.close()
  }
})

t.test('a listener that cannot be had disables its service only', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const port = await freePort()
  master.configure(`SERVICES {
    A cmd="testd" listen=127.0.0.1:${port}
    B cmd="testd" listen=127.0.0.1:${port}
    C cmd="testd" listen=no.such.name.invalid:1
    D cmd="testd" listen=nosuchport
    E cmd="testd" listen="${master.path('sock')}"
  }`)
  await master.start()
  t.match(master.log, 'unable to create B listener socket: Address already in use')
  t.match(master.log, /"no\.such\.name\.invalid" does not resolve .*disabling C/)
  t.match(master.log, /"nosuchport" is no port number .*disabling D/)
  const client = await master.connect()
  t.ok(await client.pid())
  await client.close()
})

t.test('a bad command line', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure('')
  await master.start({ noWait: true, args: ['-d'] })
  t.strictSame(await master.exit, { code: 64, signal: null })
  t.match(master.log, 'options -d and -D exclude each other')
})
