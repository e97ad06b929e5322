/** The system calls that Node lacks: addresses, listening without accepting, polling, locks, descriptors; and the programs' launchers. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { duplicate, isNonBlocking, isOpen, pipe, setNonBlocking } from '../../lib/os/fd.js'
import { lock, lockHolder, tryLock, unlock } from '../../lib/os/file_lock.js'
import { groupExists, groupsOf, isGroupMember, readGroups } from '../../lib/os/groups.js'
import { linkPrograms } from '../../lib/os/link_programs.js'
import { Poller, readableNow } from '../../lib/os/poll.js'
import { accept, boundPort, encodeAddress, LONGEST_UNIX_PATH, listenSocket, socketKind } from '../../lib/os/socket.js'
import { findUser } from '../../lib/os/user.js'

const DIST = fileURLToPath(new URL('../..', import.meta.url))

function temporary(): string {
  const dir = mkdtempSync(join(tmpdir(), 'os-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

t.test('addresses are the bytes that the kernel wants', async (t) => {
  const hex = (address: Parameters<typeof encodeAddress>[0]): string => encodeAddress(address).toString('hex')
  t.equal(hex({ family: 'ipv4', host: '127.0.0.1', port: 143 }), '0200008f7f0000010000000000000000')
  const ipv6 = (host: string): string => hex({ family: 'ipv6', host, port: 143 }).slice(16, 48)
  t.equal(ipv6('::'), '0'.repeat(32))
  t.equal(ipv6('::1'), `${'0'.repeat(31)}1`)
  t.equal(ipv6('fe80::1:2'), 'fe800000000000000000000000010002')
  t.equal(ipv6('1:2:3:4:5:6:7:8'), '00010002000300040005000600070008')
  t.equal(ipv6('::ffff:1.2.3.4'), '00000000000000000000ffff01020304')
  t.equal(hex({ family: 'unix', path: '/a' }), '01002f6100')
  t.throws(() => encodeAddress({ family: 'unix', path: `/${'x'.repeat(LONGEST_UNIX_PATH)}` }), { code: 'ENAMETOOLONG' })
})

t.test('a listener that nobody accepts from, polled, then accepted from', async (t) => {
  const fd = listenSocket({ family: 'ipv4', host: '127.0.0.1', port: 0 })
  const port = boundPort(fd)
  t.notOk(isNonBlocking(fd))
  t.strictSame(socketKind(fd), { datagram: false, unix: false })
  const poller = new Poller()
  t.strictSame(readableNow([fd]), [])
  t.strictSame(await poller.wait([fd], 20), [], 'nobody came')
  const waiting = poller.wait([fd])
  const client = net.connect(port, '127.0.0.1')
  t.strictSame(await waiting, [fd], 'wakes for a connection')
  t.strictSame(readableNow([fd]), [fd], 'which still waits')
  const connection = accept(fd)!
  const server = new net.Socket({ fd: connection, readable: true, writable: true })
  server.end('hello')
  const [data] = await once(client, 'data')
  t.equal(String(data), 'hello')
  t.strictSame(readableNow([fd]), [])
  client.destroy()
  server.destroy()
  closeSync(fd)
  poller.close()
})

t.test('wake() ends a wait, also one that comes later', async (t) => {
  const fd = listenSocket({ family: 'ipv4', host: '127.0.0.1', port: 0 })
  const poller = new Poller()
  const waiting = poller.wait([fd])
  poller.wake()
  t.strictSame(await waiting, [])
  poller.wake()
  t.strictSame(await poller.wait([fd]), [])
  const last = poller.wait([fd])
  poller.close()
  t.strictSame(await last, [])
  t.strictSame(await poller.wait([fd]), [], 'closed')
  closeSync(fd)
})

t.test('IPv6 sockets are for IPv6 only', async (t) => {
  let six: number
  try {
    six = listenSocket({ family: 'ipv6', host: '::', port: 0 })
  } catch {
    return t.pass('no IPv6 here')
  }
  const four = listenSocket({ family: 'ipv4', host: '0.0.0.0', port: boundPort(six) })
  t.ok(four, 'the same port is free for IPv4')
  closeSync(four)
  closeSync(six)
})

t.test('UNIX sockets replace stale ones, are open to all, and leave other files alone', async (t) => {
  const path = join(temporary(), 'sock')
  const first = listenSocket({ family: 'unix', path })
  const second = listenSocket({ family: 'unix', path })
  t.equal(statSync(path).mode & 0o777, 0o777)
  t.strictSame(socketKind(second), { datagram: false, unix: true })
  closeSync(first)
  closeSync(second)
  const file = join(temporary(), 'file')
  writeFileSync(file, 'precious')
  t.throws(() => listenSocket({ family: 'unix', path: file }), { code: 'EADDRINUSE', reason: 'Address already in use' })
  t.ok(statSync(file).isFile())
})

t.test('errors carry code and words', async (t) => {
  const fd = listenSocket({ family: 'ipv4', host: '127.0.0.1', port: 0 })
  t.throws(() => listenSocket({ family: 'ipv4', host: '127.0.0.1', port: boundPort(fd) }), {
    code: 'EADDRINUSE',
    syscall: 'bind',
    message: `bind 127.0.0.1 port ${boundPort(fd)}: Address already in use`,
  })
  closeSync(fd)
  t.equal(socketKind(fd), undefined, 'a closed descriptor is no socket')
})

t.test('descriptors', async (t) => {
  const { readEnd, writeEnd } = pipe()
  const copy = duplicate(readEnd, 40)
  t.ok(copy >= 40)
  setNonBlocking(copy, true)
  t.ok(isNonBlocking(readEnd), 'the flag belongs to what both stand for')
  for (const fd of [readEnd, writeEnd, copy]) closeSync(fd)
  t.notOk(isOpen(copy))
})

t.test('locks exclude other processes, and waiting for one works', async (t) => {
  const path = join(temporary(), 'lock')
  const fd = openSync(path, 'a')
  t.equal(lockHolder(fd), undefined)
  const script =
    `import { openSync } from 'node:fs'; import { tryLock, unlock } from ${JSON.stringify(join(DIST, 'lib/os/file_lock.js'))};` +
    `const fd = openSync(${JSON.stringify(path)}, 'a'); console.log(tryLock(fd)); process.stdin.on('data', () => { unlock(fd); console.log('let go') })`
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => other.kill())
  const [held] = await once(other.stdout, 'data')
  t.equal(String(held), 'true\n')
  t.equal(tryLock(fd), false)
  t.equal(lockHolder(fd), other.pid)
  let got = false
  const waiting = lock(fd).then(() => {
    got = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(got)
  other.stdin.write('x')
  await waiting
  t.equal(lockHolder(fd), undefined, 'ours now')
  unlock(fd)
  closeSync(fd)
})

t.test('users', async (t) => {
  t.match(findUser('root'), { uid: 0, gid: 0 })
  t.equal(findUser('no such user'), undefined)
})

t.test('launchers: find their program beside themselves, through links, after a move; the pid stays', async (t) => {
  const dir = temporary()
  const dist = join(dir, 'dist')
  mkdirSync(join(dist, 'services/hello'), { recursive: true })
  mkdirSync(join(dist, 'services/empty'))
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(dist, 'services/hello/main.js'),
    'console.log(process.pid, process.argv.slice(2).join("|"), process.env.CYRUS_BINDIR)',
  )
  t.strictSame(linkPrograms(dist, join(dist, 'bin')), ['hello'])
  t.equal(statSync(join(dist, 'bin/hello')).mode & 0o777, 0o755)
  const run = async (program: string): Promise<{ text: string; pid: number }> => {
    const child = spawn(program, ['a b', "c'd"], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (bytes) => {
      text += String(bytes)
    })
    await once(child, 'close')
    return { text, pid: child.pid! }
  }
  const straight = await run(join(dist, 'bin/hello'))
  t.equal(straight.text, `${straight.pid} a b|c'd ${dist}/bin\n`)
  const moved = join(dir, 'else where')
  renameSync(dist, moved)
  symlinkSync(join(moved, 'bin/hello'), join(dir, 'absolute'))
  symlinkSync('absolute', join(dir, 'relative'))
  for (const name of ['absolute', 'relative']) {
    const { text, pid } = await run(join(dir, name))
    t.equal(text, `${pid} a b|c'd ${moved}/bin\n`, name)
  }
  chmodSync(join(moved, 'bin/hello'), 0o644)
  linkPrograms(moved, join(moved, 'bin'))
  t.equal(
    execFileSync('sh', [join(moved, 'bin/hello'), 'x'])
      .toString()
      .includes(' x '),
    true,
  )
})

t.test('groups from files', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'groups-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const [group, passwd] = [join(directory, 'group'), join(directory, 'passwd')]
  writeFileSync(group, 'staff:x:50:alice,bob\n# none\nempty:x:51:\nbroken\n')
  writeFileSync(passwd, 'carol:x:1000:51:Carol:/:/bin/sh\ndave:x:1001:50::/:\n')
  const members = readGroups(group, passwd)
  t.same([...members.get('staff')!], ['alice', 'bob', 'dave'])
  t.same([...members.get('empty')!], ['carol'], 'a primary group')
  t.same(readGroups(join(directory, 'none'), passwd).size, 0)
  t.ok(groupExists('root'))
  t.ok(isGroupMember('root', 'root'))
  t.ok(groupsOf('root').includes('root'))
  t.notOk(isGroupMember('nobody-at-all', 'root'))
})
