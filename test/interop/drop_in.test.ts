/**
 * A rig made for the real Cyrus starts ours by being pointed at another program directory: START recover, idled and sync_client as DAEMON,
 * imap, lmtp, lmtpunix, sync, a checkpoint event, every cmd with its own -C, options that we do not know.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { compareUntilEqual } from '../lab/compare.js'
import { Lab } from '../lab/lab.js'
import { LmtpClient } from '../lab/lmtp_client.js'
import { sampleMessage } from '../lab/messages.js'
import { ROOT } from '../lab/software.js'

t.test('make install lays out a prefix, and a rig pointed at it runs', async (t) => {
  const prefix = mkdtempSync(join(tmpdir(), 'prefix-'))
  t.teardown(() => rmSync(prefix, { recursive: true, force: true }))
  execFileSync(process.execPath, [join(ROOT, 'dist/lib/os/link_programs.js'), '--install', prefix])
  execFileSync('chmod', ['755', prefix])
  const odd = {
    search_engine: 'xapian',
    debug_command: '/bin/true %s %d',
    notifysocket: 'dlist:/nowhere',
    nosuchoption: 'x',
  }
  const lab = await Lab.start('drop_in.ini', { programs: join(prefix, 'bin'), imapd: { master: odd, replica: odd } })
  t.teardown(() => lab.stop())
  t.match(readFileSync(lab.master.cyrusConf, 'utf8'), new RegExp(`DAEMON [^]*cmd="${prefix}/bin/sync_client -C `))
  await lab.createUsers()
  const lmtp = await LmtpClient.connect(lab.master.lmtpSocket)
  for (let n = 0; n < 10; n++) t.match(await lmtp.deliver(sampleMessage(n), 'alice'), [/^250/])
  await lmtp.quit()
  const { differences, messages } = await compareUntilEqual(lab)
  t.same(differences, [])
  t.equal(messages, 10)
})
