/** sync_client's work against our own server: after every kind of change both stores tell the same. */
import t from 'tap'
import { createMailbox, deleteMailbox, renameMailbox } from '../../lib/mailbox/folders.js'
import { expungeMessages, storeFlags } from '../../lib/mailbox/messages.js'
import { setQuota } from '../../lib/mailbox/quota.js'
import { setSubscribed } from '../../lib/mailbox/subscriptions.js'
import { Flag } from '../../lib/store/store.js'
import { syncMailboxes } from '../../lib/sync/client/sync_folders.js'
import { syncUser } from '../../lib/sync/client/sync_user.js'
import { damagedMessages, deliver, messageText, picture, startPair } from './pair_fixture.js'

t.test('a user, step by step', async (t) => {
  const pair = await startPair('delete_mode: delayed\n')
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  const same = async (what: string): Promise<void> => {
    await syncUser(session, 'alice')
    await session.restart()
    t.strictSame(picture(replica.store, ''), picture(store, ''), what)
    t.strictSame(await damagedMessages(replica.store, ''), [], `${what}: bytes`)
    const before = pair.told.length
    await syncUser(session, 'alice')
    t.strictSame(pair.told.slice(before), ['USER alice'], `${what}: nothing is left to be done`)
  }
  await createMailbox(store, 'user.alice')
  await same('new user')
  await deliver(store, 'user.alice', [messageText(1), messageText(2), messageText('large', 3_000_000)], Flag.Flagged, [
    '$Work',
  ])
  await same('messages')
  await storeFlags(
    store,
    store.mailbox('user.alice')!,
    [1],
    {
      mode: 'add',
      flags: Flag.Answered,
      keywords: ['kw1'],
    },
    'alice',
  )
  await same('flags')
  await createMailbox(store, 'user.alice.a b(c)')
  await deliver(store, 'user.alice.a b(c)', [messageText(1), messageText(3)])
  await same('new mailbox')
  await expungeMessages(store, store.mailbox('user.alice')!, [2])
  await same('expunge')
  await renameMailbox(store, 'user.alice.a b(c)', 'user.alice.d')
  await same('rename')
  await setSubscribed(store, 'alice', 'user.alice.d', true)
  await setQuota(store, 'user.alice', { STORAGE: 5000, MESSAGE: 100 })
  await same('subscription and quota')
  t.strictSame([...replica.store.subscriptions('alice')], ['user.alice.d'])
  t.match(replica.store.quota('user.alice'), { limits: { STORAGE: 5000, MESSAGE: 100 } })
  await setQuota(store, 'user.alice', undefined)
  await setSubscribed(store, 'alice', 'user.alice.d', false)
  await store.write((txn) =>
    txn.setSeen('alice', 'someuniqueid', { lastRead: 5, lastUid: 3, lastChange: 4, seenUids: '1:3,5' }),
  )
  await same('unsubscribed, no quota, seen')
  t.strictSame([...replica.store.subscriptions('alice')], [])
  t.equal(replica.store.quota('user.alice'), undefined)
  t.match(replica.store.seen('alice', 'someuniqueid'), { seenUids: '1:3,5' })
  await createMailbox(store, 'user.alice.e')
  await same('another')
  // a swap: through a third name here, at once there
  await renameMailbox(store, 'user.alice.d', 'user.alice.x')
  await renameMailbox(store, 'user.alice.e', 'user.alice.d')
  await renameMailbox(store, 'user.alice.x', 'user.alice.e')
  await same('two mailboxes exchanged their names')
  await createMailbox(store, 'user.alice.above.below')
  await same('what is above a new mailbox')
  await renameMailbox(store, 'user.alice.d', 'user.alice.d.deeper.still')
  await same('below itself')
  await deleteMailbox(store, 'user.alice.e')
  await same('delayed deletion')
})

t.test('a mailbox deleted at once', async (t) => {
  const pair = await startPair('delete_mode: immediate\n')
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.bob')
  await createMailbox(store, 'user.bob.x')
  await syncUser(session, 'bob')
  t.ok(replica.store.mailbox('user.bob.x'))
  await deleteMailbox(store, 'user.bob.x')
  await syncUser(session, 'bob')
  t.equal(replica.store.mailbox('user.bob.x'), undefined)
  t.ok(replica.store.mailbox('user.bob'))
})

