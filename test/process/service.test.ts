/** The service side of the process model, with the test itself in master's place: a listening socket on 4, a status pipe on 3. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { isNonBlocking, pipe } from '../../lib/os/fd.js'
import { tryLock, unlock } from '../../lib/os/file_lock.js'
import { boundPort, listenSocket } from '../../lib/os/socket.js'
import { decodeStatus } from '../../lib/process/status.js'
import { Client, isAlive, until } from '../master/instance.js'

const PROGRAM = fileURLToPath(new URL('program/main.js', import.meta.url))

class FakeMaster {
  readonly dir = mkdtempSync(join(tmpdir(), 'service-'))
  readonly listenFd = listenSocket({ family: 'ipv4', host: '127.0.0.1', port: 0 })
  readonly port = boundPort(this.listenFd)
  readonly #pipe = pipe()
  readonly #children: ChildProcess[] = []
  /** messages in order, for each pid */
  readonly said: { message: number; pid: number }[] = []
  errors = ''

  constructor(t: Test, conf = '') {
    for (const name of ['socket', 'proc']) mkdirSync(join(this.dir, name))
    writeFileSync(
      join(this.dir, 'imapd.conf'),
      `configdirectory: ${this.dir}\npartition-default: ${this.dir}/spool\n${conf}`,
    )
    const reader = new net.Socket({ fd: this.#pipe.readEnd, readable: true, writable: false })
    reader.on('data', (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += 8) this.said.push(decodeStatus(bytes, at))
    })
    t.teardown(async () => {
      for (const child of this.#children) {
        if (child.exitCode === null && child.signalCode === null) {
          child.kill('SIGKILL')
          await once(child, 'exit')
        }
      }
      reader.destroy()
      closeSync(this.#pipe.writeEnd)
      closeSync(this.listenFd)
      rmSync(this.dir, { recursive: true, force: true })
    })
  }

  spawn(args: string[] = [], environment: Record<string, string | undefined> = {}, program = PROGRAM): ChildProcess {
    const child = spawn(process.execPath, [program, '-C', join(this.dir, 'imapd.conf'), ...args], {
      stdio: ['ignore', 'ignore', 'pipe', this.#pipe.writeEnd, this.listenFd],
      env: { ...process.env, CYRUS_SERVICE: 'test', CYRUS_ID: '0', CYRUS_LOG_STDERR: '1', ...environment },
    })
    child.stderr!.on('data', (bytes: Buffer) => {
      this.errors += bytes.toString()
    })
    this.#children.push(child)
    return child
  }

  connect(): Promise<Client> {
    return Client.connect(this.port)
  }

  /** Waits until so many messages came, and gives them without pids. */
  async messages(count: number): Promise<number[]> {
    await until(`${count} messages, got ${JSON.stringify(this.said)}`, () => this.said.length >= count)
    return this.said.map(({ message }) => message)
  }
}

async function exitOf(child: ChildProcess): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode ?? child.signalCode!
}

t.test('one slot: 2 3 1 for each connection, nothing at start', async (t) => {
  const master = new FakeMaster(t, 'service_connections: 1\n')
  const child = master.spawn()
  const first = await master.connect()
  t.equal(await first.pid(), child.pid)
  t.strictSame(await master.messages(2), [2, 3])
  const second = await master.connect()
  t.equal(second.waiting, 0)
  first.say('quit')
  await second.pid()
  t.strictSame(await master.messages(5), [2, 3, 1, 2, 3])
  t.ok(master.said.every(({ pid }) => pid === child.pid))
  t.notOk(isNonBlocking(master.listenFd), 'the listener stays blocking')
  await second.close()
  t.strictSame(await master.messages(6), [2, 3, 1, 2, 3, 1])
})

t.test('several slots: available until full', async (t) => {
  const master = new FakeMaster(t, 'test_service_connections: 3\n')
  master.spawn()
  const clients: Client[] = []
  for (let n = 0; n < 3; n++) {
    const client = await master.connect()
    await client.pid()
    clients.push(client)
  }
  t.strictSame(await master.messages(4), [4, 4, 2, 3])
  const waiting = await master.connect()
  clients[1]!.say('quit')
  await waiting.pid()
  t.strictSame(await master.messages(7), [4, 4, 2, 3, 1, 2, 3])
  for (const client of [...clients, waiting]) await client.close()
  t.strictSame(await master.messages(8), [4, 4, 2, 3, 1, 2, 3, 1])
})

t.test('two processes share a listener, and its lock', async (t) => {
  const master = new FakeMaster(t, 'service_connections: 1\n')
  const children = [master.spawn(), master.spawn()]
  const clients = [await master.connect(), await master.connect()]
  const pids = await Promise.all(clients.map((client) => client.pid()))
  t.strictSame(new Set(pids), new Set(children.map(({ pid }) => pid)))
  for (const client of clients) await client.close()
})

t.test('the accept lock is heeded, and not held by a process without a free slot', async (t) => {
  const master = new FakeMaster(t, 'service_connections: 1\n')
  const lock = openSync(join(master.dir, 'socket/test-0.lock'), 'a', 0o600)
  t.ok(tryLock(lock))
  const child = master.spawn()
  const client = await master.connect()
  // The process is up once its signal handlers are; a lock that is not heeded would have let it accept long before.
  await until('the process to wait for the lock', () => waitsForLock(child.pid!))
  t.equal(client.waiting, 0, 'nobody accepts while another process has the lock')
  unlock(lock)
  t.equal(await client.pid(), child.pid)
  await until('the lock to be free while the process is full', () => tryLock(lock))
  closeSync(lock)
  await client.close()
})

/** Whether a process waits for a file lock, by the kernel's list (`->` marks those that wait). */
function waitsForLock(pid: number): boolean {
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .some((line) => line.includes('->') && line.split(/\s+/).includes(String(pid)))
}

t.test('SIGHUP: idle at once, busy after its connections; 0', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn()
  const client = await master.connect()
  await client.pid()
  child.kill('SIGHUP')
  t.strictSame(await master.messages(2), [4, 2], 'it says that it takes no more')
  t.equal(await client.ask('echo on'), 'on')
  client.say('quit')
  t.equal(await exitOf(child), 0)

  const idle = master.spawn()
  const other = await master.connect()
  await other.pid()
  await other.close()
  idle.kill('SIGHUP')
  t.equal(await exitOf(idle), 0)
})

