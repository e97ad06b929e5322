/** The program ctl_cyrusdb as START and EVENTS run it. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Config } from '../../lib/config/config.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { MailStore } from '../../lib/store/store.js'
import { silent } from '../fixture_store.js'

const PROGRAM = fileURLToPath(new URL('../../services/ctl_cyrusdb/main.js', import.meta.url))

function run(...args: string[]): { status: number | null; stderr: string; stdout: string } {
  return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' })
}

t.test('recovers and checkpoints, a new store and one in use, quietly', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'ctl-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const conf = join(dir, 'imapd.conf')
  writeFileSync(
    conf,
    `configdirectory: ${dir}/conf\npartition-default: ${dir}/spool\nstore_map_size: 1g\ncyrus_user: ${userInfo().username}\n`,
  )
  t.match(run('-C', conf, '-r'), { status: 0, stdout: '', stderr: '' })
  t.ok(existsSync(join(dir, 'conf')))
  const store = await MailStore.open(Config.load(conf), silent)
  await createMailbox(store, 'user.fred')
  t.match(run('-C', conf, '-c'), { status: 0, stdout: '', stderr: '' }, 'while another process has it open')
  t.ok(store.mailbox('user.fred'))
  await store.close()
  t.match(run('-C', conf, '-r', '-v'), { status: 0, stderr: /recovering cyrus databases\n.*done recovering/s })
  writeFileSync(conf, `configdirectory: ${dir}/conf\ncyrus_user: ${userInfo().username}\n`)
  t.match(run('-C', conf, '-r'), { status: 78, stderr: /^ctl_cyrusdb: .*no partition is configured.*\n$/ })
})

t.test('bad command lines', async (t) => {
  for (const args of [[], ['-r', '-c'], ['-Z'], ['-r', 'word']]) {
    t.match(run(...args), { status: 64, stderr: /^ctl_cyrusdb: [^\n]+\n$/ })
  }
})
