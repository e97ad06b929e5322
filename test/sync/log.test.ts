/** The replication log: its lines, what they add up to, how they are taken; and rolling replication through failures. */
import { spawn } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createMailbox, deleteMailbox, renameMailbox } from '../../lib/mailbox/folders.js'
import { setSubscribed } from '../../lib/mailbox/subscriptions.js'
import { syncLogLine } from '../../lib/store/store.js'
import { readLog, runLog } from '../../lib/sync/client/log_run.js'
import { PeerGoneError } from '../../lib/sync/client/peer_errors.js'
import { roll } from '../../lib/sync/client/rolling.js'
import { LogFiles } from '../../lib/sync/log_file.js'
import { parseLogLine } from '../../lib/sync/log_lines.js'
import { deliver, messageText, picture, startPair } from './pair_fixture.js'
import { collectingLog } from './server_fixture.js'

t.test('lines', async (t) => {
  const table: Array<[string, unknown]> = [
    ['MAILBOX user.alice', { type: 'MAILBOX', args: ['user.alice'] }],
    ['mailbox "user.alice.a b"', { type: 'MAILBOX', args: ['user.alice.a b'] }],
    ['RENAME user.a "x \\"y\\" \\\\ \\{z\\}"', { type: 'RENAME', args: ['user.a', 'x "y" \\ {z}'] }],
    ['ANNOTATION ""', { type: 'ANNOTATION', args: [''] }],
    ['SIEVE bob', { type: 'META', args: ['bob'] }],
    ['UNSUB bob x', { type: 'SUB', args: ['bob', 'x'] }],
    ['', undefined],
    ['   ', undefined],
    ['MAILBOX', undefined],
    ['MAILBOX a b c', 'Garbage at end of input line: MAILBOX a b c'],
    ['RIGHT a', 'Unknown action type: RIGHT'],
    ['constructor a', 'Unknown action type: constructor'],
    ['SEEN bob', 'too few arguments: SEEN bob'],
    ['MAILBOX "abc', 'malformed argument in line: MAILBOX "abc'],
  ]
  for (const [line, wanted] of table) t.strictSame(parseLogLine(line), wanted, JSON.stringify(line))
  for (const name of ['user.alice', '', 'a b', 'a\tb', '(x)', 'q"\\{}', "it's", '#sieve']) {
    t.strictSame(
      parseLogLine(syncLogLine('MAILBOX', name)),
      { type: 'MAILBOX', args: [name] },
      `written and read: ${JSON.stringify(name)}`,
    )
  }
})

t.test('what lines add up to', async (t) => {
  const complaints: string[] = []
  const plan = readLog(
    [
      'APPEND user.a',
      'MAILBOX user.a',
      'MAILBOX user.a',
      'DOUBLEMAILBOX user.a.x user.b.y',
      'RENAME user.a.x DELETED.user.a.x.6B0422DF',
      'MAILBOX shared.x',
      'RENAME user.d user.e',
      'USER u1',
      'SEEN u1 id',
      'SUB u1 x',
      'META u1',
      'UNUSER u2',
      'USER u2',
      'SEEN u2 id',
      'META u3',
      'SEEN u3 id',
      'SUB u4 x',
      'UNSUB u4 x',
      'SEEN u4 id',
      'QUOTA user.a',
      'UNMAILBOX user.q',
      'ANNOTATION ""',
      'FOO x',
      'RENAME a b c',
    ],
    (message) => complaints.push(message),
  )
  t.strictSame(Object.fromEntries([...plan.mailboxes].map(([owner, names]) => [owner, [...names]])), {
    a: ['user.a', 'user.a.x', 'user.b.y', 'DELETED.user.a.x.6B0422DF'],
    '': ['shared.x'],
    d: ['user.d', 'user.e'],
    e: ['user.d', 'user.e'],
  })
  t.strictSame([...plan.users], ['u1'])
  t.strictSame([...plan.unusers], ['u2'])
  t.strictSame([...plan.metas], ['u3'])
  t.strictSame(plan.seens, [['u4', 'id']])
  t.strictSame(plan.subs, [['u4', 'x']])
  t.strictSame([[...plan.quotas], [...plan.unmailboxes], [...plan.annotations]], [['user.a'], ['user.q'], ['']])
  t.equal(complaints.length, 2)
})

