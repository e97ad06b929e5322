/** A disk that is full: what cannot be written is refused with its reason, and the process and what it has acknowledged live on. */
import { spawnSync } from 'node:child_process'
import fs, { readlinkSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { appendMessages } from '../../lib/mailbox/messages.js'
import { MailStore } from '../../lib/store/store.js'
import { silent, storeFixture } from '../fixture_store.js'

t.test('a commit that does not fit on the disk fails alone', async (t) => {
  const { store, config } = await storeFixture(t)
  const writer = fileURLToPath(new URL('full_disk_writer.js', import.meta.url))
  const command = `ulimit -f 4096; exec '${process.execPath}' '${writer}' '${config.path}'`
  const { stdout, stderr, status, signal } = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  t.equal(status, 0, `the process lives: ${signal} ${stderr.slice(-300)}`)
  const told = JSON.parse(stdout) as { acknowledged: number; failures: string[]; exists: number }
  t.ok(told.acknowledged > 10, `${told.acknowledged} messages found room`)
  t.equal(told.failures.length, 3)
  for (const failure of told.failures) t.match(failure, /^cannot commit: ./, 'says why')
  t.equal(told.exists, told.acknowledged)

  const again = await MailStore.open(config, silent)
  t.teardown(() => again.close())
  store.refresh()
  const mailbox = store.mailbox('user.alice')!
  t.equal(store.index(mailbox.id)!.length, told.acknowledged, 'all that was acknowledged is there')
  for (let uid = 1; uid <= told.acknowledged; uid++)
    if ((await store.readMessage(mailbox, uid)).length < 30_000) t.fail(`message ${uid} is damaged`)
  const staged = await store.stageBuffer('default', Buffer.from('Subject: room again\r\n\r\n'))
  await appendMessages(store, mailbox, [{ staged, flags: 0, keywords: [] }])
  store.unstage(staged)
  t.equal((await createMailbox(store, 'user.bob')).name, 'user.bob', 'and with room there is work')
})

t.test('a replication log that cannot be written gets its lines when it can, each whole', async (t) => {
  const { store, directory } = await storeFixture(t)
  const log = join(directory, 'conf/sync/log')
  const { writeSync } = fs
  let failures = 0
  // half a line, then nothing: what a full disk does
  fs.writeSync = ((fd: number, bytes: Buffer, at: number) => {
    if (failures >= 2 || readlinkSync(`/proc/self/fd/${fd}`) !== log) return writeSync(fd, bytes, at)
    if (failures++ === 0) writeSync(fd, bytes, 0, 5)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }) as typeof writeSync
  syncBuiltinESMExports()
  t.teardown(() => {
    fs.writeSync = writeSync
    syncBuiltinESMExports()
  })
  await createMailbox(store, 'user.alice')
  await store.settled()
  t.equal(failures, 2)
  const lines = fs.readFileSync(log, 'utf8').split('\n')
  t.ok(lines.includes('MAILBOX user.alice'), `the line is there: ${lines}`)
})