t.test('SIGTERM: conversations are told; 75', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn()
  const client = await master.connect()
  await client.pid()
  child.kill('SIGTERM')
  t.equal(await client.line(), 'bye')
  t.equal(await exitOf(child), 75)
  t.match(master.errors, 'test: stopped', 'the service cleaned up')
})

t.test('SIGTERM: a conversation that does not end is ended after 10 s', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn()
  const client = await master.connect()
  await client.pid()
  t.equal(await client.ask('hang'), 'hanging')
  const from = Date.now()
  child.kill('SIGTERM')
  t.equal(await exitOf(child), 75)
  const took = Date.now() - from
  t.ok(took > 9_000 && took < 14_000, `took ${took} ms`)
  t.match(master.errors, '1 connections did not end within 10 s of SIGTERM')
})

t.test('-U: leaves with 0 after so many connections', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn(['-U', '3'])
  const clients: Client[] = []
  for (let n = 0; n < 3; n++) {
    clients.push(await master.connect())
    await clients[n]!.pid()
  }
  t.strictSame(await master.messages(4), [4, 4, 2, 3], 'the last one makes it unavailable')
  const fourth = await master.connect()
  for (const client of clients) client.say('quit')
  t.equal(await exitOf(child), 0)
  t.equal(fourth.waiting, 0, 'a fourth one waits for another process')
  const next = master.spawn()
  t.equal(await fourth.pid(), next.pid)
  await fourth.close()
})

t.test('-T: leaves when idle, but not before its first connection', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn(['-T', '1'])
  const early = master.spawn(['-T', '1'], { CYRUS_ID: '1' })
  const client = await master.connect()
  const served = await client.pid()
  await client.close()
  const [used, unused] = served === child.pid ? [child, early] : [early, child]
  t.equal(await exitOf(used), 0)
  t.ok(isAlive(unused.pid!), 'one that never had a connection stays')
})

t.test('a handler that fails ends its connection only; an uncaught exception ends the process with 70', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn()
  const [good, bad, worse] = [await master.connect(), await master.connect(), await master.connect()]
  for (const client of [good, bad, worse]) await client.pid()
  bad.say('reject')
  t.equal(await bad.line(), undefined, 'closed')
  t.equal(await good.ask('echo on'), 'on')
  t.match(master.errors, /connection from \[127\.0\.0\.1\]: Error: told to\\n {4}at .* SESSIONID=<\S+>/)
  worse.say('throw')
  t.equal(await exitOf(child), 70)
  t.match(master.errors, /fatal: Error: told to\\n {4}at /)
  await good.close()
})

