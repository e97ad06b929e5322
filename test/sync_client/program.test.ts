/** The program sync_client: modes, options, exit statuses, rolling in the background, killed at any time. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { deliver, messageText, type Pair, picture, startPair } from '../sync/pair_fixture.js'

const program = fileURLToPath(new URL('../../services/sync_client/main.js', import.meta.url))

function run(pair: Pair, ...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, '-C', pair.config.path, ...args],
      { timeout: 30_000 },
      (error, stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    )
  })
}

const start = (extra = ''): Promise<Pair> => startPair(`cyrus_user: ${userInfo().username}\nsync_log: yes\n${extra}`)

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('modes and exit statuses', async (t) => {
  const pair = await start()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  for (const name of ['user.alice', 'user.bob', 'shared']) await createMailbox(store, name)
  await deliver(store, 'user.alice', [messageText(1)])
  await store.settled()
  t.match(await run(pair), { status: 64, stderr: /one of -r, -R, -u/ })
  t.match(await run(pair, '-u', '-m', 'x'), { status: 64, stderr: /Mutually exclusive options defined/ })
  t.match(await run(pair, '-u'), { status: 64, stderr: /no names given/ })
  t.match(await run(pair, '--status'), { status: 1, stdout: /none has worked on this channel yet/ })
  t.match(await run(pair, '-n', '../x', '-R'), { status: 64, stderr: /no channel/ })
  t.match(await run(pair, '--help'), { status: 0, stdout: /usage: sync_client/ })
  t.match(await run(pair, '-o', '-S', '127.0.0.1:1', '-u', 'alice'), { status: 1, stderr: /ECONNREFUSED/ })
  t.match(await run(pair, '-u', 'nobody'), { status: 0 }, 'a user who is not here')
  t.match(await run(pair, '-v', '-m', 'user/alice'), {
    status: 0,
    stdout: 'MAILBOXES user.alice\nMAILBOX user.alice\n',
  })
  t.match(await run(pair, '-v', '-m', 'user/alice'), { status: 0, stdout: 'MAILBOXES user.alice\n' })
  t.match(await run(pair, '-A'), { status: 0 })
  t.strictSame(picture(replica.store, ''), picture(store, ''))
  const names = join(pair.config.directory, 'names')
  writeFileSync(names, '# who\nalice\n\nbob\n')
  t.match(await run(pair, '-v', '-u', '-f', names), { status: 0, stdout: 'USER alice\nUSER bob\n' })
  const log = join(pair.config.directory, 'a-log')
  writeFileSync(log, 'MAILBOX user.bob\nFOO bar\n')
  t.match(await run(pair, '-v', '-R', '-f', log), { status: 0, stdout: /MAILBOXES user\.bob/ })
  t.ok(existsSync(log), 'a log given with -f stays')
  t.match(await run(pair, '-v', '-v', '-R', '-1'), { status: 0, stderr: />\d+>GET MAILBOXES/ })
  t.notOk(existsSync(join(pair.config.directory, 'sync', 'log')), 'the channel’s log is done')
  t.match(await run(pair, '-v', '-z', '-u', 'alice'), { status: 0, stdout: 'USER alice\n' }, 'compressed')
  t.notMatch((await run(pair, '-v', '-v', '-u', 'alice')).stderr, />COMPRESS/, 'not to this machine')
  writeFileSync(pair.config.path, `${readFileSync(pair.config.path, 'utf8')}sync_compress: yes\n`)
  t.match((await run(pair, '-v', '-v', '-u', 'alice')).stderr, />\d+>COMPRESS DEFLATE/, 'but if that is wanted')
})

t.test('no replica is named; a configuration that cannot be read', async (t) => {
  const pair = await start()
  t.teardown(() => pair.close())
  const bare = join(pair.config.directory, 'bare.conf')
  const text = readFileSync(pair.config.path, 'utf8').replace(/^sync_host.*\n/m, '')
  writeFileSync(bare, text)
  const odd = { config: { path: bare } } as unknown as Pair
  t.match(await run(odd, '-u', 'alice'), { status: 70, stderr: /sync_host/ })
  writeFileSync(bare, `${text}sync_timeout: soon\n`)
  t.match(await run(odd, '-u', 'alice'), { status: 78, stderr: /bare\.conf:\d+: sync_timeout/ })
  writeFileSync(bare, text.replace(/^sync_password.*$/m, 'sync_host: 127.0.0.1\nsync_password: wrong'))
  t.match(await run(odd, '-o', '-u', 'alice'), {
    status: 1,
    stderr: /login as repl with SCRAM-SHA-256 refused: authentication failure/,
  })
})

t.test('rolling: in the background, one at a time, killed again and again', { timeout: 60_000 }, async (t) => {
  const pair = await start()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  await createMailbox(store, 'user.alice')
  let client: ChildProcess | undefined
  const foreground = (): void => {
    client = spawn(process.execPath, [program, '-C', pair.config.path, '-R'], { stdio: 'ignore' })
  }
  t.teardown(() => client?.kill('SIGKILL'))
  foreground()
  const seen = (): number => {
    replica.store.refresh()
    return replica.store.mailbox('user.alice')?.exists ?? 0
  }
  for (let n = 1; n <= 5; n++) {
    await deliver(
      store,
      'user.alice',
      Array.from({ length: 20 }, (_, i) => messageText(`${n} ${i}`)),
    )
    // somewhere in the middle of the work, wherever that is
    await until('some of it', () => seen() > (n - 1) * 20 || existsSync(join(pair.config.directory, 'sync', 'log-run')))
    client!.kill('SIGKILL')
    foreground()
    await until(`all of round ${n}`, () => seen() === n * 20)
  }
  t.strictSame(picture(replica.store, ''), picture(store, ''))
  // the client that was started last is at work, not only coming up
  await deliver(store, 'user.alice', [messageText('last')])
  await until('the last one', () => seen() === 101)
  await until('the round’s end', () => !existsSync(join(pair.config.directory, 'sync', 'log-run')))
  t.match(await run(pair, '--status'), {
    status: 0,
    stdout:
      /^channel \(default\)\n {2}replica {7}127.0.0.1:\d+\n {2}client {8}process \d+, since .*\n {2}connected {5}since .*\n/,
  })
  const ended = new Promise((resolve) => client!.once('exit', resolve))
  client!.kill('SIGTERM')
  t.equal(await ended, 0, 'SIGTERM ends it well')
  t.match(await run(pair, '--status'), { status: 1, stdout: /not running(?:.|\n)*waiting {7}0 logged, 0 deferred/ })

  const shutdown = join(pair.config.directory, 'shutdown')
  t.match(await run(pair, '-r', '-F', shutdown), { status: 0 }, '-r goes to the background')
  await deliver(store, 'user.alice', [messageText('last')])
  await until('the one in the background', () => seen() === 101)
  const second = spawn(process.execPath, [program, '-C', pair.config.path, '-R', '-1', '-v'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => second.kill('SIGKILL'))
  let said = ''
  second.stderr!.on('data', (data) => {
    said += data
  })
  await until('a second one waits', () => said.includes('another sync_client works on the default channel'))
  const secondEnded = new Promise((resolve) => second.once('exit', resolve))
  writeFileSync(shutdown, '')
  t.equal(await secondEnded, 0, 'and has its turn when the first has ended')
  t.notOk(existsSync(shutdown), 'the shutdown file is gone')
})
