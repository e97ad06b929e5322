/** sync_reset: nothing of the user is left and nothing is logged; the other side can make the user anew. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createMailbox, deleteMailbox } from '../../lib/mailbox/folders.js'
import { LogFiles } from '../../lib/sync/log_file.js'
import { storeFixture } from '../fixture_store.js'
import { deliver, messageText } from '../sync/pair_fixture.js'

const program = fileURLToPath(new URL('../../services/sync_reset/main.js', import.meta.url))

function run(path: string, ...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '-C', path, ...args], { timeout: 30_000 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    )
  })
}

t.test('one of two users', async (t) => {
  const { store, config } = await storeFixture(t, `cyrus_user: ${userInfo().username}\ndelete_mode: delayed`)
  for (const name of ['user.alice', 'user.alice.gone', 'user.alice.sub', 'user.bob']) await createMailbox(store, name)
  await deliver(store, 'user.alice', [messageText(1)])
  await deleteMailbox(store, 'user.alice.gone')
  await store.write((txn) => {
    txn.setSubscribed('alice', 'user.bob', true)
    txn.setSubscribed('bob', 'user.bob', true)
    txn.setQuota('user.alice', { limits: { STORAGE: 1000 }, modseq: 1 })
  })
  await store.settled()
  const files = new LogFiles(config.directory, '')
  await files.take()
  files.done()
  const path = store.messagePath(store.mailbox('user.alice')!, 1)
  t.ok(existsSync(path))

  t.match(await run(config.path, 'alice'), { status: 64, stderr: /-f is needed/ })
  t.match(await run(config.path, '-f', 'al/ice'), { status: 64, stderr: /is no user/ })
  store.refresh()
  t.ok(store.mailbox('user.alice'))
  t.match(await run(config.path, '-v', '-f', 'alice'), {
    status: 0,
    stdout: /^user\.alice\nuser\.alice\.sub\nDELETED\.user\.alice\.gone\.[0-9A-F]+\n$/,
  })
  store.refresh()
  t.strictSame(
    [...store.mailboxes()].map(({ name }) => name),
    ['user.bob'],
  )
  t.strictSame([...store.tombstones('user.alice')], [], 'nothing tells replication that they were here')
  t.notOk(existsSync(path))
  t.strictSame([[...store.subscriptions('alice')], [...store.subscriptions('bob')]], [[], ['user.bob']])
  t.equal(store.quota('user.alice'), undefined)
  t.strictSame(await files.waiting(), { logged: 0, deferred: 0 })
  t.match(await run(config.path, '-f', 'alice'), { status: 1, stderr: /there is nothing of this user/ })
})