t.test('a replaced program file: leaves with 0', async (t) => {
  const master = new FakeMaster(t)
  const copy = join(master.dir, 'main.mjs')
  writeFileSync(copy, `import ${JSON.stringify(PROGRAM)}\n`)
  const child = master.spawn([], {}, copy)
  const client = await master.connect()
  await client.pid()
  utimesSync(copy, new Date(0), new Date(0))
  const next = await master.connect()
  client.say('quit')
  t.equal(await exitOf(child), 0)
  t.match(master.errors, 'program file has changed')
  t.equal(next.waiting, 0, 'the connection is left to the next process')
})

t.test('proc/ shows who is connected', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn()
  const client = await master.connect()
  await client.pid()
  await client.ask('user fred')
  const path = join(master.dir, 'proc', String(child.pid))
  await until('the entry', () => existsSync(path) && readFileSync(path, 'utf8') === 'test\t[127.0.0.1]\tfred\t\t\n')
  client.say('quit')
  await until('the entry to go', () => !existsSync(path))
  t.match(await (await master.connect()).line(), /^hello/)
})

t.test('ps shows service, client, user, mailbox and command; pgrep finds the program', async (t) => {
  const master = new FakeMaster(t)
  const child = master.spawn()
  const title = (): string =>
    readFileSync(`/proc/${child.pid}/cmdline`, 'latin1').replace(/\0+$/, '').replaceAll('\0', ' ')
  await until('a title', () => title().startsWith('testd '))
  t.equal(title(), `testd -C ${join(master.dir, 'imapd.conf')}`, 'at first what cyrus.conf says')
  const client = await master.connect()
  await client.pid()
  await until('the client', () => title() === 'test: [127.0.0.1]')
  await client.ask('user fred')
  await client.ask('mailbox user.fred')
  await client.ask('command Noop')
  await until('the user', () => title() === 'test: [127.0.0.1] fred user.fred Noop')
  const other = await master.connect()
  await until('both', () => title() === 'test: 2 connections')
  t.equal(readFileSync(`/proc/${child.pid}/comm`, 'utf8'), 'testd\n')
  await Promise.all([client.close(), other.close()])
  await until('nobody', () => title() === 'test: idle')
})

t.test('log lines of a conversation end with its session id', async (t) => {
  const master = new FakeMaster(t, 'syslog_prefix: px\n')
  master.spawn()
  const client = await master.connect()
  await client.pid()
  const id = await client.ask('session')
  await client.ask('log something')
  await until('the line', () => master.errors.includes(`test: something SESSIONID=<${id}>\n`))
  await client.ask(`log about ${id}`)
  await until('the other, with the id once', () => master.errors.includes(`test: about ${id}\n`))
  await client.close()
})

t.test('session ids', async (t) => {
  const master = new FakeMaster(t, 'syslog_prefix: px\n')
  const child = master.spawn()
  const [one, two] = [await master.connect(), await master.connect()]
  await one.pid()
  await two.pid()
  const ids = [await one.ask('session'), await two.ask('session')]
  for (const id of ids) t.match(id, new RegExp(`^px-\\d+-${child.pid}-\\d+-\\d+$`))
  t.not(ids[0], ids[1])
  await one.close()
  await two.close()
})

t.test('without its environment: 70; with a bad command line: 64; with a bad imapd.conf: 78', async (t) => {
  const master = new FakeMaster(t)
  t.equal(await exitOf(master.spawn([], { CYRUS_SERVICE: undefined })), 70)
  t.match(master.errors, 'CYRUS_SERVICE and CYRUS_ID are not in the environment')
  t.equal(await exitOf(master.spawn(['-Z'])), 64)
  t.match(master.errors, 'unknown option -Z; try testd --help')
  t.equal(await exitOf(master.spawn(['-U', 'x'])), 64)
  writeFileSync(join(master.dir, 'imapd.conf'), 'configdirectory /x\n')
  t.equal(await exitOf(master.spawn()), 78)
  t.match(master.errors, /imapd\.conf:1: /)
})

t.test('-X serves stdin and stdout once, without master', async (t) => {
  const master = new FakeMaster(t)
  const child = spawn(process.execPath, [PROGRAM, '-C', join(master.dir, 'imapd.conf'), '-X'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, CYRUS_SERVICE: '', CYRUS_ID: '' },
  })
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => {
    said += bytes.toString()
  })
  child.stdin.write('echo over pipes\nquit\n')
  const [status] = await once(child, 'close')
  t.equal(status, 0)
  t.equal(said, `hello ${child.pid}\r\nover pipes\r\n`)
})
