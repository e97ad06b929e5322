/** ACL (RFC 4314) and QUOTA (RFC 2087); the answers are those of Cyrus 3.6.1. */
import t from 'tap'
import { setQuota } from '../../lib/mailbox/quota.js'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { fixture, LOGIN } from './fixture.js'

t.test('ACL', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 GETACL INBOX
    A< * ACL INBOX alice lrswipkxtecdan
    A< 1 OK Completed
    A> 2 SETACL INBOX bob lrs
    A< 2 OK Completed
    A> 3 SETACL INBOX bob +k
    A< 3 OK Completed
    A> 4 SETACL INBOX Bob -r
    A< 4 OK Completed
    A> 5 GETACL INBOX
    A< * ACL INBOX alice lrswipkxtecdan bob lskc
    A< 5 OK Completed
    A> 6 SETACL INBOX bob d
    A< 6 OK Completed
    A> 7 SETACL INBOX anyone p
    A< 7 OK Completed
    A> 8 SETACL INBOX -bob w
    A< 8 OK Completed
    A> 9 GETACL INBOX
    A< * ACL INBOX alice lrswipkxtecdan bob ted anyone p -bob w
    A< 9 OK Completed
    A> 10 DELETEACL INBOX bob
    A< 10 OK Completed
    A> 11 DELETEACL INBOX nobody
    A< 11 OK Completed
    A> 12 SETACL INBOX bob lrz
    A< 12 BAD The z right is not supported
    A> 13 SETACL INBOX bo/b lr
    A< 13 NO Invalid identifier
    A> 14 SETACL INBOX alice lr
    A< 14 NO [NOPERM] Permission denied
    A> 15 SETACL nonexistent bob lr
    A< 15 NO [NONEXISTENT] Mailbox does not exist
    A> 16 GETACL user.bob
    A< 16 NO [NONEXISTENT] Mailbox does not exist
    A> 17 MYRIGHTS INBOX
    A< * MYRIGHTS INBOX lrswipkxtecdan
    A< 17 OK Completed
    A> 18 LISTRIGHTS INBOX bob
    A< * LISTRIGHTS INBOX bob p l r s w i k x t e c d a n 0 1 2 3 4 5 6 7 8 9
    A< 18 OK Completed
    A> 19 SETACL INBOX bob lrswi
    A< 19 OK Completed
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 MYRIGHTS user.alice
    B< * MYRIGHTS user.alice lrsip
    B< 2 OK Completed
    B> 3 SETACL user.alice bob lrswipkxtecdan
    B< 3 NO [NOPERM] Permission denied
    B> 4 APPEND user.alice (\\Seen \\Flagged kw) {14+}\\r\\nSubject: x\\r\\n\\r\\n
    B< 4 OK [APPENDUID … 1] Completed
    B> 5 EXAMINE user.alice
    B< * 1 EXISTS
    B< * 0 RECENT
    B< * FLAGS …
    B< * OK [PERMANENTFLAGS ()] Ok
    B< * OK …
    B< * OK …
    B~ 5 OK [READ-ONLY] Completed
    B> 6 FETCH 1 FLAGS
    B< * 1 FETCH (FLAGS (\\Seen))
    B< 6 OK Completed
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 SETACL user.bob alice lr
    R< 2 OK Completed
    A> 20 STATUS user.bob (MESSAGES)
    A< * STATUS user.bob (MESSAGES 0)
    A< 20 OK Completed
  `)
})

t.test('rights that change count at once, also where the mailbox is selected', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 1 OK …
    A> 2 SETACL INBOX bob lrsw
    A< 2 OK Completed
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 SELECT user.alice
    B< * 1 EXISTS
    B< * 1 RECENT
    B< * FLAGS …
    B< * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Seen \\*)] Ok
    B< * OK [UNSEEN 1] Ok
    B< * OK …
    B< * OK …
    B~ 2 OK [READ-WRITE] Completed
    B> 3 STORE 1 +FLAGS (\\Flagged)
    B< * 1 FETCH (FLAGS (\\Recent \\Flagged))
    B< 3 OK Completed
    A> 3 SETACL INBOX bob lr
    A< 3 OK Completed
    B> 4 STORE 1 -FLAGS (\\Flagged)
    B< 4 NO [NOPERM] Permission denied
    B> 5 IDLE
    B< + idling
    A> 4 DELETEACL INBOX bob
    A< 4 OK Completed
    B< * BYE Selected mailbox is gone
    B< EOF
  `)
})

