/** Small messages of an upload are in memory until a mailbox takes them: their files, what is in the way of them, and what a refusal leaves. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { guidOf } from '../../lib/message/summary.js'
import { syncMailboxes } from '../../lib/sync/client/sync_folders.js'
import type { MailboxState } from '../../lib/sync/mailbox_codec.js'
import type { SessionContext } from '../../lib/sync/server/context.js'
import { RecordSlice } from '../../lib/sync/server/record_slice.js'
import { Staging } from '../../lib/sync/server/staging.js'
import { damagedMessages, deliver, messageText, startPair } from '../sync/pair_fixture.js'
import { collectingLog } from '../sync/server_fixture.js'

t.test('a file that belongs to no record gives way', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  for (const name of ['user.alice', 'user.alice.copy']) await createMailbox(store, name)
  await deliver(store, 'user.alice', [messageText(1)])
  await syncMailboxes(session, ['user.alice', 'user.alice.copy'])
  const here = replica.store.mailbox('user.alice')!
  // as a process leaves it that dies before its commit
  writeFileSync(replica.store.messagePath(here, 3), 'something else')
  await deliver(store, 'user.alice', [messageText(2), messageText(3), messageText(4)])
  await deliver(store, 'user.alice.copy', [messageText(3), messageText(4)])
  await syncMailboxes(session, ['user.alice', 'user.alice.copy'])
  replica.store.refresh()
  t.strictSame(await damagedMessages(replica.store, ''), [])
  t.equal(readFileSync(replica.store.messagePath(here, 3), 'latin1'), messageText(3).toString('latin1'))
  const copy = replica.store.mailbox('user.alice.copy')!
  t.equal(copy.exists, 2)
  t.equal(
    statSync(replica.store.messagePath(copy, 1)).ino,
    statSync(replica.store.messagePath(here, 3)).ino,
    'a message of two mailboxes is one file',
  )
})

t.test('what is refused leaves no file', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await deliver(store, 'user.alice', [messageText(1)])
  await syncMailboxes(session, ['user.alice'])
  const here = replica.store.mailbox('user.alice')!
  const message = messageText(2)
  const guid = guidOf(message)
  await session.peer.ask('APPLY', 'MESSAGE', [`(%{default ${guid} ${message.length}}\r\n`, message, ')'])
  const record = (uid: number, of: string): string =>
    `%(UID ${uid} MODSEQ 9 LAST_UPDATED 1 FLAGS () INTERNALDATE 1 SIZE ${message.length} GUID ${of})`
  const mailbox = `%(UNIQUEID ${here.uniqueid} MBOXNAME user.alice LAST_UID 3 HIGHESTMODSEQ 9 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 UIDVALIDITY ${here.uidvalidity} PARTITION default ACL "alice\tlrswipkxtecda\t" OPTIONS P SYNC_CRC 0`
  await t.rejects(
    session.peer.ask('APPLY', 'MAILBOX', [`${mailbox} RECORD (${record(2, guid)} ${record(3, 'f'.repeat(40))}))`]),
    /Unknown error/,
    'one of them was never sent',
  )
  const folder = dirname(replica.store.messagePath(here, 1))
  t.strictSame(
    readdirSync(folder).filter((name) => /^\d+\.$/.test(name)),
    ['1.'],
  )
  // the other is still ready
  await session.peer.ask('APPLY', 'MAILBOX', [`${mailbox} RECORD (${record(2, guid)}))`])
  replica.store.refresh()
  t.equal(replica.store.mailbox('user.alice')!.exists, 2)
  t.strictSame(await damagedMessages(replica.store, ''), [])
  t.ok(existsSync(replica.store.messagePath(here, 2)))
})

t.test('more than memory is to hold goes to disk', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const staging = new Staging(pair.store)
  t.teardown(() => staging.clear())
  let inMemory = 0
  const SIZE = 60_000
  for (let n = 0; n < 450; n++) {
    const bytes = Buffer.alloc(SIZE, `message ${n} `)
    const sink = staging.sink('default', guidOf(bytes), SIZE)
    sink.write(bytes.subarray(0, 1000))
    sink.write(bytes.subarray(1000))
    await (sink.end() as { done: Promise<boolean> }).done
    if (typeof staging.find('default', guidOf(bytes))?.source !== 'string') inMemory++
  }
  t.equal(inMemory, Math.floor((24 * 1024 * 1024) / SIZE))
  const first = guidOf(Buffer.alloc(SIZE, 'message 0 '))
  await createMailbox(pair.store, 'user.alice')
  staging.taken(staging.find('default', first)!, pair.store.mailbox('user.alice')!, 1)
  const again = Buffer.alloc(SIZE, 'one more ')
  const sink = staging.sink('default', guidOf(again), SIZE)
  sink.write(again)
  await (sink.end() as { done: Promise<boolean> }).done
  t.not(typeof staging.find('default', guidOf(again))!.source, 'string', 'what a mailbox has taken leaves room')
})

t.test('a message whose UID another peer was quicker to give stays ready', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store } = pair
  await createMailbox(store, 'user.alice')
  const staging = new Staging(store)
  t.teardown(() => staging.clear())
  const bytes = messageText(1)
  const guid = guidOf(bytes)
  const sink = staging.sink('default', guid, bytes.length)
  sink.write(bytes)
  sink.end()
  const { uniqueid } = store.mailbox('user.alice')!
  const record = {
    uid: 1,
    modseq: 2,
    lastUpdated: 1,
    flags: [],
    internaldate: 1,
    size: bytes.length,
    guid,
    annotations: [],
  }
  const slice = new RecordSlice(
    { store, staging, log: collectingLog([]) } as unknown as SessionContext,
    { name: 'user.alice', uniqueid } as MailboxState,
    [record],
  )
  await slice.ready
  const path = store.messagePath(store.mailbox('user.alice')!, 1)
  t.ok(existsSync(path), 'its file is made ahead')
  slice.taken()
  t.not(typeof staging.find('default', guid)!.source, 'string', 'what no transaction took is no file of the mailbox')
  await slice.drop()
  t.notOk(existsSync(path))
})