t.test('conflicts: what only the replica has is taken over', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await deliver(store, 'user.alice', [messageText(1), messageText(2), messageText(3)])
  const settle = async (what: string): Promise<void> => {
    await syncMailboxes(session, ['user.alice'])
    await session.restart()
    // what is expunged on both sides need not be the same message
    t.strictSame(picture(replica.store, '', false), picture(store, '', false), what)
    t.strictSame(
      [...(await damagedMessages(replica.store, '')), ...(await damagedMessages(store, ''))],
      [],
      `${what}: bytes`,
    )
  }
  const subjects = (): string[] => {
    const header = store.mailbox('user.alice')!
    const index = store.index(header.id)!
    return Array.from({ length: index.length }, (_, row) => `${index.uid(row)}${index.isExpunged(row) ? 'x' : ''}`)
  }
  await settle('at first')
  await storeFlags(
    replica.store,
    replica.store.mailbox('user.alice')!,
    [1],
    {
      mode: 'add',
      flags: Flag.Flagged,
      keywords: [],
    },
    'alice',
  )
  await settle('a flag set on the replica')
  t.ok(store.index(store.mailbox('user.alice')!.id)!.flags(0) & Flag.Flagged, 'is taken')
  await deliver(replica.store, 'user.alice', [messageText('there')])
  await settle('a message that is only there')
  t.strictSame(subjects(), ['1', '2', '3', '4'], 'keeps its UID')
  await deliver(replica.store, 'user.alice', [messageText('B')])
  await deliver(store, 'user.alice', [messageText('A')])
  await settle('one UID, two messages')
  t.strictSame(subjects(), ['1', '2', '3', '4', '5x', '6', '7'], 'both live on under new UIDs')
  await expungeMessages(replica.store, replica.store.mailbox('user.alice')!, [2])
  await settle('expunged there')
  t.ok(subjects().includes('2x'), 'is expunged here')
  await store.write((txn) => {
    const writer = txn.mailbox('user.alice')!
    writer.header.acl = 'alice\tlrs\t'
    writer.touch()
  })
  await replica.store.write((txn) => {
    const writer = txn.mailbox('user.alice')!
    writer.header.acl = 'bob\tlrs\t'
    writer.header.folderModseq = writer.nextModseq()
  })
  await settle('rights changed there')
  t.equal(replica.store.mailbox('user.alice')!.acl, 'alice\tlrs\t', "are the master's again")
})

t.test('-O takes nothing back', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect({ noCopyback: true })
  await createMailbox(store, 'user.alice')
  await deliver(store, 'user.alice', [messageText(1)])
  await syncMailboxes(session, ['user.alice'])
  await deliver(replica.store, 'user.alice', [messageText('B')])
  await deliver(store, 'user.alice', [messageText('A')])
  await t.rejects(syncMailboxes(session, ['user.alice']), /CHECKSUM/)
  t.equal(store.mailbox('user.alice')!.lastUid, 2)
})

t.test('a damaged message stops its mailbox only', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await createMailbox(store, 'user.alice.good')
  await deliver(store, 'user.alice', [messageText(1)])
  await deliver(store, 'user.alice.good', [messageText(2)])
  const { truncateSync } = await import('node:fs')
  truncateSync(store.messagePath(store.mailbox('user.alice')!, 1), 5)
  await t.rejects(syncUser(session, 'alice'), /user\.alice: message 1: file has 5 bytes/)
  t.equal(replica.store.mailbox('user.alice.good')?.exists, 1)
  t.notOk(session.peer.closed)
})

t.test('many new messages go in steps (sync_batchsize)', async (t) => {
  const pair = await startPair('sync_batchsize: 3\n')
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await deliver(
    store,
    'user.alice',
    Array.from({ length: 10 }, (_, n) => messageText(n)),
  )
  const flag = { mode: 'add', flags: Flag.Flagged, keywords: ['kw'] } as const
  await storeFlags(store, store.mailbox('user.alice')!, [1, 5], flag, 'alice')
  await expungeMessages(store, store.mailbox('user.alice')!, [2, 7])
  const { peer } = session
  const asked: string[] = []
  const ask = peer.ask.bind(peer)
  let failAt = 3
  peer.ask = async (verb, key, pieces, sinks) => {
    asked.push(key)
    if (key === 'MAILBOX' && --failAt === 0) {
      peer.destroy()
    }
    return ask(verb, key, pieces, sinks)
  }
  await t.rejects(syncMailboxes(session, ['user.alice']))
  replica.store.refresh()
  t.equal(replica.store.mailbox('user.alice')!.lastUid, 8, 'what was told before the connection was lost has stayed')
  const again = await pair.connect()
  await syncMailboxes(again, ['user.alice'])
  t.strictSame(picture(replica.store, '').length, 1)
  t.strictSame(picture(replica.store, '', false), picture(store, '', false))
  t.strictSame(await damagedMessages(replica.store, ''), [])
  t.strictSame(asked.filter((key) => key === 'MAILBOX').length, 3)
})

t.test('a full partition of the replica stops its mailboxes only', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  await createMailbox(store, 'user.alice')
  await createMailbox(store, 'user.alice.full', { partition: 'other' })
  await createMailbox(store, 'user.alice.room')
  for (const name of ['full', 'room']) await deliver(store, `user.alice.${name}`, [messageText(name, 200_000)])
  const stage = replica.store.stage.bind(replica.store)
  let broken: 'stage' | 'write' | undefined
  replica.store.stage = (partition) => {
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    if (partition === 'other' && broken === 'stage') throw full
    const stager = stage(partition)
    if (partition === 'other' && broken === 'write') {
      stager.write = () => {
        throw full
      }
    }
    return stager
  }
  const session = await pair.connect()
  for (broken of ['stage', 'write'] as const) {
    await t.rejects(syncUser(session, 'alice'), { name: 'PeerRefusalError' }, `${broken} fails: refused`)
    t.notOk(session.peer.closed, 'the conversation goes on')
    await session.restart()
    t.equal(replica.store.mailbox('user.alice.room')?.exists, 1, 'what has room is replicated')
  }
  broken = undefined
  await syncUser(session, 'alice')
  t.strictSame(picture(replica.store, ''), picture(store, ''), 'with room all is replicated')
  t.strictSame(await damagedMessages(replica.store, ''), [])
})
