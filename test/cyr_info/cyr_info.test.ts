/** cyr_info as an administrator runs it; `proc` also by the real Cyrus' program, over the same files. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connectedNow } from '../../lib/process/proc_list.js'
import { needsCyrus } from '../lab/needs.js'
import { program } from '../lab/software.js'
import { Instance, until } from '../master/instance.js'

const CYR_INFO = program('ours', 'cyr_info')

function run(conf: string, ...args: string[]): string {
  return execFileSync(CYR_INFO, ['-C', conf, ...args], { encoding: 'utf8' })
}

t.test('proc: every connection of every process, and nobody who is gone', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const { username } = userInfo()
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}"
    two cmd="testd" listen="${master.path('two')}"
  }`)
  await master.start()
  const clients = [await master.connect(), await master.connect(), await master.connect('two')]
  const pids = []
  for (const client of clients) pids.push(await client.pid())
  await clients[0]!.ask('user fred')
  await clients[0]!.ask('mailbox user.fred')
  await clients[0]!.ask('command Idle')
  await clients[1]!.ask('user anna')
  await clients[2]!.ask('user bob')
  const conf = master.path('imapd.conf')
  const lines = [
    `${pids[0]} one [unix socket] fred user.fred Idle`,
    `${pids[1]} one [unix socket] anna  `,
    `${pids[2]} two [unix socket] bob  `,
  ]
  await until('three lines', () => run(conf, 'proc').trimEnd().split('\n').length === 3)
  await until('all of what was said', () => run(conf, 'proc').includes('Idle') && run(conf, 'proc').includes('bob'))
  t.strictSame(run(conf, 'proc').split('\n').filter(Boolean).sort(), lines.sort(), `as ${username}`)

  process.kill(pids[2]!, 'SIGKILL')
  await until('the killed one to be gone', () => !run(conf, 'proc').includes('bob'))
  clients[0]!.say('quit')
  await until('fred to be gone', () => !run(conf, 'proc').includes('fred'))
  t.match(run(conf, 'proc'), /^\d+ one \[unix socket\] anna {2}\n$/)
  for (const client of clients) await client.close()
  await until('nobody', () => run(conf, 'proc') === '')
})

t.test('proc: files that are none, stale ones, another program’s', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'proc-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const put = (name: string, text: string): void => writeFileSync(join(dir, name), text)
  put(String(process.pid), 'imap\tlocalhost [127.0.0.1]\tfred\n')
  put('4194999', 'imap\tgone\t\t\t\n') // above the kernel's largest pid
  put('xyzzy', 'rubbish')
  put(`${process.pid}.new`, 'half')
  const odd: string[] = []
  t.strictSame(
    connectedNow(dir, (message) => odd.push(message)),
    [{ pid: process.pid, service: 'imap', client: 'localhost [127.0.0.1]', user: 'fred', mailbox: '', command: '' }],
  )
  t.strictSame(odd, [`IOERROR: bogus filename "${dir}/xyzzy"`])
  t.strictSame(connectedNow(join(dir, 'none')), [])
})

t.test('proc: the real cyr_info reads ours', async (t) => {
  if (!needsCyrus(t)) return
  const dir = mkdtempSync(join(tmpdir(), 'proc-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(join(dir, 'proc'))
  const conf = join(dir, 'imapd.conf')
  writeFileSync(conf, `configdirectory: ${dir}\npartition-default: ${dir}/spool\nproc_path: ${dir}/proc\n`)
  writeFileSync(join(dir, 'proc', String(process.pid)), 'imap\t[127.0.0.1]\tfred\tuser.fred\tIdle\n')
  execFileSync('chown', ['-R', 'cyrus:mail', dir])
  const theirs = execFileSync('/usr/lib/cyrus/bin/cyr_info', ['-C', conf, 'proc'], { encoding: 'utf8' })
  t.equal(theirs, `${process.pid} imap [127.0.0.1] fred user.fred Idle\n`)
  t.equal(run(conf, 'proc'), theirs)
})

function configuration(t: Test): { conf: string; cyrusConf: string } {
  const dir = mkdtempSync(join(tmpdir(), 'info-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const conf = join(dir, 'imapd.conf')
  const cyrusConf = join(dir, 'cyrus.conf')
  writeFileSync(
    conf,
    `configdirectory: ${dir}\npartition-default: ${dir}/spool\ncyrus_user: ${userInfo().username}\n` +
      'timeout: 45\nmaxquoted: 131072\nsync_log_channels: backup\nimap_timeout: 50\nmupdate_server: x\n' +
      'nosuch: y\nother_timeout: 10m\nbackup_sync_host: r\nbackup_timeout: 3\nsasl_anything: z\n',
  )
  writeFileSync(cyrusConf, 'SERVICES {\n  imap cmd="imapd" listen="imap"\n}\n')
  return { conf, cyrusConf }
}

t.test('conf, conf-all, conf-default', async (t) => {
  const { conf } = configuration(t)
  const changed = run(conf, 'conf').split('\n')
  t.ok(changed.includes('timeout: 45m'))
  t.ok(changed.includes('mupdate_server: x'))
  t.notOk(
    changed.some((line) => line.startsWith('maxquoted')),
    'set to its default is not changed',
  )
  t.ok(run(conf, '-n', 'imap', 'conf').split('\n').includes('timeout: 50m'))
  const all = run(conf, 'conf-all').split('\n')
  for (const line of ['timeout: 45m', 'maxquoted: 128k', 'sync_log: no', 'sync_host:']) t.ok(all.includes(line), line)
  const defaults = run(conf, 'conf-default').split('\n')
  for (const line of ['timeout: 32m', 'sync_log: no', 'sync_host:']) t.ok(defaults.includes(line), line)
})

t.test('conf-lint', async (t) => {
  const { conf, cyrusConf } = configuration(t)
  t.equal(
    run(conf, '-M', cyrusConf, 'conf-lint'),
    'nosuch: y\nother_timeout: 10m\nbackup_timeout: 3\n',
    'no service "other"; a channel has sync_ options only',
  )
  if (!needsCyrus(t)) return
  execFileSync('chown', ['-R', 'cyrus:mail', join(conf, '..')])
  const theirs = execFileSync('/usr/lib/cyrus/bin/cyr_info', ['-C', conf, '-M', cyrusConf, 'conf-lint'], {
    encoding: 'utf8',
  })
  t.strictSame(theirs.split('\n').sort(), run(conf, '-M', cyrusConf, 'conf-lint').split('\n').sort(), 'as Cyrus says')
})

t.test('version, and bad command lines', async (t) => {
  t.match(execFileSync(CYR_INFO, ['version'], { encoding: 'utf8' }), /^cyrus-imapd 3\.6\.1-cyrus-ts-/)
  const { conf } = configuration(t)
  for (const args of [[], ['nosuch'], ['proc', 'x'], ['-Z', 'proc']]) {
    const { status, stderr } = spawnSync(CYR_INFO, ['-C', conf, ...args], { encoding: 'utf8' })
    t.equal(status, 64, args.join(' '))
    t.match(stderr, /^cyr_info: .+\n$/, 'one line')
  }
})