t.test('taking the log', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const files = new LogFiles(folder, 'two')
  t.equal(await files.take(), undefined)
  mkdirSync(join(folder, 'sync', 'two'), { recursive: true })
  const log = join(folder, 'sync', 'two', 'log')
  writeFileSync(log, 'MAILBOX a\nMAILBOX b\n')
  t.strictSame(await files.take(), { lines: ['MAILBOX a', 'MAILBOX b'], again: false })
  appendFileSync(log, 'MAILBOX c\n')
  t.strictSame(await files.take(), { lines: ['MAILBOX a', 'MAILBOX b'], again: true }, 'what is not done comes again')
  files.done()
  t.strictSame(await files.take(), { lines: ['MAILBOX c'], again: false })
  files.done()
  const many = Array.from({ length: 5000 }, (_, n) => `MAILBOX user.ä${n}.☃`)
  writeFileSync(log, `${many.join('\n')}\n${many.join('\n')}\n\nMAILBOX half`)
  t.strictSame((await files.take())?.lines, [...many, 'MAILBOX half'], 'each line once, in order, however long the log')
  files.done()
  await files.defer(['USER x'])
  t.strictSame(await new LogFiles(folder, 'two').deferred(), ['USER x'], 'survives the process')
  await files.defer([])
  t.notOk(existsSync(join(folder, 'sync', 'two', 'log-deferred')))
})

t.test('a run over everything a server logs', async (t) => {
  const pair = await startPair('sync_log: yes\ndelete_mode: immediate\n')
  t.teardown(() => pair.close())
  const { store, replica, config } = pair
  const session = await pair.connect()
  const files = new LogFiles(config.directory, '')
  const round = async (what: string): Promise<void> => {
    await store.settled()
    const taken = await files.take()
    t.strictSame(await runLog(session, taken?.lines ?? [], () => false), [], `${what}: all done`)
    files.done()
    t.strictSame(picture(replica.store, ''), picture(store, ''), what)
  }
  for (const user of ['alice', 'bob']) {
    await createMailbox(store, `user.${user}`)
    await createMailbox(store, `user.${user}.x`)
    await deliver(store, `user.${user}`, [messageText(user)])
  }
  await createMailbox(store, 'shared')
  await round('created and delivered')
  await deliver(store, 'user.alice', [messageText('more')])
  pair.told.length = 0
  await round('one more message')
  t.ok(pair.told.includes('MAILBOXES (user.alice)'), 'the replica is not asked again for what it has just told')
  await renameMailbox(store, 'user.alice.x', 'user.alice.y')
  await setSubscribed(store, 'alice', 'user.alice.y', true)
  await round('renamed')
  await deleteMailbox(store, 'user.alice.y')
  await createMailbox(store, 'user.alice.y')
  await round('deleted at once and made anew: another mailbox of the same name')
  await deleteMailbox(store, 'user.bob')
  await round('user removed')
  t.equal(replica.store.mailbox('user.bob'), undefined)
})

t.test('a bad mailbox is promoted, given back, and holds up nobody', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  for (const name of ['user.alice', 'user.bob', 'shared']) await createMailbox(store, name)
  // the replica has another mailbox with messages under that name: refused
  await createMailbox(replica.store, 'user.alice')
  await createMailbox(replica.store, 'shared')
  await deliver(replica.store, 'user.alice', [messageText('there')])
  await deliver(replica.store, 'shared', [messageText('there')])
  const lines = ['MAILBOX user.alice', 'MAILBOX shared', 'MAILBOX user.bob', 'SUB bob x']
  t.strictSame((await runLog(session, lines, () => false)).sort(), ['MAILBOX shared', 'USER alice'])
  t.ok(replica.store.mailbox('user.bob'))
  t.ok(pair.logged.some((line) => line === 'Promoting: MAILBOX user.alice -> USER alice'))
})