t.test('quota', async (t) => {
  const { conversation } = await fixture(t)
  const message = '{14+}\\r\\nSubject: x\\r\\n\\r\\n'
  await conversation.play(`${LOGIN}
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    A> 1 GETQUOTAROOT INBOX
    A< * QUOTAROOT INBOX
    A< 1 OK Completed
    A> 2 SETQUOTA INBOX (STORAGE 1)
    A< 2 NO [NOPERM] Permission denied
    A> 3 GETQUOTA INBOX
    A< 3 NO [NOPERM] Permission denied
    R> 2 SETQUOTA user.alice (STORAGE 10 MESSAGE 2)
    R< 2 OK Completed
    R> 3 GETQUOTA user.alice
    R< * QUOTA user.alice (STORAGE 0 10 MESSAGE 0 2)
    R< 3 OK Completed
    R> 4 SETQUOTA user.alice (FOO 1)
    R< 4 NO Unsupported quota resource
    R> 5 SETQUOTA user.alice (STORAGE x)
    R< 5 BAD Invalid quota list in Setquota at column …
    R> 6 SETQUOTA nonexistent (STORAGE 1)
    R< 6 NO [NONEXISTENT] Mailbox does not exist
    R> 7 GETQUOTA nonexistent
    R< 7 NO [NONEXISTENT] Quota root does not exist
    A> 4 APPEND INBOX {20000}
    A< 4 NO [OVERQUOTA] Over quota
    A> 5 APPEND INBOX ${message}
    A< 5 OK …
    A> 6 CREATE INBOX.sub
    A< 6 OK …
    A> 7 APPEND INBOX.sub ${message}
    A< 7 OK …
    A> 8 APPEND INBOX ${message}
    A< 8 NO [OVERQUOTA] Over quota
    A> 9 SELECT INBOX
    A< * 1 EXISTS
    A< * 1 RECENT
    A< * FLAGS …
    A< * OK …
    A< * OK …
    A< * OK …
    A< * OK …
    A~ 9 OK …
    A> 10 COPY 1 INBOX.sub
    A< 10 NO [OVERQUOTA] Over quota
    A> 11 GETQUOTAROOT INBOX.sub
    A< * QUOTAROOT INBOX.sub INBOX
    A< * QUOTA INBOX (STORAGE 0 10 MESSAGE 2 2)
    A< 11 OK Completed
    R> 8 SETQUOTA user.alice ()
    R< 8 OK Completed
    A> 12 COPY 1 INBOX.sub
    A< 12 OK …
  `)
})

t.test('SELECT warns of a quota that is nearly full', async (t) => {
  const { server, conversation } = await fixture(t)
  await setQuota(server.store, 'user.alice', { MESSAGE: 10, 'X-NUM-FOLDERS': 1 })
  await setQuota(server.store, 'user.bob', { 'X-NUM-FOLDERS': 0 })
  const lines = (name: string) => Array.from({ length: 10 }, () => `    ${name}< * …`).join('\n')
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    A> 2 SELECT INBOX
${lines('A')}
    A< * NO [ALERT] Mailbox is at 100% of quota: X-NUM-FOLDERS
    A< 2 OK [READ-WRITE] Completed
    A> 3 SELECT INBOX
    A< * OK [CLOSED] Ok
${lines('A')}
    A< 3 OK [READ-WRITE] Completed
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 EXAMINE INBOX
${lines('B')}
    B< * NO [ALERT] Mailbox is over quota: X-NUM-FOLDERS
    B< 2 OK [READ-ONLY] Completed
  `)
})

t.test('groups of the machine in ACLs', async (t) => {
  const { server, conversation } = await fixture(t)
  await passwordStore(server.config).set('root@localhost', 'testpw')
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    A> 2 SETACL INBOX group:no-such-group lr
    A< 2 NO Invalid identifier
    A> 3 SETACL INBOX group:root lr
    A< 3 OK Completed
    A> 4 GETACL INBOX
    A< * ACL INBOX alice lrswipkxtecdan group:root lr
    A< 4 OK Completed
    R> 1 LOGIN root testpw
    R< 1 OK …
    R> 2 LIST "" *
    R< * LIST (\\HasNoChildren) "." user.alice
    R< 2 OK Completed
    R> 3 STATUS user.alice (MESSAGES)
    R< * STATUS user.alice (MESSAGES 0)
    R< 3 OK Completed
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 STATUS user.alice (MESSAGES)
    B< 2 NO [NONEXISTENT] Mailbox does not exist
  `)
})
