/** A real Cyrus 3.6.1 master runs services of ours. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { launcher } from '../../lib/os/link_programs.js'
import { needsCyrus } from '../lab/needs.js'
import { Client, childrenOf, freePort, isAlive, until } from '../master/instance.js'
import { cyrusDirectory } from './cyrus_config.js'

const DIST = fileURLToPath(new URL('../..', import.meta.url))

t.test('the test service and lmtpd under the real master', async (t) => {
  if (!needsCyrus(t)) return
  const { dir, imapdConf, cyrusConf, pidFile } = cyrusDirectory('secret')
  const log = join(dir, 'run/log')
  const bin = join(dir, 'bin')
  mkdirSync(bin)
  const place = (name: string, main: string): string => {
    writeFileSync(join(bin, name), launcher(main, process.execPath).replace('"$here"/', ''))
    chmodSync(join(bin, name), 0o755)
    return join(bin, name)
  }
  const testd = place('testd', join(DIST, 'test/process/program/main.js'))
  const lmtpd = place('lmtpd', join(DIST, 'services/lmtpd/main.js'))
  const port = await freePort()
  const socket = join(dir, 'run/sock')
  const lmtp = join(dir, 'conf/socket/lmtp')
  writeFileSync(
    cyrusConf,
    `SERVICES {
  one cmd="${testd} -C ${imapdConf} -U 12" listen=127.0.0.1:${port} prefork=1
  single cmd="${testd} -C ${imapdConf}" listen="${socket}" maxchild=2
  lmtp cmd="${lmtpd} -C ${imapdConf}" listen="${lmtp}"
}
`,
  )
  writeFileSync(imapdConf, `${readFileSync(imapdConf, 'utf8')}single_service_connections: 1\n`)
  execFileSync('chown', ['-R', 'cyrus:mail', dir])
  const master = spawn('/usr/sbin/cyrmaster', ['-C', imapdConf, '-M', cyrusConf, '-p', pidFile, '-D', '-L', log], {
    stdio: 'ignore',
    env: { ...process.env, CYRUS_LOG_STDERR: '1' },
    detached: true,
  })
  t.teardown(async () => {
    if (master.exitCode === null && master.signalCode === null) {
      master.kill('SIGTERM')
      await once(master, 'exit')
    }
    rmSync(dir, { recursive: true, force: true })
  })
  await until('the real master', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').trim() !== '')
  const pid = master.pid!

  // Four slots a process: four connections are one process, the fifth another.
  await until('a child', () => childrenOf(pid).length >= 1)
  const clients: Client[] = []
  for (let n = 0; n < 5; n++) clients.push(await Client.connect(port))
  const pids = await Promise.all(clients.map((client) => client.pid()))
  t.equal(new Set(pids).size, 2, 'a second process for the fifth connection')
  t.equal(await clients[0]!.ask('env CYRUS_SERVICE'), 'one')
  for (const client of clients) client.say('quit')
  await until('all conversations to end', () => clients.every(({ ended }) => ended))

  const served = new Set<number>()
  for (let n = 0; n < 30; n++) {
    const client = await Client.connect(port)
    served.add(await client.pid())
    client.say('quit')
    await until('its end', () => client.ended)
  }
  t.ok(served.size >= 2, 'worn out processes are replaced')

  const [first, second, third] = [
    await Client.connect(socket),
    await Client.connect(socket),
    await Client.connect(socket),
  ]
  const two = [await first.pid(), await second.pid()]
  t.equal(new Set(two).size, 2, 'one connection a process with one slot')
  t.equal(third.waiting, 0, 'no more than maxchild')
  first.say('quit')
  t.ok(two.includes(await third.pid()))

  const mail = await Client.connect(lmtp)
  t.match(await mail.line(), /^220 localhost Cyrus LMTP 3\.6\.1-cyrus-ts/)
  t.match(await mail.ask('MAIL FROM:<>'), /^250 /)
  t.match(await mail.ask('RCPT TO:<nobody>'), /^550-/)

  process.kill(pid, 'SIGHUP')
  await until('idle processes to be recycled', () => ![...served].some(isAlive))
  const again = await Client.connect(port)
  t.ok(await again.pid(), 'served after SIGHUP')
  t.equal(await third.ask('echo on'), 'on', 'a conversation goes on')

  const children = childrenOf(pid)
  t.ok(children.length > 0)
  process.kill(pid, 'SIGTERM')
  await once(master, 'exit')
  t.equal(master.exitCode, 0)
  t.strictSame(children.filter(isAlive), [], 'all left on SIGTERM')
})
