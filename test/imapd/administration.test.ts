/** What administrators do over IMAP beside making mailboxes: giving users other names, going back to before the login; and the drafts METADATA grew out of. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { fixture, LOGIN } from './fixture.js'

t.test('a user gets another name', async (t) => {
  const { server, conversation } = await fixture(t, 'allowusermoves: yes\nsync_log: yes')
  await passwordStore(server.config).set('carol@localhost', 'testpw')
  await conversation.play(`${LOGIN}
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 SETQUOTA user.alice (STORAGE 100)
    R< 2 OK Completed
    R> 3 SETACL user.bob alice lrs
    R< 3 OK Completed
    A> 1 CREATE INBOX.sub
    A< 1 OK …
    A> 2 SETACL INBOX.sub bob lr
    A< 2 OK Completed
    A> 3 SUBSCRIBE INBOX.sub
    A< 3 OK Completed
    A> 4 SUBSCRIBE user.bob
    A< 4 OK Completed
    A> 5 SETMETADATA INBOX.sub (/private/comment "mine")
    A< 5 OK Completed
    A> 6 APPEND INBOX ANNOTATION (/comment (value.priv "note")) {17+}\\r\\nSubject: x\\r\\n\\r\\nx\\r\\n
    A< 6 OK …
  `)
  await server.store.settled()
  const log = path.join(server.config.directory, 'sync/log')
  const before = readFileSync(log, 'utf8').length
  await conversation.play(`
    R> 4 RENAME user.alice user.bob
    R< 4 NO [ALREADYEXISTS] Mailbox already exists
    R> 5 RENAME user.alice shared
    R< 5 NO [CANNOT] Operation is not supported on mailbox
    R> 6 RENAME user.alice user.carol
    R< * OK rename user.alice user.carol
    R< * OK rename user.alice.sub user.carol.sub
    R< 6 OK Completed
    R> 7 GETACL user.carol.sub
    R< * ACL user.carol.sub bob lr carol lrswipkxtecdan
    R< 7 OK Completed
    R> 8 GETQUOTAROOT user.carol.sub
    R< * QUOTAROOT user.carol.sub user.carol
    R< * QUOTA user.carol (STORAGE 0 100)
    R< 8 OK Completed
    C> 1 LOGIN carol testpw
    C< 1 OK …
    C> 2 LSUB "" *
    C< * LSUB () "." INBOX.sub
    C< 2 OK Completed
    C> 3 GETMETADATA INBOX.sub /private/comment
    C< * METADATA INBOX.sub ("/private/comment" "mine")
    C< 3 OK Completed
    C> 4 EXAMINE INBOX
    C< * 1 EXISTS
    C< * 1 RECENT
    C< * FLAGS …
    C< * OK …
    C< * OK …
    C< * OK …
    C< * OK …
    C< * OK …
    C< * OK …
    C< * OK …
    C< * OK …
    C< 4 OK …
    C> 5 FETCH 1 (ANNOTATION (/comment value.priv))
    C< * 1 FETCH (ANNOTATION (/comment (value.priv "note")))
    C< 5 OK …
  `)
  await server.store.settled()
  t.equal(
    readFileSync(log, 'utf8').slice(before),
    `RENAME user.alice user.carol
MAILBOX user.alice
MAILBOX user.carol
RENAME user.alice.sub user.carol.sub
MAILBOX user.alice.sub
MAILBOX user.carol.sub
QUOTA user.carol
UNUSER alice
USER carol
`,
  )
})

t.test('mailboxes move to another partition', async (t) => {
  const second = mkdtempSync(path.join(tmpdir(), 'partition-'))
  t.teardown(() => rmSync(second, { recursive: true, force: true }))
  const { server, conversation } = await fixture(t, `partition-second: ${second}`)
  await conversation.play(`${LOGIN}
    A> 1 CREATE INBOX.sub
    A< 1 OK …
    A> 2 APPEND INBOX.sub {17+}\\r\\nSubject: x\\r\\n\\r\\nx\\r\\n
    A< 2 OK …
    A> 3 RENAME INBOX.sub INBOX.sub second
    A< 3 NO [NOPERM] Permission denied
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 RENAME user.alice user.alice second
    R< * OK rename user.alice user.alice
    R< * OK rename user.alice.sub user.alice.sub
    R< 2 OK Completed
    R> 3 RENAME user.alice user.alice second
    R< 3 NO [ALREADYEXISTS] Mailbox already exists
    R> 4 RENAME user.alice.sub user.alice.new default
    R< 4 NO [CANNOT] Cross-server or cross-partition move w/rename not supported
    R> 5 RENAME user.alice user.alice third
    R< 5 NO [CANNOT] Invalid mailbox name: no partition "third"
    A> 4 GETMETADATA INBOX.sub /shared/vendor/cmu/cyrus-imapd/partition
    A< * METADATA INBOX.sub ("/shared/vendor/cmu/cyrus-imapd/partition" "second")
    A< 4 OK Completed
  `)
  const mailbox = server.store.mailbox('user.alice.sub')!
  t.ok(server.store.messagePath(mailbox, 1).startsWith(second))
  t.equal((await server.store.readMessage(mailbox, 1)).toString(), 'Subject: x\r\n\r\nx\r\n')
})

t.test('not without allowusermoves', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 RENAME user.alice user.carol
    R< 2 NO [CANNOT] Operation is not supported on mailbox
  `)
})

t.test('UNAUTHENTICATE (RFC 8437)', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 UNAUTHENTICATE
    A< 1 NO [NOPERM] Permission denied
    R> 1 UNAUTHENTICATE
    R< 1 BAD Please login first
    R> 2 LOGIN cyrus testpw
    R< 2 OK [CAPABILITY …UNAUTHENTICATE…
    R> 3 ENABLE CONDSTORE
    R< * ENABLED CONDSTORE
    R< 3 OK Completed
    R> 4 UNAUTHENTICATE
    R< 4 OK [CAPABILITY …AUTH=PLAIN…] Completed
    R> 5 LIST "" *
    R< 5 BAD Please login first
    R> 6 LOGIN bob testpw
    R< 6 OK …
    R> 7 ENABLE CONDSTORE
    R< * ENABLED CONDSTORE
    R< 7 OK Completed
    R> 8 STATUS INBOX (MESSAGES)
    R< * STATUS INBOX (MESSAGES 0)
    R< 8 OK Completed
    R> 9 UNAUTHENTICATE
    R< 9 NO [NOPERM] Permission denied
  `)
})

t.test('GETANNOTATION and SETANNOTATION', async (t) => {
  const { conversation } = await fixture(t, 'annotation_enable_legacy_commands: yes')
  await conversation.play(`
    A> l LOGIN alice testpw
    A< l OK [CAPABILITY …ANNOTATEMORE…
    A> 1 SETANNOTATION INBOX "/comment" ("value.shared" "shared" "value.priv" NIL)
    A< 1 OK Completed
    A> 2 SETANNOTATION INBOX "/comment" ("value" "hello")
    A< 2 NO [NOPERM] Permission denied
    A> 3 SETANNOTATION INBOX ("/comment" ("value.shared" "a") "/sort" ("value.priv" "b"))
    A< 3 OK Completed
    A> 4 GETANNOTATION INBOX "/comment" "value.priv"
    A< * ANNOTATION INBOX "/comment" ("value.priv" NIL)
    A< 4 OK Completed
    A> 5 GETANNOTATION INBOX "/comment" "*"
    A< * ANNOTATION INBOX "/comment" ("value.shared" "a" "size.shared" "1" "value.priv" NIL "size.priv" "0")
    A< 5 OK Completed
    A> 6 GETANNOTATION * ("/comment" "/sort") "value"
    A< * ANNOTATION INBOX "/comment" ("value.shared" "a" "value.priv" NIL)
    A< * ANNOTATION INBOX "/sort" ("value.shared" NIL "value.priv" "b")
    A< 6 OK Completed
    A> 7 GETANNOTATION "" "/comment" "value.shared"
    A< * ANNOTATION "" "/comment" ("value.shared" NIL)
    A< 7 OK Completed
    A> 8 GETANNOTATION nope "/comment" "value.shared"
    A< 8 NO [NONEXISTENT] Mailbox does not exist
  `)
  const without = await fixture(t)
  await without.conversation.play(`
    B> l LOGIN bob testpw
    B< l OK …
    B> 1 GETANNOTATION INBOX "/comment" "value.priv"
    B< 1 BAD Unrecognized command
  `)
})
