/** cyr_expire over a real store: what is old goes with its files, what is young or alive stays; the program’s command line. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { deletedAt, expireDeleted, expireExpunged } from '../../lib/mailbox/expire.js'
import { createMailbox, deleteMailbox } from '../../lib/mailbox/folders.js'
import { appendMessages, expungeMessages } from '../../lib/mailbox/messages.js'
import { now } from '../../lib/store/store.js'
import { storeFixture } from '../fixture_store.js'
import { program } from '../lab/software.js'

t.test('messages and mailboxes', async (t) => {
  const { store } = await storeFixture(t)
  const alice = await createMailbox(store, 'user.alice')
  const old = await createMailbox(store, 'user.alice.old')
  const staged = await store.stageBuffer('default', Buffer.from('Subject: x\r\n\r\nx\r\n'))
  await appendMessages(
    store,
    alice,
    [1, 2, 3].map(() => ({ staged, flags: 0, keywords: [] })),
  )
  store.unstage(staged)
  await expungeMessages(store, alice, [1, 3])
  t.equal(await expireExpunged(store, alice, now() - 60), 0, 'too young')
  t.equal(await expireExpunged(store, alice, now() + 60), 2)
  t.same([...store.index(alice.id)!.uids], [2])
  t.match(store.mailboxById(alice.id), { exists: 1, expunged: 0, deletedModseq: 6, lastUid: 3 })
  await deleteMailbox(store, 'user.alice.old')
  t.same(await expireDeleted(store, '', now() - 60), [])
  const [name] = await expireDeleted(store, 'user.alice', now() + 60)
  t.match(name, /^DELETED\.user\.alice\.old\./)
  t.ok(deletedAt(name!)! >= now() - 60)
  t.match(store.tombstone(name!), { uniqueid: old.uniqueid })
  await store.settled()
  t.notOk(existsSync(store.messagePath(alice, 1)))
  t.ok(existsSync(store.messagePath(alice, 2)))
})

t.test('the program', async (t) => {
  const { config, store } = await storeFixture(t, `cyrus_user: ${process.env.USER ?? 'root'}`)
  await createMailbox(store, 'user.alice')
  const run = (...args: string[]) =>
    spawnSync(program('ours', 'cyr_expire'), ['-C', config.path, ...args], { encoding: 'utf8' })
  t.match(run('-X', '0', '-D', '0', '-E', '3', '-v'), {
    status: 0,
    stderr: /Expunged 0 messages, removed 0 deleted mailboxes/,
  })
  t.match(run('-X', 'soon'), { status: 64, stderr: 'cyr_expire: -X: "soon" is no age such as 3, 36h or 1d12h\n' })
  t.match(run(), { status: 64, stderr: /one of -X, -D, -E/ })
  t.match(run('-X', '1', '-u', 'a', '-p', 'b'), { status: 64 })
  t.match(execFileSync(program('ours', 'cyr_expire'), ['--help'], { encoding: 'utf8' }), /usage/)
})
