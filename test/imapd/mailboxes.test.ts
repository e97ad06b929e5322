/** Mailboxes: create, list, subscribe, rename, delete, status, select; who may do what. */
import t from 'tap'
import { formatAcl, parseAcl } from '../../lib/mailbox/acl.js'
import { fixture, LOGIN } from './fixture.js'

t.test('a user and their mailboxes', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 CREATE INBOX.sub
    A< 1 OK …
    A> 2 CREATE INBOX.sub
    A< 2 NO [ALREADYEXISTS] Mailbox already exists
    A> 3 CREATE inbox
    A< 3 NO [ALREADYEXISTS] Mailbox already exists
    A> 4 CREATE INBOX.a.b.c.
    A< 4 OK …
    A> 5 CREATE foo
    A< 5 NO [NOPERM] Permission denied
    A> 6 CREATE user.bob.x
    A< 6 NO [NOPERM] Permission denied
    A> 7 CREATE "INBOX.ba;d"
    A< 7 NO [CANNOT] Invalid mailbox name: …
    A> 8 CREATE "INBOX.&bad"
    A< 8 NO [CANNOT] Invalid mailbox name: …
    A> 9 CREATE INBOX.x/../../y
    A< 9 NO [CANNOT] Invalid mailbox name: …
    A> 10 CREATE ""
    A< 10 NO [CANNOT] Invalid mailbox name: it is empty
    A> 11 CREATE user.alice.viauser
    A< 11 OK …
    A> 12 CREATE "INBOX.two words"
    A< 12 OK …
    A> 13 LIST "" *
    A< * LIST (\\HasChildren) "." INBOX
    A< * LIST (\\HasChildren) "." INBOX.a
    A< * LIST (\\HasChildren) "." INBOX.a.b
    A< * LIST (\\HasNoChildren) "." INBOX.a.b.c
    A< * LIST (\\HasNoChildren) "." INBOX.sub
    A< * LIST (\\HasNoChildren) "." "INBOX.two words"
    A< * LIST (\\HasNoChildren) "." INBOX.viauser
    A< 13 OK Completed
    A> 14 LIST "" %
    A< * LIST (\\HasChildren) "." INBOX
    A< 14 OK Completed
    A> 15 LIST INBOX. %
    A< * LIST (\\HasChildren) "." INBOX.a
    A< * LIST (\\HasNoChildren) "." INBOX.sub
    A< * LIST (\\HasNoChildren) "." "INBOX.two words"
    A< * LIST (\\HasNoChildren) "." INBOX.viauser
    A< 15 OK Completed
    A> 16 LIST "" ""
    A< * LIST (\\Noselect) "." ""
    A< 16 OK Completed
    A> 17 LIST "" inbox.S*
    A< 17 OK Completed
    A> 18 LIST "" inbox.s*
    A< * LIST (\\HasNoChildren) "." INBOX.sub
    A< 18 OK Completed
    A> 19 LIST "" user.*
    A< 19 OK Completed
    A> 20 LIST ""
    A< 20 BAD Missing required argument to List at column …
    A> 21 RENAME INBOX.a.b.c INBOX.q
    A< * OK rename …
    A< 21 OK Completed
    A> 22 RENAME INBOX.q INBOX.sub
    A< 22 NO [ALREADYEXISTS] Mailbox already exists
    A> 23 RENAME INBOX.none INBOX.x
    A< 23 NO [NONEXISTENT] Mailbox does not exist
    A> 24 RENAME INBOX.q user.bob.q
    A< 24 NO [NOPERM] Permission denied
    A> 25 DELETE INBOX.a
    A< 25 NO [HASCHILDREN] Mailbox has inferior hierarchical names
    A> 25 DELETE INBOX.q
    A< 25 OK Completed
    A> 26 DELETE INBOX.q
    A< 26 NO [NONEXISTENT] Mailbox does not exist
    A> 27 DELETE INBOX
    A< 27 NO [CANNOT] Operation is not supported on mailbox
    A> 28 DELETE user.bob
    A< 28 NO [NONEXISTENT] Mailbox does not exist
    A> 29 SELECT user.bob
    A< 29 NO [NONEXISTENT] Mailbox does not exist
    A> 30 STATUS user.bob (MESSAGES)
    A< 30 NO [NONEXISTENT] Mailbox does not exist
  `)
})

t.test('subscriptions', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 CREATE INBOX.sub
    A< 1 OK …
    A> 2 CREATE INBOX.a.b.c
    A< 2 OK …
    A> 3 SUBSCRIBE INBOX.sub
    A< 3 OK Completed
    A> 4 SUBSCRIBE INBOX.a.b.c
    A< 4 OK Completed
    A> 5 SUBSCRIBE nowhere
    A< 5 NO [NONEXISTENT] Mailbox does not exist
    A> 6 LSUB "" *
    A< * LSUB () "." INBOX.a.b.c
    A< * LSUB () "." INBOX.sub
    A< 6 OK Completed
    A> 7 LSUB "" %
    A< * LSUB (\\Noselect \\HasChildren) "." INBOX
    A< 7 OK Completed
    A> 8 LSUB "" INBOX.%
    A< * LSUB (\\Noselect \\HasChildren) "." INBOX.a
    A< * LSUB () "." INBOX.sub
    A< 8 OK Completed
    A> 9 UNSUBSCRIBE nowhere
    A< 9 OK Completed
    A> 10 UNSUBSCRIBE INBOX.sub
    A< 10 OK Completed
    A> 11 LSUB "" INBOX.*
    A< * LSUB () "." INBOX.a.b.c
    A< 11 OK Completed
  `)
})

