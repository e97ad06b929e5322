/** squatter over a real store: what it indexes, how it is told, rolling after the log, and after being killed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { appendMessages, expungeMessages } from '../../lib/mailbox/messages.js'
import { indexCoverage, indexMailbox } from '../../lib/mailbox/search_index.js'
import type { MailStore } from '../../lib/store/store.js'
import { storeFixture } from '../fixture_store.js'
import { sampleMessage } from '../lab/messages.js'
import { program } from '../lab/software.js'
import { waitFor } from '../lab/wait.js'

const ME = `cyrus_user: ${process.env.USER ?? 'root'}`

async function fill(store: MailStore, name: string, count: number): Promise<void> {
  const messages = []
  for (let n = 0; n < count; n += 1)
    messages.push({ staged: await store.stageBuffer('default', sampleMessage(n)), flags: 0, keywords: [] })
  await appendMessages(store, store.mailbox(name)!, messages)
  for (const { staged } of messages) store.unstage(staged)
}

const missing = async (store: MailStore, name: string): Promise<number> => {
  store.refresh()
  return (await indexCoverage(store, store.index(store.mailbox(name)!.id)!)).missing
}

t.test('all, some, of users, and what is wrong', async (t) => {
  const { config, store } = await storeFixture(t, `${ME}\nunixhierarchysep: yes`)
  for (const name of ['user.alice', 'user.alice.sub', 'user.bob', 'shared']) {
    await createMailbox(store, name)
    await fill(store, name, 3)
  }
  await store.settled()
  const run = (...args: string[]) =>
    spawnSync(program('ours', 'squatter'), ['-C', config.path, ...args], { encoding: 'utf8' })
  const state = async () =>
    Promise.all(['user.alice', 'user.alice.sub', 'user.bob', 'shared'].map((name) => missing(store, name)))
  t.match(run('user/alice'), { status: 0, stdout: '', stderr: '' })
  t.same(await state(), [0, 3, 3, 3])
  t.match(run('-v', '-r', 'user/alice'), { status: 0, stderr: /user\/alice\/sub: 3 messages added, 3 in the index/ })
  t.same(await state(), [0, 0, 3, 3])
  t.match(run('-u', 'bob', 'carol'), { status: 1, stderr: 'squatter: carol: there is no such user\n' })
  t.same(await state(), [0, 0, 0, 3])
  t.match(run('-N', 'user'), { status: 0 })
  t.same(await state(), [0, 0, 0, 3])
  t.match(run('-i', '-s', '60'), { status: 0 })
  t.same(await state(), [0, 0, 0, 0])
  await fill(store, 'user.bob', 2)
  t.match(run('-f', join(config.directory, 'sync/log')), { status: 0 })
  t.same(await state(), [0, 0, 0, 0])
  t.match(run('-a', '-v'), { status: 0, stderr: '' }, 'no mailbox is annotated')
  t.match(run('-R', '-u', 'a'), { status: 64, stderr: /exclude each other/ })
  t.match(run('-S', 'x'), { status: 64, stderr: /no number of seconds/ })
  t.match(run('-R', '-d', '-n', 'other'), { status: 1, stderr: /sync_log_channels/ })
  writeFileSync(config.path, `${readFileSync(config.path, 'utf8')}search_engine: none\n`)
  t.match(run(), { status: 78, stderr: 'squatter: nothing to do, since search_engine is none\n' })
})

t.test('rolling, killed in the middle, and on', async (t) => {
  const { config, store } = await storeFixture(t, `${ME}\nsync_log_channels: squatter`)
  await createMailbox(store, 'user.alice')
  let squatter: ChildProcess | undefined
  const start = (): void => {
    squatter = spawn(program('ours', 'squatter'), ['-C', config.path, '-R', '-d'], { stdio: 'inherit' })
  }
  t.teardown(() => squatter?.kill('SIGKILL'))
  start()
  await fill(store, 'user.alice', 5)
  await waitFor('the index to follow', async () => (await missing(store, 'user.alice')) === 0)
  await fill(store, 'user.alice', 400)
  squatter!.kill('SIGKILL')
  await once(squatter!, 'exit')
  start()
  await waitFor('the index to be filled after a kill', async () => (await missing(store, 'user.alice')) === 0)
  await waitFor('the log to be done', async () => !existsSync(join(config.directory, 'sync/squatter/log-run')))
  squatter!.kill('SIGTERM')
  t.same(await once(squatter!, 'exit'), [0, null])
})

t.test('one fills, others leave it to that one; what is gone is removed', async (t) => {
  const { store } = await storeFixture(t)
  const mailbox = await createMailbox(store, 'user.alice')
  await fill(store, 'user.alice', 700)
  const writer = await store.openSearchIndex(mailbox)
  t.equal(await indexMailbox(store, mailbox), undefined)
  writer!.close()
  t.same(await indexMailbox(store, mailbox), { added: 700, covered: 700 })
  const file = join(store.messagePath(mailbox, 1), '../cyrus.search')
  const before = readFileSync(file).length
  await expungeMessages(
    store,
    mailbox,
    Array.from({ length: 600 }, (_, n) => n + 1),
  )
  await store.write((txn) => {
    for (let uid = 1; uid <= 600; uid += 1) txn.mustMailbox(mailbox.id).unlink(uid)
  })
  t.same(await indexMailbox(store, mailbox), { added: 0, covered: 100 })
  t.ok(readFileSync(file).length < before / 4)
  t.equal(await missing(store, 'user.alice'), 0)
  // one message at a time makes small blocks, which are put together now and then
  for (let n = 0; n < 90; n += 1) {
    await fill(store, 'user.alice', 1)
    await indexMailbox(store, mailbox)
  }
  const again = await store.openSearchIndex(mailbox)
  t.ok(again!.blocks < 80, `${again!.blocks} blocks`)
  t.equal(again!.known.size, 190)
  again!.close()
  t.equal(await missing(store, 'user.alice'), 0)
})