t.test('rolling: through a lost replica, with nothing lost', async (t) => {
  const pair = await startPair('sync_log: yes\n')
  t.teardown(() => pair.close())
  const { store, replica, config } = pair
  const stopping = new AbortController()
  let refuse = 3
  let attempts = 0
  let last: Awaited<ReturnType<typeof pair.connect>> | undefined
  const files = new LogFiles(config.directory, '')
  t.ok(await files.claim())
  const rolling = roll({
    files,
    log: collectingLog(pair.logged),
    connect: async () => {
      attempts++
      if (refuse-- > 0) throw new PeerGoneError('not today')
      last = await pair.connect()
      return last
    },
    parallel: 4,
    interval: 0,
    lifetime: 0,
    longestPause: 200,
    once: false,
    shutdownFile: undefined,
    stopping: stopping.signal,
  })
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    const deadline = Date.now() + 10_000
    while (!condition() && Date.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve))
      replica.store.refresh()
    }
    t.ok(condition(), what)
  }
  await createMailbox(store, 'user.alice')
  await until('after three refused connections', () => replica.store.mailbox('user.alice') !== undefined)
  t.equal(attempts, 4)
  await deliver(store, 'user.alice', [messageText(1)])
  await until('a message', () => replica.store.mailbox('user.alice')?.exists === 1)
  last!.peer.destroy()
  await deliver(store, 'user.alice', [messageText(2)])
  await until('after the connection was lost', () => replica.store.mailbox('user.alice')?.exists === 2)
  t.strictSame(picture(replica.store, ''), picture(store, ''))
  const run = join(config.directory, 'sync', 'log-run')
  await until('the log is done', () => !existsSync(run))
  stopping.abort()
  await rolling
  t.notOk(existsSync(join(config.directory, 'sync', 'log-deferred')))
})

t.test('rolling: a failed item is deferred on disk and tried again until it works', async (t) => {
  const pair = await startPair('sync_log: yes\n')
  t.teardown(() => pair.close())
  const { store, replica, config } = pair
  await createMailbox(replica.store, 'user.alice')
  await deliver(replica.store, 'user.alice', [messageText('there')])
  await createMailbox(store, 'user.alice')
  const stopping = new AbortController()
  const files = new LogFiles(config.directory, '')
  t.ok(await files.claim())
  const rolling = roll({
    files,
    log: collectingLog(pair.logged),
    connect: () => pair.connect(),
    parallel: 4,
    interval: 0,
    lifetime: 0,
    longestPause: 200,
    once: false,
    shutdownFile: undefined,
    stopping: stopping.signal,
  })
  const deferred = join(config.directory, 'sync', 'log-deferred')
  const until = async (condition: () => boolean): Promise<boolean> => {
    const deadline = Date.now() + 10_000
    while (!condition() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
    replica.store.refresh()
    return condition()
  }
  t.ok(await until(() => existsSync(deferred)))
  t.equal(readFileSync(deferred, 'utf8'), 'USER alice\n')
  // somebody repairs the replica
  await replica.store.write((txn) => txn.remove(txn.mailbox('user.alice')!, { tombstone: false }))
  t.ok(await until(() => !existsSync(deferred)), 'done at last')
  t.strictSame(picture(replica.store, ''), picture(store, ''))
  stopping.abort()
  await rolling
})

t.test('rolling: a mailbox that costs the connection each time holds up no other', async (t) => {
  const pair = await startPair('sync_log: yes\n')
  t.teardown(() => pair.close())
  const { store, replica, config } = pair
  const names = ['user.alice', 'user.alice.bad', 'user.alice.good', 'user.bob', 'shared', 'shared.bad', 'shared.good']
  for (const name of names) await createMailbox(store, name)
  await store.settled()
  const stopping = new AbortController()
  let deadly = true
  const files = new LogFiles(config.directory, '')
  t.ok(await files.claim())
  const rolling = roll({
    files,
    log: collectingLog(pair.logged),
    connect: async () => {
      const session = await pair.connect()
      const { peer } = session
      const ask = peer.ask.bind(peer)
      peer.ask = async (verb, key, pieces, sinks) => {
        if (key !== 'MAILBOX') return ask(verb, key, pieces, sinks)
        const text = [...(pieces as Iterable<string>)]
        if (deadly && text.join('').includes('.bad ')) peer.destroy()
        return ask(verb, key, text, sinks)
      }
      return session
    },
    parallel: 4,
    interval: 0,
    lifetime: 0,
    longestPause: 10,
    once: false,
    shutdownFile: undefined,
    stopping: stopping.signal,
  })
  const deferred = join(config.directory, 'sync', 'log-deferred')
  const until = async (condition: () => boolean): Promise<boolean> => {
    const deadline = Date.now() + 10_000
    while (!condition() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))
    replica.store.refresh()
    return condition()
  }
  t.ok(await until(() => existsSync(deferred)), 'put off')
  t.strictSame(readFileSync(deferred, 'utf8').split('\n').sort(), ['', 'MAILBOX shared.bad', 'USER alice'])
  t.strictSame(
    [...replica.store.mailboxes()].map(({ name }) => name).sort(),
    names.filter((name) => !name.endsWith('.bad')).sort(),
    'all others are there',
  )
  await deliver(store, 'user.bob', [messageText(1)])
  t.ok(await until(() => replica.store.mailbox('user.bob')?.exists === 1), 'and what comes later')
  deadly = false
  t.ok(await until(() => !existsSync(deferred)), 'done at last')
  t.strictSame(picture(replica.store, ''), picture(store, ''))
  stopping.abort()
  await rolling
})

