/** Replication inside IMAP: a real Cyrus' sync_client, pointed at our imapd, replicates over it; others do not get to see the commands. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { compareUntilEqual } from '../lab/compare.js'
import { ADMIN } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { readCommandResult } from './sync_direct_run.js'

t.test('sync_client of Cyrus 3.6.1 over IMAP', { timeout: 60_000 }, async (t) => {
  if (!needsCyrus(t)) return
  const lab = await Lab.start('cyrus_to_ours.ini', {
    rolling: false,
    users: ['alice'],
    imapd: { master: { sync_try_imap: '1' }, replica: { sync_log: 'yes' } },
  })
  t.teardown(() => lab.stop())
  await lab.createUsers()
  const client = await lab.login('alice')
  for (let n = 0; n < 5; n++)
    await client.append('INBOX', Buffer.from(`Subject: ${n}\r\n\r\n${'x'.repeat(n * 10_000)}\r\n`), '(\\Flagged)')
  await client.ok('CREATE INBOX/sub')
  const where = `127.0.0.1:${lab.replica.ports.imap}`
  // nobody speaks csync on that port
  t.match(await readCommandResult(lab.master, 'sync_client', '-v', '-S', where, '-u', 'alice'), { status: 0 })
  t.strictSame((await compareUntilEqual(lab, 5, ['alice'])).differences, [])
  await client.ok('SELECT INBOX')
  await client.ok('STORE 1 -FLAGS (\\Flagged)')
  await readCommandResult(lab.master, 'sync_client', '-S', where, '-u', 'alice')
  t.strictSame((await compareUntilEqual(lab, 5, ['alice'])).differences, [])
  await client.logout()
  t.notOk(existsSync(join(lab.replica.directory, 'conf/sync/log')), 'what came by replication is not logged again')

  const user = await lab.login('alice', lab.replica)
  t.notMatch((await user.ok('CAPABILITY')).untagged.map(({ text }) => text).join(), /X-REPLICATION/)
  t.match(await user.command('SYNCGET USER alice'), { status: 'BAD', text: /Unrecognized command/ })
  await user.logout()
  const admin = await lab.login(ADMIN.user, lab.replica, ADMIN.password)
  t.match((await admin.ok('CAPABILITY')).untagged.map(({ text }) => text).join(), /X-REPLICATION X-SIEVE-MAILBOX/)
  t.match(await admin.command('SYNCGET META alice'), { status: 'OK', text: /success/ })
  t.match(await admin.command('SYNCAPPLY NONSENSE %()'), { status: 'NO' })
  t.match(await admin.command('SYNCRESTART'), { status: 'OK', text: /Restarting/ })
  t.match(await admin.command('SELECT INBOX'), { status: 'BAD', text: /Only replication and LOGOUT/ })
  await admin.logout()
})
