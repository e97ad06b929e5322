/** Who is let in: INBOX made at the first login, users locked out, too many sessions; and what is kept of their conversations. */
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { sieveScripts } from '../../lib/mailbox/sieve_scripts.js'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { fixture } from './fixture.js'
import { temporaryDirectory } from './server.js'

t.test('autocreate', async (t) => {
  const directory = temporaryDirectory()
  t.teardown(() => fs.rmSync(directory, { recursive: true }))
  const script = path.join(directory, 'first.script')
  fs.writeFileSync(script, 'keep;\r\n')
  const { server, conversation } = await fixture(
    t,
    `autocreate_sieve_script: ${script}
altnamespace: yes
unixhierarchysep: yes
autocreate_quota: 500
autocreate_quota_messages: 10
autocreate_inbox_folders: Drafts | Sent | Work/Plans | bad/%/name
autocreate_subscribe_folders: Sent|Work/Plans
autocreate_acl: Sent bob lr
autocreate_subscribe_sharedfolders: shared/news
xlist-drafts: Drafts
autocreate_users: newbie cyrus`,
  )
  for (const user of ['newbie', 'other']) await passwordStore(server.config).set(`${user}@localhost`, 'testpw')
  await conversation.play(`
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 CREATE shared/news
    R< 2 OK …
    N> 1 LOGIN newbie testpw
    N< 1 OK …
    N> 2 LIST "" *
    N< * LIST (\\HasNoChildren) "/" INBOX
    N< * LIST (\\HasNoChildren \\Drafts) "/" Drafts
    N< * LIST (\\HasNoChildren) "/" Sent
    N< * LIST (\\HasChildren) "/" Work
    N< * LIST (\\HasNoChildren) "/" Work/Plans
    N< * LIST (\\HasChildren) "/" "Shared Folders/shared"
    N< * LIST (\\HasNoChildren) "/" "Shared Folders/shared/news"
    N< 2 OK Completed
    N> 3 LSUB "" *
    N< * LSUB () "/" INBOX
    N< * LSUB () "/" Sent
    N< * LSUB () "/" Work/Plans
    N< * LSUB () "/" "Shared Folders/shared/news"
    N< 3 OK Completed
    N> 4 GETQUOTAROOT INBOX
    N< * QUOTAROOT INBOX INBOX
    N< * QUOTA INBOX (STORAGE 0 500 MESSAGE 1 10)
    N< 4 OK Completed
    N> 5 GETACL Sent
    N< * ACL Sent newbie lrswipkxtecdan bob lr
    N< 5 OK Completed
    O> 1 LOGIN other testpw
    O< 1 OK …
    O> 2 LIST "" INBOX
    O< 2 OK Completed
  `)
  t.notOk(server.store.mailbox('user.cyrus'), 'administrators get none')
  const [given] = await sieveScripts(server.store, 'newbie')
  t.match(given, { name: 'first', active: true })
  t.equal(String(given?.content), 'keep;\r\n')
})

t.test('loginuseacl: who may administer an INBOX may log in as its user', async (t) => {
  const asUser = (authenticated: string, wanted: string): string =>
    Buffer.from(`${wanted}\0${authenticated}\0testpw`).toString('base64')
  const script = (last: string): string => `
    A> 1 LOGIN alice testpw
    A< 1 OK …
    A> 2 SETACL INBOX bob lra
    A< 2 OK …
    B> 1 AUTHENTICATE PLAIN ${asUser('bob', 'alice')}
    B< 1 ${last}
    A> 3 SETACL INBOX bob lr
    A< 3 OK …
    C> 1 AUTHENTICATE PLAIN ${asUser('bob', 'alice')}
    C< 1 NO …
    C> 2 AUTHENTICATE PLAIN ${asUser('bob', 'nobody')}
    C< 2 NO …`
  await (await fixture(t, 'loginuseacl: yes')).conversation.play(script('OK …'))
  await (await fixture(t)).conversation.play(script('NO …'))
})