t.test('what fails of a user without INBOX is given back, not dropped', async (t) => {
  const pair = await startPair('delete_mode: delayed\n')
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await deliver(store, 'user.alice', [messageText(1)])
  t.strictSame(await runLog(session, ['USER alice'], () => false), [])
  await deleteMailbox(store, 'user.alice')
  const [deleted] = [...store.mailboxes('DELETED')].map(({ name }) => name)
  const write = replica.store.write
  replica.store.write = () => Promise.reject(new Error('ENOSPC'))
  const failed = await runLog(session, [`RENAME user.alice ${deleted}`], () => false)
  t.strictSame(failed, ['MAILBOX user.alice', `MAILBOX ${deleted}`])
  replica.store.write = write
  t.strictSame(await runLog(session, failed, () => false), [])
  t.equal(replica.store.mailbox(deleted!)?.exists, 1)
})

t.test('what a sync_client of Cyrus has left is done first, what one that runs works on is not touched', async (t) => {
  const folder = t.testdir({ sync: { 'log-1000000001': 'MAILBOX user.a\nMAILBOX user.b\n', log: 'MAILBOX user.c\n' } })
  const running = spawn('sleep', ['60'], { argv0: 'sync_client', stdio: 'ignore' })
  t.teardown(() => running.kill())
  const theirs = join(folder, `sync/log-${running.pid}`)
  writeFileSync(theirs, 'MAILBOX user.d\n')
  await new Promise((resolve) => running.once('spawn', resolve))
  const files = new LogFiles(folder, '')
  t.ok(await files.claim())
  t.strictSame(await files.take(), { lines: ['MAILBOX user.a', 'MAILBOX user.b'], again: true })
  t.strictSame((await files.take())?.lines, ['MAILBOX user.a', 'MAILBOX user.b'], 'until it is done')
  files.done()
  t.strictSame(await files.take(), { lines: ['MAILBOX user.c'], again: false })
  files.done()
  t.equal(await files.take(), undefined)
  t.ok(existsSync(theirs))
})

t.test('a mailbox renamed and then deleted before the replica hears of either', async (t) => {
  const pair = await startPair('delete_mode: immediate\n')
  t.teardown(() => pair.close())
  const { store, replica } = pair
  await createMailbox(store, 'user.alice')
  await createMailbox(store, 'user.alice.a')
  const session = await pair.connect()
  t.same(await runLog(session, ['MAILBOX user.alice', 'MAILBOX user.alice.a'], () => false), [])
  await renameMailbox(store, 'user.alice.a', 'user.alice.b')
  await deleteMailbox(store, 'user.alice.b')
  const lines = [
    'RENAME user.alice.a user.alice.b',
    'MAILBOX user.alice.a',
    'MAILBOX user.alice.b',
    'UNMAILBOX user.alice.b',
  ]
  t.same(await runLog(session, lines, () => false), [])
  t.same(picture(replica.store, ''), picture(store, ''))
})
