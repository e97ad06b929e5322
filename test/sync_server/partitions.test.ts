/** Partitions of the replica: a mailbox moves with its messages; names of partitions that are not there are refused and harm nothing. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { expungeMessages } from '../../lib/mailbox/messages.js'
import { syncMailboxes } from '../../lib/sync/client/sync_folders.js'
import { damagedMessages, deliver, messageText, picture, startPair } from '../sync/pair_fixture.js'
import { RawClient } from '../sync/server_fixture.js'

t.test('a mailbox moves to another partition', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await deliver(store, 'user.alice', [messageText(1), messageText(2), messageText(3, 2_000_000)])
  await expungeMessages(store, store.mailbox('user.alice')!, [2])
  await syncMailboxes(session, ['user.alice'])
  const before = replica.store.mailbox('user.alice')!
  const old = replica.store.messagePath(before, 1)
  await session.peer.ask('APPLY', 'RENAME', [
    '%(OLDMBOXNAME user.alice NEWMBOXNAME user.alice PARTITION other UIDVALIDITY 0)',
  ])
  replica.store.refresh()
  await replica.store.settled()
  t.equal(replica.store.mailbox('user.alice')!.partition, 'other')
  t.notOk(existsSync(old), 'the old files are gone')
  t.strictSame(await damagedMessages(replica.store, ''), [])
  // new mail follows it to where it is now
  session.known.clear()
  await deliver(store, 'user.alice', [messageText(4)])
  await syncMailboxes(session, ['user.alice'])
  t.equal(replica.store.mailbox('user.alice')!.partition, 'other')
  t.strictSame(
    picture(replica.store, '').map((text) => text.replace('PARTITION other', 'PARTITION default')),
    picture(store, ''),
  )
  t.strictSame(await damagedMessages(replica.store, ''), [])
  await t.rejects(
    session.peer.ask('APPLY', 'RENAME', ['%(OLDMBOXNAME user.alice NEWMBOXNAME user.alice PARTITION nowhere)']),
    /Unknown error/,
  )
})

t.test('a move that cannot be made leaves everything where it is', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const { store, replica } = pair
  const session = await pair.connect()
  await createMailbox(store, 'user.alice')
  await deliver(store, 'user.alice', [messageText(1), messageText(2)])
  await syncMailboxes(session, ['user.alice'])
  rmSync(replica.store.messagePath(replica.store.mailbox('user.alice')!, 2))
  await t.rejects(
    session.peer.ask('APPLY', 'RENAME', ['%(OLDMBOXNAME user.alice NEWMBOXNAME user.bob PARTITION other)']),
    /Unknown error/,
  )
  replica.store.refresh()
  t.match(replica.store.mailbox('user.alice'), { partition: 'default', exists: 2 })
  await replica.store.settled()
  await session.peer.noop()
  const stage = join(replica.folder, 'other/stage.')
  t.same(
    readdirSync(stage).filter((name) => statSync(join(stage, name)).size > 0),
    [],
    'nothing staged is left',
  )
})

t.test('unknown partitions', async (t) => {
  const pair = await startPair()
  t.teardown(() => pair.close())
  const client = await RawClient.connect(pair.replica.port)
  await client.login()
  const guid = 'a46dba959d41f9c18545829f6d19731ee3b85533'
  t.match(await client.ask(`APPLY RESERVE %(PARTITION nowhere MBOXNAME () GUID (${guid}))\r\n`), /^NO Unknown error/)
  t.match(await client.ask(`APPLY MESSAGE (%{nowhere ${guid} 5}\r\nabcde)\r\n`), /^NO Unknown error/)
  t.match(await client.ask(`APPLY MESSAGE (%{../../etc ${guid} 5}\r\nabcde)\r\n`), /^NO Unknown error/)
  const mailbox = (uniqueid: string, name: string, partition: string, more = ''): string =>
    `APPLY MAILBOX %(UNIQUEID ${uniqueid} MBOXNAME ${name} SYNC_CRC 0 SYNC_CRC_ANNOT 0 LAST_UID 1 HIGHESTMODSEQ 5 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 5 PARTITION ${partition} ACL "" OPTIONS P RECORD (${more}))\r\n`
  t.match(await client.ask(mailbox('abc', 'user.raw', 'nowhere')), /^NO Unknown error/)
  t.match(
    await client.ask(mailbox('../../x', 'user.raw', 'default')),
    /^NO IMAP_PROTOCOL_BAD_PARAMETERS/,
    'a uniqueid that is a path',
  )
  t.match(
    await client.ask(mailbox('abc', 'user..raw', 'default')),
    /^NO IMAP_PROTOCOL_BAD_PARAMETERS/,
    'a name that is none',
  )
  // a message that was never uploaded, and one whose bytes are not what was said
  const record = `%(UID 1 MODSEQ 5 LAST_UPDATED 1 FLAGS () INTERNALDATE 1 SIZE 5 GUID ${guid})`
  t.match(await client.ask(mailbox('abc', 'user.raw', 'default', record)), /^NO Unknown error/)
  t.match(await client.ask(`APPLY MESSAGE (%{default ${guid} 5}\r\nabcde)\r\n`), /^OK/)
  t.match(await client.ask(mailbox('abc', 'user.raw', 'default', record)), /^NO Unknown error/)
  pair.replica.store.refresh()
  t.equal(pair.replica.store.mailbox('user.raw'), undefined, 'nothing of it has stayed')
  t.match(await client.ask('NOOP\r\n'), /^OK/, 'and the session goes on')
  t.match(await client.ask(`GET META {131073+}\r\n`), /^\* Fatal error: \[TOOBIG\] Literal size exceeds fixed limit/)
  client.close()
})

t.test('a server that is told to stop says BYE', async (t) => {
  const pair = await startPair()
  const session = await pair.connect()
  pair.replica.stopping.abort()
  await t.rejects(session.peer.noop(), /BYE shutting down|connection/)
  t.ok(session.peer.closed)
  await pair.close()
})
