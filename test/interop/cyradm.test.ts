/** Cyrus' own cyradm administers our imapd. */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import t from 'tap'
import { startServer, temporaryDirectory } from '../imapd/server.js'
import { needsPrograms } from '../lab/needs.js'

const SCRIPT = `createmailbox user/dora
cm user/dora/sub
cm --specialuse \\Trash user/dora/Trash
lm
sam user/dora alice lrs
lam user/dora
dam user/dora alice
setquota user/dora STORAGE 5000
lq user/dora
lqr user/dora/sub
setinfo motd "hello there"
info
setinfo motd none
mboxconfig user/dora/sub comment "a comment"
info user/dora/sub
renm user/dora/sub user/dora/sub2
renm user/dora user/zoe
sam user/zoe/sub2 cyrus x
dm user/zoe/sub2
lm user/zoe*
quit
`

t.test('mailboxes, rights, quotas, metadata, users', async (t) => {
  if (!needsPrograms(t, 'cyradm')) return
  const directory = temporaryDirectory()
  const server = await startServer(directory, 'altnamespace: no\nunixhierarchysep: yes\nallowusermoves: yes')
  t.teardown(async () => {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const options = ['--user', 'cyrus', '--password', 'testpw', '--port', String(server.port), '--auth', 'login']
  const program = spawn('cyradm', [...options, 'localhost'], { timeout: 60_000 })
  let output = ''
  program.stdout.on('data', (data) => (output += data))
  program.stderr.on('data', (data) => (output += data))
  program.stdin.end(SCRIPT)
  await new Promise((resolve) => program.once('close', resolve))
  for (const line of [
    'user/dora/Trash (\\HasNoChildren \\Trash)',
    'alice lrs',
    'STORAGE 0/5000 (0%)',
    'user/dora STORAGE 0/5000 (0%)',
    'motd: hello there',
    'comment: a comment',
    'user/zoe/Trash (\\HasNoChildren \\Trash)',
  ])
    t.ok(output.includes(line), line)
  t.notMatch(output, /Permission denied|failed|error/i)
  t.same(
    [...server.store.mailboxes('user.zoe')].map(({ name }) => name),
    ['user.zoe', 'user.zoe.Trash'],
  )
  t.same(server.errors, [])
})
