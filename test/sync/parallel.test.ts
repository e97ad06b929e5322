/** Replication over several connections: what may go side by side, that it does, and what happens when some of them are lost. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { Connections } from '../../lib/sync/client/connections.js'
import { runLog } from '../../lib/sync/client/log_run.js'
import { PeerGoneError } from '../../lib/sync/client/peer_errors.js'
import { roll } from '../../lib/sync/client/rolling.js'
import type { ClientSession } from '../../lib/sync/client/session.js'
import { freshStatus, StatusFile, type SyncStatus, statusPath } from '../../lib/sync/client/status.js'
import { LogFiles } from '../../lib/sync/log_file.js'
import { groupByOwner } from '../../lib/sync/owner_groups.js'
import { deliver, messageText, picture, startPair } from './pair_fixture.js'
import { collectingLog } from './server_fixture.js'

t.test('what is said of one owner stays together and in order', async (t) => {
  const groups = (...lines: string[]) => groupByOwner(lines)
  t.strictSame(groups('MAILBOX user.a', 'MAILBOX user.b', 'APPEND user.a.x', 'META a', 'SUB b user.a'), [
    ['MAILBOX user.a', 'APPEND user.a.x', 'META a'],
    ['MAILBOX user.b', 'SUB b user.a'],
  ])
  t.strictSame(groups('MAILBOX user.b.x', 'MAILBOX user.c', 'RENAME user.a user.b', 'USER a'), [
    ['MAILBOX user.b.x', 'RENAME user.a user.b', 'USER a'],
    ['MAILBOX user.c'],
  ])
  t.strictSame(
    groups('RENAME user.a user.b', 'RENAME user.c user.d', 'RENAME user.d user.a', 'QUOTA user.c', 'MAILBOX user.e'),
    [['RENAME user.a user.b', 'RENAME user.c user.d', 'RENAME user.d user.a', 'QUOTA user.c'], ['MAILBOX user.e']],
    'owners joined by way of others',
  )
  t.strictSame(groups('MAILBOX shared', 'what is this', 'MAILBOX DELETED.user.a.5', 'UNUSER a', 'ANNOTATION ""'), [
    ['MAILBOX shared', 'what is this', 'ANNOTATION ""'],
    ['MAILBOX DELETED.user.a.5', 'UNUSER a'],
  ])
  t.strictSame(groups(), [])
})

/** A connection that is only counted. */
function fake(log: string[], name: string): ClientSession {
  const peer = {
    closed: false,
    exit: async () => void log.push(`exit ${name}`),
    destroy: () => void log.push(`destroy ${name}`),
    noop: async () => {},
  }
  return { peer, name, restart: async () => {} } as unknown as ClientSession
}
const nameOf = (session: ClientSession): string => (session as unknown as { name: string }).name

t.test(
  'a queue is shared by as many connections as it is worth, and a slow one to come holds up nothing',
  async (t) => {
    const log: string[] = []
    let made = 0
    let release!: () => void
    const slow = new Promise<void>((resolve) => (release = resolve))
    const connections = new Connections({
      connect: async () => {
        const name = String(++made)
        if (made === 3) await slow
        return fake(log, name)
      },
      most: 3,
      lifetime: 0,
    })
    await connections.share(['only'], async (session, item) => void log.push(`${nameOf(session)} ${item}`))
    t.strictSame([log.splice(0), connections.size], [['1 only'], 1])
    const gates = new Map<string, () => void>()
    const queue = ['a', 'b', 'c', 'd', 'e', 'f']
    const done = connections.share(queue, (session, item) => {
      log.push(`${nameOf(session)} ${item}`)
      return item === 'a' ? new Promise<void>((resolve) => gates.set(item, resolve)) : Promise.resolve()
    })
    while (queue.length > 0) await new Promise((resolve) => setImmediate(resolve))
    t.strictSame(log.splice(0), ['1 a', '2 b', '2 c', '2 d', '2 e', '2 f'], 'while one is busy the other goes on')
    gates.get('a')!()
    await done
    t.equal(connections.size, 2)
    release()
    while (connections.size < 3) await new Promise((resolve) => setImmediate(resolve))
    await connections.end()
    t.strictSame(log, ['exit 1', 'exit 2', 'exit 3'])
  },
)

