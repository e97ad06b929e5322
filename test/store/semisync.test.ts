/** `sync_mode: semisync`: a change is acknowledged when whoever reads the replication log has done it, or after a while without. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Logger } from '../../lib/process/log.js'
import { FALLEN_BACK } from '../../lib/store/confirmations.js'
import { MailStore } from '../../lib/store/store.js'
import { LogFiles } from '../../lib/sync/log_file.js'
import { silent, storeFixture } from '../fixture_store.js'

const SEMISYNC = 'sync_mode: semisync\nsync_semisync_timeout: 1'

async function semisyncStore(t: Test): Promise<{ store: MailStore; files: LogFiles; said: string[]; marker: string }> {
  const { config } = await storeFixture(t, SEMISYNC)
  const said: string[] = []
  const say = (message: string): void => void said.push(message)
  const log: Logger = { ...silent, notice: say, warning: say, error: say }
  const store = await MailStore.open(config, log, { acknowledges: true })
  t.teardown(() => store.close())
  const files = new LogFiles(config.directory, '')
  return { store, files, said, marker: join(files.directory, FALLEN_BACK) }
}

/** A change that is logged as `META NAME`. */
function change(store: MailStore, name: string): { acknowledged: () => boolean; done: Promise<void> } {
  let acknowledged = false
  const done = store
    .write((txn) => txn.log(`META ${name}`))
    .then(() => {
      acknowledged = true
    })
  return { acknowledged: () => acknowledged, done }
}

/** The log as soon as it has these lines. */
async function take(t: Test, files: LogFiles, ...lines: string[]): Promise<void> {
  for (;;) {
    const { logged } = await files.waiting()
    if (logged >= lines.length) break
    await pause(1)
  }
  const taken = await files.take()
  t.strictSame(taken?.lines.sort(), lines.sort())
}

t.test('an acknowledgement waits until the log is done', async (t) => {
  const { store, files, said } = await semisyncStore(t)
  const first = change(store, 'a')
  await take(t, files, 'META a')
  const second = change(store, 'b')
  await pause(20)
  t.notOk(first.acknowledged(), 'taken is not done')
  files.done()
  await first.done
  t.notOk(second.acknowledged(), 'what was logged later is not done with it')
  await take(t, files, 'META b')
  files.done()
  await second.done
  t.strictSame(said, [])
})

t.test('what the replica cannot take is acknowledged with a word in the log', async (t) => {
  const { store, files, said } = await semisyncStore(t)
  const changes = [change(store, 'good'), change(store, 'bad')]
  await take(t, files, 'META good', 'META bad')
  files.done(['META bad'])
  for (const { done } of changes) await done
  t.strictSame(said, ['semisync: acknowledged without the replica, which cannot take it yet: META bad'])
})

t.test('a replica that is silent is not waited for until it is back', async (t) => {
  const { store, files, said, marker } = await semisyncStore(t)
  await change(store, 'a').done
  t.match(said.splice(0), [/^semisync: no confirmation from the replica within 1 s/])
  t.ok(existsSync(marker), 'other processes know it, too')
  const began = performance.now()
  await change(store, 'b').done
  t.ok(performance.now() - began < 900)
  await take(t, files, 'META a', 'META b')
  files.done()
  while (existsSync(marker)) await pause(1)
  t.strictSame(said.splice(0), ['semisync: the replica is back: changes wait for it again'])
  const next = change(store, 'c')
  await take(t, files, 'META c')
  t.notOk(next.acknowledged())
  files.done()
  await next.done
})

t.test('who does not acknowledge does not wait; a log that nobody writes is an error', async (t) => {
  const { store, config } = await storeFixture(t, SEMISYNC)
  await store.write((txn) => txn.log('META a'))
  t.pass()
  const other = await storeFixture(t, `${SEMISYNC}\nsync_log_channels: elsewhere`)
  await t.rejects(MailStore.open(other.config, silent, { acknowledges: true }), {
    message: /imapd\.conf:\d+: sync_mode: semisync needs sync_log: yes and the default channel among sync_log_channels/,
  })
  t.ok(config)
})
