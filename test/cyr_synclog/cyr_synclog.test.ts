/** cyr_synclog: each type's line, quoting, raw lines, and what it does not take. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { storeFixture } from '../fixture_store.js'

const program = fileURLToPath(new URL('../../services/cyr_synclog/main.js', import.meta.url))

function run(path: string, ...args: string[]): Promise<{ status: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, '-C', path, ...args], { timeout: 30_000 }, (error, _stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code ?? -1), stderr }),
    )
  })
}

t.test('lines', async (t) => {
  const { config, directory } = await storeFixture(t, `cyrus_user: ${userInfo().username}`)
  const log = join(directory, 'conf/sync/log')
  const cases: [args: string[], line: string][] = [
    [['-u', 'alice'], 'USER alice'],
    [['-s', 'bob', 'abcdef'], 'SEEN bob abcdef'],
    [['-b', 'bob', 'user.bob.with space'], 'SUB bob "user.bob.with space"'],
    [['-m', '-M', 'user.bob'], 'UNMAILBOX user.bob'],
    [['RENAME user.a user.b'], 'RENAME user.a user.b'],
  ]
  for (const [args, line] of cases) {
    t.match(await run(config.path, ...args), { status: 0, stderr: '' })
    t.equal(readFileSync(log, 'utf8').split('\n').at(-2), line)
  }
  for (const args of [[], ['-u'], ['-u', ''], ['-s', 'bob'], ['-m', 'a\nUSER b']])
    t.match(await run(config.path, ...args), { status: 64, stderr: /needed|line end/ })
  t.equal(readFileSync(log, 'utf8').split('\n').length, cases.length + 1)
})

t.test('without sync_log it says so', async (t) => {
  const { config, directory } = await storeFixture(t, `cyrus_user: ${userInfo().username}`)
  writeFileSync(config.path, readFileSync(config.path, 'utf8').replace('sync_log: yes', 'sync_log: no'))
  t.match(await run(config.path, '-u', 'alice'), { status: 78, stderr: /sync_log is off/ })
  t.notOk(existsSync(join(directory, 'conf/sync/log')))
})