t.test('an item whose connection is lost goes to another; without any the failure comes out', async (t) => {
  const log: string[] = []
  let made = 0
  const connections = new Connections({
    connect: async () => fake(log, String(++made)),
    most: 2,
    lifetime: 0,
  })
  const work = async (session: ClientSession, item: string): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    if (item === 'bad' && nameOf(session) === '1') throw new PeerGoneError('lost')
    log.push(`${nameOf(session)} ${item}`)
  }
  await connections.share(['bad', 'a', 'b', 'c'], work)
  t.ok(log.includes('destroy 1'))
  t.strictSame(log.filter((line) => line.startsWith('2 ')).sort(), ['2 a', '2 b', '2 bad', '2 c'])
  const queue = ['x', 'y', 'z']
  const never = (): Promise<void> => Promise.reject(new PeerGoneError('all lost'))
  await t.rejects(connections.share(queue, never), { message: 'all lost' })
  t.strictSame(queue.sort(), ['x', 'y', 'z'], 'nothing is forgotten')
  t.equal(connections.size, 0)
})

t.test('what one connection has done is no news to another', async (t) => {
  const pair = await startPair('sync_log: yes\n')
  t.teardown(() => pair.close())
  await createMailbox(pair.store, 'user.alice')
  const known: ClientSession['known'] = new Map()
  const sent = { messages: 0, bytes: 0 }
  const sessions = [await pair.connect({ known, sent }), await pair.connect({ known, sent })]
  for (let n = 0; n < 6; n++) {
    await deliver(pair.store, 'user.alice', [messageText(n)])
    t.strictSame(await runLog(sessions[n % 2]!, ['MAILBOX user.alice'], () => false), [])
  }
  t.equal(sent.messages, 6, 'each was sent once')
  t.equal(pair.told.filter((line) => line === 'MAILBOXES user.alice').length, 1, 'the replica was asked once')
  t.strictSame(picture(pair.replica.store, ''), picture(pair.store, ''))
})

t.test('rolling with four connections: all arrives, and the status tells of it', async (t) => {
  const pair = await startPair('sync_log: yes\n')
  t.teardown(() => pair.close())
  const { store, replica, config } = pair
  const users = Array.from({ length: 12 }, (_, n) => `user.u${n}`)
  for (const name of users) {
    await createMailbox(store, name)
    await deliver(store, name, [messageText(name), messageText(`${name} again`)])
  }
  await createMailbox(replica.store, 'user.u3')
  await deliver(replica.store, 'user.u3', [messageText('in the way')])
  await store.settled()
  let opened = 0
  const files = new LogFiles(config.directory, '')
  t.ok(await files.claim())
  const sent = freshStatus('', 'here')
  await roll({
    files,
    log: collectingLog(pair.logged),
    connect: async () => {
      opened++
      const session = await pair.connect()
      Object.assign(session.options, { sent })
      return session
    },
    parallel: 4,
    interval: 0,
    lifetime: 0,
    longestPause: 200,
    once: true,
    shutdownFile: undefined,
    stopping: new AbortController().signal,
    status: new StatusFile(config.directory, sent, collectingLog(pair.logged)),
  })
  t.equal(opened, 4)
  replica.store.refresh()
  for (const name of users.filter((each) => each !== 'user.u3'))
    t.strictSame(picture(replica.store, name), picture(store, name), name)
  const status = JSON.parse(readFileSync(statusPath(config.directory, ''), 'utf8')) as SyncStatus
  // two were sent for u3 in vain, for its mailbox and for the user
  t.match(status, { rounds: 1, messages: 22 + 4, waiting: 1, connections: 0 })
  t.match(status.failing, [{ line: 'USER u3', reason: /\S/ }])
  t.ok(status.oldest! > 0 && status.lastRound! >= status.oldest!)
  const text = readFileSync(statusPath(config.directory, '').replace('.json', '.txt'), 'utf8')
  t.match(text, /^# TYPE cyrus_sync_failing_entries gauge\ncyrus_sync_failing_entries\{channel=""\} 1$/m)
  t.notOk(existsSync(join(config.directory, 'sync', 'log-run')))
})