t.test('namespaces: unixhierarchysep and altnamespace', async (t) => {
  const other = await fixture(t, 'unixhierarchysep: yes\naltnamespace: yes')
  await other.conversation.play(`${LOGIN}
    A> 1 NAMESPACE
    A< * NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared Folders/" "/"))
    A< 1 OK Completed
    A> p1 CREATE "Other Users"
    A< p1 NO …
    A> p2 CREATE "Shared Folders"
    A< p2 NO …
    A> p3 SUBSCRIBE "Other Users"
    A< p3 NO …
    A> p4 STATUS "Shared Folders" (MESSAGES)
    A< p4 NO …
    A> 2 CREATE Work/dot.ted
    A< 2 OK …
    A> p5 RENAME Work/dot.ted "Other Users"
    A< p5 NO …
    A> p6 RENAME Work/dot.ted "Shared Folders"
    A< p6 NO …
    A> 3 LIST "" *
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Work
    A< * LIST (\\HasNoChildren) "/" Work/dot.ted
    A< 3 OK Completed
    A> 4 LIST "" %
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Work
    A< 4 OK Completed`)
  t.ok(other.server.store.mailbox('user.alice.Work.dot^ted'))
})

t.test('STATUS and SELECT', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 STATUS INBOX (UNSEEN MESSAGES RECENT UIDNEXT UIDVALIDITY SIZE)
    A< * STATUS INBOX (MESSAGES 0 RECENT 0 UIDNEXT 1 UIDVALIDITY … UNSEEN 0 SIZE 0)
    A< 1 OK Completed
    A> 2 APPEND INBOX {4+}\\r\\na: b
    A< 2 NO Message contains invalid header
    A> 3 APPEND INBOX (\\Seen $Kw) {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 3 OK [APPENDUID … 1] Completed
    A> 4 APPEND INBOX {14+}\\r\\nSubject: y\\r\\n\\r\\n
    A< 4 OK [APPENDUID … 2] Completed
    A> 5 STATUS INBOX (UNSEEN MESSAGES RECENT UIDNEXT SIZE)
    A< * STATUS INBOX (MESSAGES 2 RECENT 2 UIDNEXT 3 UNSEEN 1 SIZE 28)
    A< 5 OK Completed
    A> 6 EXAMINE INBOX
    A< * 2 EXISTS
    A< * 2 RECENT
    A< * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $Kw)
    A< * OK [PERMANENTFLAGS ()] Ok
    A< * OK [UNSEEN 2] Ok
    A< * OK [UIDVALIDITY …] Ok
    A< * OK [UIDNEXT 3] Ok
    A~ 6 OK [READ-ONLY] Completed
    A> 7 SELECT INBOX
    A< * OK [CLOSED] Ok
    A< * 2 EXISTS
    A< * 2 RECENT
    A< * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $Kw)
    A< * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen $Kw \\*)] Ok
    A< * OK [UNSEEN 2] Ok
    A< * OK [UIDVALIDITY …] Ok
    A< * OK [UIDNEXT 3] Ok
    A~ 7 OK [READ-WRITE] Completed
    A> 8 STATUS INBOX (RECENT)
    A< * STATUS INBOX (RECENT 0)
    A< 8 OK Completed
    A> 9 SEARCH RECENT
    A< * SEARCH 1 2
    A< 9 OK Completed (2 msgs)
    A> 10 SELECT nowhere
    A< * OK [CLOSED] Ok
    A< 10 NO [NONEXISTENT] Mailbox does not exist
    A> 11 NOOP
    A< 11 OK Completed
    A> 12 CHECK
    A< 12 BAD Please select a mailbox first
    A> 13 STATUS INBOX (FOO)
    A< 13 BAD Invalid Status attributes foo at column …
    A> 14 STATUS INBOX ()
    A< 14 BAD Bad status string at column …
  `)
})

t.test('renaming INBOX moves its messages and leaves it empty', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX (\\Seen) {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 1 OK [APPENDUID … 1] Completed
    A> 2 RENAME INBOX INBOX.old
    A< 2 OK Completed
    A> 3 STATUS INBOX (MESSAGES)
    A< * STATUS INBOX (MESSAGES 0)
    A< 3 OK Completed
    A> 4 STATUS INBOX.old (MESSAGES UNSEEN)
    A< * STATUS INBOX.old (MESSAGES 1 UNSEEN 0)
    A< 4 OK Completed
  `)
})