t.test('anonymous', async (t) => {
  const { conversation, server } = await fixture(t, 'allowanonymouslogin: yes')
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    A> 2 CREATE INBOX.open
    A< 2 OK …
    A> 3 SETACL INBOX.open anonymous lr
    A< 3 OK …
    N> 1 AUTHENTICATE ANONYMOUS ${Buffer.from('somebody@example.org').toString('base64')}
    N< 1 OK …
    N> 2 LIST "" *
    N< * LIST (\\HasNoChildren) "." user.alice.open
    N< 2 OK …
    N> 3 SELECT INBOX
    N< 3 NO …
    N> 4 SELECT user.alice.open
    N~ 4 OK [READ-ONLY] Completed
    N> 5 CREATE INBOX.x
    N< 5 NO …
    M> 1 LOGIN anonymous whatever
    M< 1 OK …
    M> 2 MYRIGHTS user.alice.open
    M< * MYRIGHTS user.alice.open lr
    M< 2 OK …
    K> 1 CAPABILITY
    K< * CAPABILITY …AUTH=ANONYMOUS…
    K< 1 OK …
    K> 2 AUTHENTICATE ANONYMOUS ${Buffer.from('x'.repeat(256)).toString('base64')}
    K< 2 NO …`)
  t.notOk(server.store.mailbox('user.anonymous'), 'it has no mailbox')
  const without = await fixture(t)
  await without.conversation.play(`
    N> 1 AUTHENTICATE ANONYMOUS =
    N< 1 NO …
    N> 2 LOGIN anonymous whatever
    N< 2 NO …`)
})

t.test('userdeny', async (t) => {
  const { server, conversation } = await fixture(t)
  const file = path.join(server.config.directory, 'user_deny.db')
  fs.writeFileSync(file, 'alice\t2\timap*,!imap\tno\nbob\t2\t*\tLocked\tout\nbroken\n')
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    B> 1 LOGIN bob testpw
    B< * BYE [ALERT] Locked
    B< EOF
  `)
  fs.writeFileSync(file, 'bob\t2\tpop3\tLocked out again\n')
  await conversation.play(`
    C> 1 LOGIN bob testpw
    C< 1 OK …
  `)
})

t.test('limits of sessions', async (t) => {
  const { conversation } = await fixture(t, 'maxlogins_per_user: 2\nmaxlogins_per_host: 3')
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    B> 1 LOGIN alice testpw
    B< 1 OK …
    C> 1 LOGIN alice testpw
    C< 1 NO [LIMIT] Too many open connections (3 of 2 for alice)
    C> 2 LOGIN bob testpw
    C< 2 OK …
    D> 1 LOGIN cyrus testpw
    D< 1 NO [LIMIT] Too many open connections (4 of 3 from 127.0.0.1)
    B> 2 LOGOUT
    B< * BYE …
    B< 2 OK Completed
    B< EOF
    D> 2 LOGIN cyrus testpw
    D< 2 OK …
  `)
})

t.test('telemetry', async (t) => {
  const { server, conversation } = await fixture(t)
  const directory = path.join(server.config.directory, 'log/alice')
  fs.mkdirSync(directory, { recursive: true })
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    A> 2 NOOP
    A< 2 OK Completed
    A> 3 LOGOUT
    A< * BYE …
    A< 3 OK Completed
    A< EOF
    B> 1 LOGIN bob testpw
    B< 1 OK …
  `)
  const read = (): string =>
    fs
      .readdirSync(directory)
      .map((name) => fs.readFileSync(path.join(directory, name), 'utf8'))
      .join()
  while (!read().includes('3 OK')) await new Promise((resolve) => setTimeout(resolve, 5))
  const text = read()
  t.match(text, /^-{10} alice .*\n[\s\S]*\n<\d+<2 NOOP\r\n\n>\d+>2 OK Completed\r\n\n<\d+<3 LOGOUT\r\n/)
  t.notMatch(text, /testpw/)
  t.same(fs.readdirSync(path.dirname(directory)), ['alice'], 'only where there is a directory')
})
