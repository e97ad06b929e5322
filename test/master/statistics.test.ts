/** What master tells of itself: the report as a file and over HTTP, and its words about services that misbehave. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import t, { type Test } from 'tap'
import { CrowdGuard } from '../../master/crowding.js'
import { listenPoint } from '../../master/prometheus_server.js'
import { parseReport } from './figures.js'
import { freePort, Instance, until } from './instance.js'

interface Answer {
  status: number
  type: string
  text: string
}

function ask(port: number, path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      let text = ''
      response.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
      response.on('end', () =>
        resolve({ status: response.statusCode!, type: response.headers['content-type'] ?? '', text }),
      )
    })
    request.on('error', reject)
    request.end()
  })
}

async function work(t: Test, master: Instance): Promise<void> {
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" prefork=1 maxchild=3 maxforkrate=50
    two cmd="testd" listen="${master.path('two')}"
  }
  DAEMON {
    helper cmd="/bin/sleep 1000"
  }`)
  await master.start()
  const clients = [await master.connect(), await master.connect(), await master.connect('two')]
  for (const client of clients) await client.pid()
  const third = await master.connect()
  await third.pid()
  t.teardown(() => Promise.all([...clients, third].map((client) => client.close())))
}

function check(t: Test, samples: Map<string, number>): void {
  const expected: Record<string, number> = {
    'ready_workers one/unix': 1,
    'forks_total one/unix': 1,
    'active_children one/unix': 1,
    'max_children one/unix': 3,
    'max_children two/unix': 2147483647,
    'greatest_children one/unix': 1,
    'max_forks_per_second one/unix': 50,
    'max_forks_per_second helper/daemon': 10,
    'ready_fails_total one/unix': 0,
    'connections_total one/unix': 3,
    'connections_total two/unix': 1,
    'accept_waits_total one/unix': 0,
    'accept_waits_total two/unix': 1,
    'active_children helper/daemon': 1,
  }
  for (const [name, value] of Object.entries(expected)) t.equal(samples.get(name), value, name)
  t.type(samples.get('forks_per_second one/unix'), 'number')
}

t.test('the report is a file of its own accord', async (t) => {
  const master = new Instance('prometheus_update_freq: 1s\n')
  t.teardown(() => master.close())
  await work(t, master)
  const path = master.path('conf/stats/master.txt')
  const report = await until('the report', () => {
    const samples = existsSync(path) && parseReport(readFileSync(path, 'utf8'))
    return samples && samples.get('connections_total one/unix') === 3 && samples
  })
  check(t, report)
  t.notOk(readFileSync(`/proc/${master.pid}/maps`, 'utf8').includes('prom-client'))
})

t.test('prometheus_listen: the same over HTTP', async (t) => {
  const port = await freePort()
  const master = new Instance(`prometheus_listen: 127.0.0.1:${port}\nprometheus_enabled: no\n`)
  t.teardown(() => master.close())
  await work(t, master)
  await master.logged(`metrics are served on 127.0.0.1 port ${port}`)
  const answer = await until('all connections to be reported', async () => {
    const got = await ask(port, '/metrics')
    return got.text.includes('connections_total{service="one",family="unix"} 3') && got
  })
  t.equal(answer.status, 200)
  t.match(answer.type, /^text\/plain; version=0\.0\.4/)
  check(t, parseReport(answer.text))
  t.match(await ask(port, '/'), { status: 404 })
  t.match(await ask(port, '/metrics?x', 'HEAD'), { status: 200, text: '' })
  t.match(await ask(port, '/metrics', 'POST'), { status: 405 })
  t.notOk(existsSync(master.path('conf/stats')), 'switched off is off')
  mkdirSync(master.path('conf/stats'))
  writeFileSync(master.path('conf/stats/sync_client.txt'), 'cyrus_sync_connected{channel=""} 1\n')
  t.match((await ask(port, '/metrics')).text, /\ncyrus_sync_connected\{channel=""\} 1\n$/, 'what others report')
  master.kill('SIGTERM')
  t.strictSame(await master.exit, { code: 0, signal: null })
  await t.rejects(ask(port, '/metrics'), { code: 'ECONNREFUSED' })
})

t.test('prometheus_listen: what can be wrong', async (t) => {
  const wrong = new Instance('prometheus_listen: nosuchport\n')
  t.teardown(() => wrong.close())
  wrong.configure('')
  await wrong.start({ noWait: true })
  t.strictSame(await wrong.exit, { code: 78, signal: null })
  t.match(wrong.log, /imapd\.conf:4: prometheus_listen must be \[host:\]port or \/path, not "nosuchport"/)

  const port = await freePort()
  const taken = new Instance(`prometheus_listen: ${port}\n`)
  t.teardown(() => taken.close())
  const server = http.createServer().listen(port, '127.0.0.1')
  t.teardown(() => server.close())
  taken.configure(`SERVICES {\n  one cmd="testd" listen="${taken.path('sock')}"\n}`)
  await taken.start()
  await taken.logged(/prometheus_listen: listen EADDRINUSE/)
  const client = await taken.connect()
  t.ok(await client.pid(), 'mail goes on')
  await client.close()

  t.strictSame(listenPoint('9100'), { host: '127.0.0.1', port: 9100 }, 'without host: this machine only')
  t.strictSame(listenPoint('*:9100'), { host: '::', port: 9100 })
  t.strictSame(listenPoint('[::1]:9100'), { host: '::1', port: 9100 })
  t.strictSame(listenPoint('/run/x'), { path: '/run/x' })
})

t.test('clients that wait at maxchild: said once, with what to do', async (t) => {
  const master = new Instance('service_connections: 1\nprometheus_update_freq: 1s\n')
  t.teardown(() => master.close())
  master.configure(`SERVICES {\n  one cmd="testd" listen="${master.path('sock')}" maxchild=1\n}`)
  await master.start()
  const [first, second] = [await master.connect(), await master.connect()]
  await first.pid()
  await master.logged(
    /service one\/unix has all the processes it may have \(maxchild=1\), all are busy, and clients wait/,
  )
  t.match(
    master.log,
    '`cyr_info proc` tells who they serve; raise maxchild (or one_service_connections) and send SIGHUP',
  )
  first.say('quit')
  t.ok(await second.pid(), 'served once there is room')
  await until('the wait in the report', () =>
    readFileSync(master.path('conf/stats/master.txt'), 'utf8').includes(
      'accept_waits_total{service="one",family="unix"} 2',
    ),
  )
  t.equal(master.log.match(/all are busy, and clients wait/g)?.length, 1)
  await Promise.all([first.close(), second.close()])
})

t.test('when to speak of a crowd', async (t) => {
  const guard = new CrowdGuard()
  const looks = (...at: [boolean, number][]): unknown[] => at.map(([waiting, now]) => guard.look(waiting, now))
  t.strictSame(looks([false, 0], [true, 100], [true, 600], [true, 1100], [true, 1600]), [
    undefined,
    'begun',
    undefined,
    'tell',
    undefined,
  ])
  t.strictSame(looks([false, 2000], [true, 3000], [true, 9000]), [undefined, 'begun', undefined], 'not again')
  guard.reset()
  t.strictSame(looks([true, 10_000], [true, 12_000]), ['begun', 'tell'])
})

t.test('a crash loop: said once, with what to do', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    bad cmd="testd -f 3" listen="${master.path('bad')}" prefork=1
    sat cmd="testd -f 4" listen="${master.path('sat')}" babysit=1 maxforkrate=100
  }`)
  await master.start()
  await master.logged(/ERROR: too many failures for service bad\/unix, disabling until next SIGHUP/)
  t.match(
    master.log,
    /bad\/unix, disabling until next SIGHUP: 5 processes in a row exited with 3 before they served anyone; look for lines of bad in this log, or run its command by hand: testd -C \S+ -f 3, then `kill -HUP \d+`/,
  )
  await master.logged(
    /ERROR: too many failures for service sat\/unix, disabling for 10 seconds, again and again: 5 processes/,
  )
  t.equal(master.log.match(/ERROR: too many/g)?.length, 2)
})