t.test('the administrator, and sharing by ACL', async (t) => {
  const { conversation, server } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 1 OK …
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 NAMESPACE
    R< * NAMESPACE NIL (("user." ".")) (("" "."))
    R< 2 OK Completed
    R> 3 CREATE user.carol
    R< 3 OK …
    R> 4 CREATE user.nobody.x
    R< 4 NO …
    R> 5 LIST "" *
    R< * LIST (\\HasNoChildren) "." user.alice
    R< * LIST (\\HasNoChildren) "." user.bob
    R< * LIST (\\HasNoChildren) "." user.carol
    R< 5 OK Completed
    R> 6 LIST "" %
    R< * LIST (\\Noselect \\HasChildren) "." user
    R< 6 OK Completed
    R> 7 SELECT user.alice
    R< 7 NO [NOPERM] Permission denied
    R> 7a DELETE user.carol
    R< 7a NO [NOPERM] Permission denied
    R> 7b SETACL user.carol cyrus x
    R< 7b OK Completed
    R> 8 DELETE user.carol
    R< 8 OK Completed
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 SELECT user.alice
    B< 2 NO [NONEXISTENT] Mailbox does not exist`)
  await server.store.write((txn) => {
    const writer = txn.mailbox('user.alice')!
    writer.header.acl = formatAcl([...parseAcl(writer.header.acl), ['bob', 'lrs']])
    writer.touch()
  })
  await conversation.play(`
    B> 3 LIST "" *
    B< * LIST (\\HasNoChildren) "." INBOX
    B< * LIST (\\HasNoChildren) "." user.alice
    B< 3 OK Completed
    B> 4 SELECT user.alice
    B< * 1 EXISTS
    B< * 1 RECENT
    B< * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen)
    B< * OK [PERMANENTFLAGS (\\Seen)] Ok
    B< * OK [UNSEEN 1] Ok
    B< * OK [UIDVALIDITY …] Ok
    B< * OK [UIDNEXT 2] Ok
    B~ 4 OK [READ-WRITE] Completed
    B> 5 STORE 1 +FLAGS (\\Seen)
    B< * 1 FETCH (FLAGS (\\Recent \\Seen))
    B< 5 OK Completed
    B> 6 STORE 1 +FLAGS (\\Flagged)
    B< 6 NO [NOPERM] Permission denied
    B> 7 STORE 1 +FLAGS (\\Deleted)
    B< 7 NO [NOPERM] Permission denied
    B> 8 EXPUNGE
    B< 8 NO [NOPERM] Permission denied
    B> 9 STATUS user.alice (UNSEEN)
    B< * STATUS user.alice (UNSEEN 0)
    B< 9 OK Completed
    B> 10 APPEND user.alice {14+}\\r\\nSubject: x\\r\\n\\r\\n
    B< 10 NO [NOPERM] Permission denied
    B> 11 COPY 1 user.alice
    B< 11 NO [NOPERM] Permission denied
    B> 12 CREATE user.alice.x
    B< 12 NO [NOPERM] Permission denied
    B> 13 STORE 1 FLAGS ()
    B< * 1 FETCH (FLAGS (\\Recent))
    B< 13 OK Completed
    A> 2 STATUS INBOX (UNSEEN)
    A< * STATUS INBOX (UNSEEN 1)
    A< 2 OK Completed
  `)
})
