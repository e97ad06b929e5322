/** sync_check: finds each kind of difference, and none where there is none; changes nothing; exit status. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { storeFlags } from '../../lib/mailbox/messages.js'
import { Flag } from '../../lib/store/store.js'
import { runLog } from '../../lib/sync/client/log_run.js'
import { deliver, messageText, type Pair, picture, startPair } from '../sync/pair_fixture.js'

const program = fileURLToPath(new URL('../../services/sync_check/main.js', import.meta.url))

function run(pair: Pair, ...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, '-C', pair.config.path, '-w', '0', ...args],
      { timeout: 30_000 },
      (error, stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    )
  })
}

t.test('equal, then different in every way', async (t) => {
  const pair = await startPair(`cyrus_user: ${userInfo().username}\nsync_log: yes\n`)
  t.teardown(() => pair.close())
  const { store, replica } = pair
  for (const name of ['user.alice', 'user.alice.sub', 'user.bob', 'shared']) await createMailbox(store, name)
  await deliver(store, 'user.alice', [messageText(1), messageText(2), messageText(3)])
  await deliver(store, 'user.bob', [messageText(4)])
  await store.write((txn) => txn.setSubscribed('alice', 'user.alice', true))
  await store.settled()
  const session = await pair.connect()
  t.strictSame(await runLog(session, ['USER alice', 'USER bob', 'MAILBOX shared'], () => false), [])
  t.match(await run(pair), { status: 0, stdout: /^the replica is the same as .*: 3 users and shared mailboxes\n$/ })
  t.match(await run(pair, '-b', 'alice'), { status: 0, stdout: /1 users/ })

  const before = [picture(store, ''), picture(replica.store, '')]
  const bytes = messageText('5')
  await deliver(store, 'user.bob', [bytes])
  await deliver(replica.store, 'user.bob', [messageText('elsewhere')])
  const alice = replica.store.mailbox('user.alice')!
  await storeFlags(replica.store, alice, [2], { mode: 'add', flags: Flag.Flagged, keywords: ['$Odd'] }, 'alice')
  await createMailbox(store, 'user.alice.new')
  await createMailbox(replica.store, 'user.alice.extra')
  await replica.store.write((txn) => txn.setSubscribed('alice', 'user.alice', false))
  const path = replica.store.messagePath(alice, 3)
  writeFileSync(path, Buffer.alloc(messageText(3).length, 'x'))
  await replica.store.settled()

  const { status, stdout } = await run(pair)
  t.equal(status, 1)
  for (const line of [
    /^user\.alice: HIGHESTMODSEQ: \d+ here, \d+ there$/m,
    /^user\.alice: UID 2: flags \(\) here, \(.*\\Flagged.*\) there; modseq \d+ here, \d+ there$/m,
    /^user\.alice\.new: only here$/m,
    /^user\.alice\.extra: only there$/m,
    /^user alice: subscription to user\.alice: only here$/m,
    /^user\.bob: UID 2: another message: GUID [0-9a-f]{40} here, [0-9a-f]{40} there$/m,
    /^\d+ differences in 2 of 3 users and shared mailboxes$/m,
  ])
    t.match(stdout, line)
  t.notMatch(stdout, /UID 3/, 'without -b nobody looks into the files')
  t.match(
    (await run(pair, '-b', '-m', 'user/alice')).stdout,
    /^user\.alice: UID 3: (?:its file there .*damaged|the replica does not give its file)/m,
  )
  t.match(await run(pair, '-m', 'user/alice/sub'), { status: 0 })
  t.not(picture(store, '').length, before[0]!.length)
  const after = [picture(store, ''), picture(replica.store, '')]
  await run(pair, '-b')
  t.strictSame([picture(store, ''), picture(replica.store, '')], after, 'nothing is changed')
})

t.test('command line and connection', async (t) => {
  const pair = await startPair(`cyrus_user: ${userInfo().username}\n`)
  t.teardown(() => pair.close())
  t.match(await run(pair, '--help'), { status: 0, stdout: /^usage: sync_check/ })
  t.match(await run(pair, '-m'), { status: 64, stderr: /no mailboxes given/ })
  t.match(await run(pair, '-w', 'soon'), { status: 64, stderr: /"soon" is no number/ })
  t.match(await run(pair, '-S', '127.0.0.1:1'), { status: 71, stderr: /^sync_check: 127\.0\.0\.1:1: ECONNREFUSED\n$/ })
})
