/** Our master runs the services of a real Cyrus 3.6.1. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { needsCyrus } from '../lab/needs.js'
import { Client, childrenOf, freePort, isAlive, until } from '../master/instance.js'
import { CYRUS_BIN, cyrusDirectory } from './cyrus_config.js'

const MASTER = fileURLToPath(new URL('../../master/main.js', import.meta.url))

t.test('imapd, lmtpd, idled and ctl_cyrusdb of Cyrus under our master', async (t) => {
  if (!needsCyrus(t)) return
  const { dir, imapdConf, cyrusConf, pidFile } = cyrusDirectory('secret')
  const port = await freePort()
  const lmtp = join(dir, 'conf/socket/lmtp')
  writeFileSync(
    cyrusConf,
    `START {
  recover cmd="${CYRUS_BIN}/ctl_cyrusdb -C ${imapdConf} -r"
}
SERVICES {
  imap cmd="${CYRUS_BIN}/imapd -C ${imapdConf} -U 3" listen=127.0.0.1:${port} prefork=1 maxchild=5
  lmtp cmd="${CYRUS_BIN}/lmtpd -C ${imapdConf} -a" listen="${lmtp}"
}
DAEMON {
  idled cmd="${CYRUS_BIN}/idled -C ${imapdConf} -d"
}
`,
  )
  const master = spawn(process.execPath, [MASTER, '-C', imapdConf, '-M', cyrusConf, '-p', pidFile, '-D'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  master.stderr.on('data', (bytes: Buffer) => {
    log += bytes.toString()
  })
  t.teardown(async () => {
    if (master.exitCode === null && master.signalCode === null) {
      master.kill('SIGTERM')
      await once(master, 'exit')
    }
    rmSync(dir, { recursive: true, force: true })
  })
  await until(`readiness: ${log}`, () => log.includes('ready for work'))
  const pid = master.pid!
  const { uid } = statSync(imapdConf)
  t.match(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
    new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s`, 'm'),
    'master is cyrus',
  )

  const imap = await Client.connect(port)
  t.match(await imap.line(), /^\* OK .* Cyrus IMAP 3\.6/, 'the banner')
  t.match(await imap.ask('a LOGIN admin wrong'), /^a NO /)
  t.match(await imap.ask('b LOGIN admin secret'), /^b OK /)
  t.match(await imap.ask('c CREATE user/fred'), /^c OK /)

  const deliver = await Client.connect(lmtp)
  t.match(await deliver.line(), /^220 .* Cyrus LMTP 3\.6/, 'spawned on demand, on a UNIX socket')
  t.match(await deliver.ask('MAIL FROM:<>'), /^250 /)
  t.match(await deliver.ask('RCPT TO:<fred>'), /^250 /)
  t.match(await deliver.ask('DATA'), /^354 /)
  t.match(await deliver.ask('Subject: x\r\n\r\nbody\r\n.\r'), /^250 /)

  // -U 3: the third connection of a process is its last one; others take its place
  const pids = new Set<number>()
  for (let n = 0; n < 8; n++) {
    const each = await Client.connect(port)
    t.match(await each.line(), /^\* OK /)
    for (const child of childrenOf(pid)) pids.add(child)
    each.say('x LOGOUT')
    await until('the end of the conversation', () => each.ended)
  }
  t.ok(pids.size > 4, 'processes are replaced')

  const busy = childrenOf(pid)
  master.kill('SIGHUP')
  await until('reload', () => log.includes('Services reconfigured.'))
  await until('idle children to be recycled', () => busy.filter(isAlive).length < busy.length)
  t.match(await imap.ask('d NOOP'), /^d OK/, 'a conversation goes on')
  const after = await Client.connect(port)
  t.match(await after.line(), /^\* OK /, 'and new ones are taken')

  t.notMatch(log, /unrecognized message|in READY state|in BUSY state|ERROR/, 'nothing odd was reported')
  const children = childrenOf(pid)
  master.kill('SIGTERM')
  await once(master, 'exit')
  t.equal(master.exitCode, 0)
  t.strictSame(children.filter(isAlive), [], 'no child is left')
})
