/** The password file, saslpasswd2, plaintext checks, the cache, and saslauthd: the real one where it is installed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Config } from '../../lib/config/config.js'
import { checkPassword } from '../../lib/sasl/check_password.js'
import { PasswordCache } from '../../lib/sasl/password_cache.js'
import { PasswordStore } from '../../lib/sasl/password_store.js'

const folder = mkdtempSync(join(tmpdir(), 'sasl-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const program = fileURLToPath(new URL('../../services/saslpasswd2/main.js', import.meta.url))

let files = 0
function configure(text: string): Config {
  const path = join(folder, `imapd${++files}.conf`)
  writeFileSync(path, `configdirectory: ${folder}\nservername: b.example.org\nfailedloginpause: 0\n${text}`)
  return Config.load(path)
}

function saslpasswd2(args: string[], input: string): Promise<{ status: number; stderr: string; stdout: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...args], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : ((error as { code?: number }).code ?? -1), stdout, stderr }),
    )
    child.stdin!.end(input)
  })
}

t.test('symbolic links in the folder lead the password file nowhere else', async (t) => {
  const place = mkdtempSync(join(folder, 'links-'))
  const victim = join(place, 'victim')
  writeFileSync(victim, 'as it was', { mode: 0o644 })
  const file = join(place, 'users')
  symlinkSync(victim, `${file}.${process.pid}.new`)
  await new PasswordStore(file).set('a@b', 'pw')
  t.equal(statSync(file).mode & 0o777, 0o600)
  rmSync(`${file}.lock`)
  symlinkSync(victim, `${file}.lock`)
  await t.rejects(new PasswordStore(file).set('a@b', 'pw'), { message: `${file}: cannot use the password file: ELOOP` })
  t.equal(readFileSync(victim, 'utf8'), 'as it was')
  t.equal(statSync(victim).mode & 0o777, 0o644)
})

t.test('saslpasswd2 makes, changes and removes users; the file never holds a password', async (t) => {
  const file = join(folder, 'users')
  t.match(await saslpasswd2(['-p', '-c', '-f', file, '-u', 'b.example.org', 'alice'], 'secret one\n'), {
    status: 0,
    stderr: '',
  })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notMatch(readFileSync(file, 'utf8'), 'secret one')
  const store = new PasswordStore(file)
  t.ok(await store.verify('alice@b.example.org', 'secret one'))
  t.match(await saslpasswd2(['-p', '-c', '-f', file, 'bob@other.test'], 'x'), { status: 0 })
  t.match(await saslpasswd2(['-p', '-f', file, '-u', 'b.example.org', 'Alice'], 'secret two\r\nrest'), { status: 0 })
  t.ok(await store.verify('alice@b.example.org', 'secret two'), 'a change is seen without a restart')
  t.notOk(await store.verify('alice@b.example.org', 'secret one'))
  t.strictSame(await store.users(), ['alice@b.example.org', 'bob@other.test'])
  t.match(await saslpasswd2(['-d', '-f', file, 'bob@other.test'], ''), { status: 0 })
  t.match(
    await saslpasswd2(['-d', '-f', file, 'bob@other.test'], ''),
    { status: 0 },
    'removing nobody is no error, as in the real one',
  )
  t.strictSame(await store.users(), ['alice@b.example.org'])
  t.match(await saslpasswd2(['-p', '-c', '-f', file, 'x@y'], '\n'), { status: 7, stderr: /empty password/ })
  t.match(await saslpasswd2(['-c', '-d', '-f', file, 'x@y'], ''), { status: 64, stderr: /exclude each other/ })
  t.match(await saslpasswd2(['-p', '-c', '-f', join(folder, 'none', 'db'), 'x@y'], 'pw\n'), {
    status: 71,
    stderr: /none\/db.*ENOENT/,
  })
  t.strictSame(
    readdirSync(folder).filter((name) => name.endsWith('.new')),
    [],
    'no temporary file is left',
  )
})

t.test('many writers at once lose nothing', async (t) => {
  const file = join(folder, 'busy')
  const users = Array.from({ length: 6 }, (_, i) => `user${i}@r`)
  const results = await Promise.all(users.map((user) => saslpasswd2(['-p', '-c', '-f', file, user], `pw-${user}\n`)))
  t.ok(results.every(({ status }) => status === 0))
  t.strictSame((await new PasswordStore(file).users()).sort(), users)
})

t.test('files that are none of ours', async (t) => {
  const verify = (name: string): Promise<boolean> => new PasswordStore(join(folder, name)).verify('a@b', 'c')
  const db = Buffer.alloc(64)
  db.writeUInt32LE(0x061561, 12)
  writeFileSync(join(folder, 'sasldb2'), db)
  await t.rejects(verify('sasldb2'), /sasldb2: this is a Berkeley DB file .* saslpasswd2/)
  writeFileSync(join(folder, 'broken'), '# x\n{"user":"a@b"\n')
  await t.rejects(verify('broken'), /broken:2: not a line of a password file/)
  writeFileSync(
    join(folder, 'short'),
    '{"user":"a@b","sha256":{"salt":"AA==","iterations":1e99,"stored":"","server":""}}\n',
  )
  await t.rejects(verify('short'), /short:1: a password entry needs/)
  t.equal(await verify('no such file'), false)
  const config = configure(`sasl_sasldb_path: ${folder}/sasldb2\n`)
  t.match(
    await checkPassword(config, 'imap', 'alice', 'x', 'unix'),
    { ok: false, reason: /Berkeley DB/ },
    'a failed login, not a crash',
  )
})

t.test('checkPassword', async (t) => {
  const config = configure(`sasl_sasldb_path: ${folder}/users\n`)
  t.strictSame(await checkPassword(config, 'imap', 'ALICE', 'secret two', 'unix'), { ok: true, user: 'alice' })
  t.strictSame(
    await checkPassword(config, 'imap', 'alice', 'secret two', 'unix'),
    { ok: true, user: 'alice' },
    'from the cache',
  )
  for (const [user, password] of [
    ['alice', 'secret one'],
    ['alice', ''],
    ['', 'x'],
    ['a/b', 'x'],
    ['anyone', 'x'],
    ['alice', 'a\0b'],
    ['alice', 'x'.repeat(2000)],
  ]) {
    t.match(
      await checkPassword(config, 'imap', user!, password!, 'unix'),
      { ok: false },
      `${user} ${password!.slice(0, 10)}`,
    )
  }
  const before = Date.now()
  const slow = configure(`sasl_sasldb_path: ${folder}/users\n`.replace('failedloginpause: 0', ''))
  t.match(await checkPassword(slow, 'imap', 'alice@elsewhere', 'secret two', 'unix'), {
    ok: false,
    reason: /cross-realm/,
  })
  const realms = configure(`sasl_sasldb_path: ${folder}/users\nvirtdomains: userid\ndefaultdomain: b.example.org\n`)
  t.strictSame(await checkPassword(realms, 'imap', 'alice@b.example.org', 'secret two', 'unix'), {
    ok: true,
    user: 'alice',
  })
  t.ok(Date.now() - before < 5000)
})

t.test('the cache forgets', async (t) => {
  const cache = new PasswordCache(60)
  cache.remember('alice', 'pw', 'v1', 0)
  t.ok(cache.knows('alice', 'pw', 'v1', 59_999))
  t.notOk(cache.knows('alice', 'pX', 'v1', 1))
  t.ok(cache.knows('alice', 'pw', 'v1', 1), 'a wrong guess does not disturb it')
  t.notOk(cache.knows('alice', 'pw', 'v2', 1), 'another secret in the file')
  cache.remember('alice', 'pw', 'v1', 0)
  t.notOk(cache.knows('alice', 'pw', 'v1', 60_000))
  const off = new PasswordCache(0)
  off.remember('alice', 'pw', 'v1')
  t.notOk(off.knows('alice', 'pw', 'v1'))
})

t.test('saslauthd: its protocol, byte by byte', async (t) => {
  const path = join(folder, 'mux')
  let answer = Buffer.from('\0\x02OK')
  const asked: string[] = []
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      asked.push(data.toString('latin1'))
      socket.end(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  t.teardown(() => server.close())
  const config = configure(
    `sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: ${folder}\nsasl_password_cache: 0\nvirtdomains: userid\n`,
  )
  t.strictSame(await checkPassword(config, 'imap', 'alice', 'pw', 'unix'), { ok: true, user: 'alice' })
  t.equal(asked[0], '\0\x05alice\0\x02pw\0\x04imap\0\0')
  t.match(await checkPassword(config, 'imap', 'zoe@other.test', 'pw', 'unix'), { ok: true })
  t.equal(asked[1], '\0\x03zoe\0\x02pw\0\x04imap\0\x0aother.test')
  answer = Buffer.from('\0\x09NO reason')
  t.match(await checkPassword(config, 'imap', 'alice', 'pw', 'unix'), { ok: false, reason: 'wrong user or password' })
  answer = Buffer.from('HTTP/1.1 400')
  t.match(await checkPassword(config, 'imap', 'alice', 'pw', 'unix'), { ok: false, reason: /none of its protocol/ })
  answer = Buffer.from('\0\x09NO')
  t.match(await checkPassword(config, 'imap', 'alice', 'pw', 'unix'), { ok: false, reason: /closed without an answer/ })
  const gone = configure(`sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: ${folder}/none\n`)
  t.match(await checkPassword(gone, 'imap', 'alice', 'pw', 'unix'), { ok: false, reason: /not running/ })
})

const real = ['/usr/sbin/saslauthd', '/usr/sbin/saslpasswd2'].every(existsSync) && process.getuid?.() === 0
t.test(
  'the real saslauthd',
  { skip: !real && process.env.CI === undefined && 'saslauthd is not installed, or we are not root' },
  async (t) => {
    if (!real) return t.fail('CI must have saslauthd and root')
    // The real daemon reads /etc/sasldb2 or PAM, which a test must not touch: -a rimap asks an IMAP server, which is ours.
    const imap = createServer((socket) => {
      socket.write('* OK ready\r\n')
      socket.on('data', (data) => {
        const [tag] = data.toString().split(' ')
        socket.write(/"alice" "right"|alice right/i.test(data.toString()) ? `${tag} OK in\r\n` : `${tag} NO no\r\n`)
      })
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => imap.listen(0, '127.0.0.1', resolve))
    t.teardown(() => imap.close())
    const { port } = imap.address() as { port: number }
    const run = join(folder, 'run')
    mkdirSync(run)
    const daemon: ChildProcess = spawn(
      '/usr/sbin/saslauthd',
      ['-d', '-a', 'rimap', '-O', `127.0.0.1/${port}`, '-m', run, '-n', '1'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    t.teardown(() => daemon.kill('SIGKILL'))
    await new Promise<void>((resolve, reject) => {
      let said = ''
      daemon.on('exit', () => reject(new Error(said)))
      daemon.stderr!.on('data', (data) => {
        said += data
        if (/listening on socket/.test(said)) resolve()
      })
    })
    const config = configure(`sasl_pwcheck_method: saslauthd\nsasl_saslauthd_path: ${run}/mux\n`)
    t.strictSame(await checkPassword(config, 'imap', 'alice', 'right', 'unix'), { ok: true, user: 'alice' })
    t.match(await checkPassword(config, 'imap', 'alice', 'wrong', 'unix'), {
      ok: false,
      reason: 'wrong user or password',
    })
  },
)
