/** cyrus.conf as it is found: Debian's own, and samples of the usual kinds, with the real Cyrus' programs under our master; every protocol answers. */
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needsCyrus } from '../lab/needs.js'
import { ROOT } from '../lab/software.js'
import { parseReport } from '../master/figures.js'
import { Client, until } from '../master/instance.js'
import { firstLine, SampleMaster, type SampleService } from './sample_master.js'

/** How each program greets. */
const GREETINGS: Readonly<Record<string, RegExp>> = {
  imapd: /^\* OK .*Cyrus IMAP 3\.6/,
  pop3d: /^\+OK .*Cyrus POP3 3\.6/,
  nntpd: /^200 .*Cyrus NNTP 3\.6/,
  lmtpd: /^220 .*Cyrus LMTP 3\.6/,
  timsieved: /^"IMPLEMENTATION" "Cyrus timsieved/,
  sync_server: /^\* SASL /,
  httpd: /^HTTP\/1\.1 /,
}

async function answers(t: Test, master: SampleMaster, service: SampleService): Promise<void> {
  if (service.datagram) await answersDatagrams(t, master, service)
  else {
    const say = service.program === 'httpd' ? 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' : ''
    t.match(await firstLine(service, say), GREETINGS[service.program]!, `${service.name} (${service.program})`)
  }
}

/** What datagram services answer is theirs to decide; master sees that they took one. */
async function answersDatagrams(t: Test, master: SampleMaster, { name, where }: SampleService): Promise<void> {
  if (typeof where === 'string') {
    const script = 'import socket,sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", sys.argv[1])'
    execFileSync('python3', ['-c', script, where])
  } else {
    const socket = createSocket('udp4')
    await new Promise((resolve) => socket.send('fred|user.fred', where, '127.0.0.1', resolve))
    socket.close()
  }
  const path = join(master.directory.dir, 'conf/stats/master.txt')
  const family = typeof where === 'string' ? 'unix' : 'ipv4'
  await until(`${name} to take a datagram`, () => {
    const figures = existsSync(path) && parseReport(readFileSync(path, 'utf8'))
    return figures && figures.get(`connections_total ${name}/${family}`)! > 0
  })
  t.pass(`${name} takes datagrams`)
}

async function whole(t: Test, path: string): Promise<void> {
  const master = await SampleMaster.start(path)
  t.teardown(() => master.close())
  for (const program of new Set(master.absent)) t.comment(`${program} is not installed here: its entry is left out`)
  if (process.env.CI === 'true') t.strictSame(master.absent, [], 'every program is installed for the gate')
  t.ok(master.services.length > 1)
  for (const service of master.services) await answers(t, master, service)
  t.notMatch(master.log, /error|warning|disabling|unrecognized|in (READY|BUSY) state: now/)
  t.equal(await master.close(), 0)
}

t.test('Debian’s own /etc/cyrus.conf', async (t) => {
  if (needsCyrus(t)) await whole(t, '/etc/cyrus.conf')
})

for (const name of ['small', 'normal', 'prefork', 'backend']) {
  t.test(`sample ${name}`, async (t) => {
    if (needsCyrus(t)) await whole(t, join(ROOT, `test/interop/cyrus_conf/${name}.conf`))
  })
}

t.test('samples master and replica: replicated', async (t) => {
  if (!needsCyrus(t)) return
  const replica = await SampleMaster.start(join(ROOT, 'test/interop/cyrus_conf/replica.conf'))
  t.teardown(() => replica.close())
  const port = replica.service('csync').where
  const master = await SampleMaster.start(
    join(ROOT, 'test/interop/cyrus_conf/master.conf'),
    `sync_log: yes\nsync_host: 127.0.0.1\nsync_port: ${port}\nsync_authname: admin\nsync_password: secret\nsync_try_imap: no\n` +
      'sync_repeat_interval: 1\n',
  )
  t.teardown(() => master.close())
  for (const each of [replica, master]) for (const service of each.services) await answers(t, each, service)
  const imap = await Client.connect(master.service('imap').where)
  await imap.line()
  t.match(await imap.ask('a LOGIN admin secret'), /^a OK/)
  t.match(await imap.ask('b CREATE user/fred'), /^b OK/)
  await imap.close()
  const there = await Client.connect(replica.service('imap').where)
  await there.line()
  t.match(await there.ask('a LOGIN admin secret'), /^a OK/)
  await until('the mailbox on the replica', async () => {
    there.say('l LIST "" *')
    let found = false
    for (let line = await there.line(); !line?.startsWith('l OK'); line = await there.line()) {
      if (line === undefined) throw new Error('the replica closed the connection')
      found ||= line.includes('user/fred')
    }
    return found
  })
  await there.close()
  t.strictSame([await master.close(), await replica.close()], [0, 0])
})
