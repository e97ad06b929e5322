/** NOTIFY (RFC 5465): what a client is told without asking, of the selected mailbox and of others. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { newUniqueid } from '../../lib/mailbox/uniqueid.js'
import { JOURNAL_KEPT } from '../../lib/store/store.js'
import { fixture, LOGIN } from './fixture.js'

const BOTH = `${LOGIN}
  B> l LOGIN alice testpw
  B< l OK …`

/** B appends a message, subject of one letter. */
const append = (mailbox: string, subject = 'x'): string => `
  B> p APPEND ${mailbox} {24+}\\r\\nSubject: ${subject}\\r\\n\\r\\nhello..\\r\\n
  B~ p OK …`

t.test('the example of the RFC', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${BOTH}
    A> a CREATE INBOX.Lists
    A< a OK …
    A> a CREATE INBOX.Lists.Lemonade
    A< a OK …
    A> a CREATE INBOX.Lists.Im2000
    A< a OK …
    A> a CREATE misc
    A< a NO …
    A> b notify set status (selected (MessageNew (uid body.peek[header.fields (from to subject)]) MessageExpunge)) (subtree INBOX.Lists (MessageNew MessageExpunge))
    A< * STATUS INBOX.Lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY …)
    A< * STATUS INBOX.Lists.Im2000 (MESSAGES 0 UIDNEXT 1 UIDVALIDITY …)
    A< * STATUS INBOX.Lists.Lemonade (MESSAGES 0 UIDNEXT 1 UIDVALIDITY …)
    A< b OK Completed
    A> c select inbox
    A~ c OK [READ-WRITE] Completed
    ${append('INBOX.Lists.Lemonade')}
    A< * STATUS INBOX.Lists.Lemonade (MESSAGES 1 UIDNEXT 2)
    B> d APPEND inbox {75+}\\r\\nSubject: Re: good morning\\r\\nFrom: alice@example.org\\r\\nTo: bob@example.org\\r\\n\\r\\n
    B~ d OK …
    A< * 1 EXISTS
    A< * 1 RECENT
    A< * 1 FETCH (UID 1 BODY[HEADER.FIELDS (from to subject)] {75}\\r\\nSubject: Re: good morning\\r\\nFrom: alice@example.org\\r\\nTo: bob@example.org\\r\\n\\r\\n)
    A> e CREATE INBOX.misc
    A< e OK …
    A> e notify set (selected (MessageNew (uid) MessageExpunge)) (subtree INBOX.Lists (MessageNew MessageExpunge)) (mailboxes INBOX.misc (MessageNew MessageExpunge))
    A< e OK Completed
    ${append('INBOX.misc')}
    A< * STATUS INBOX.misc (MESSAGES 1 UIDNEXT 2)
    A> f NOTIFY NONE
    A< f OK Completed
    ${append('INBOX.misc')}
    A> f NOOP
    A< f OK Completed`)
})

t.test('the selected mailbox', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${BOTH}
    A> s SELECT INBOX
    A~ s OK …
    B> s SELECT INBOX
    B~ s OK …
    A> n NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))
    A< n OK Completed
    ${append('INBOX')}
    A< * 1 EXISTS
    A< * … RECENT
    B> s STORE 1 +FLAGS ($Junk)
    B~ s OK …
    A< * FLAGS (… $Junk)
    A< * OK [PERMANENTFLAGS …
    A< * 1 FETCH (FLAGS (…$Junk) UID 1)
    B> s STORE 1 +FLAGS.SILENT (\\Deleted)
    B~ s OK …
    A< * 1 FETCH (FLAGS (\\Deleted… $Junk) UID 1)
    B> s EXPUNGE
    B~ s OK …
    A< * 1 EXPUNGE
    # without FlagChange nothing is told of flags, and it is told when that is wanted again
    A> n NOTIFY SET (SELECTED (MessageNew (UID FLAGS) MessageExpunge))
    A< n OK Completed
    ${append('INBOX')}
    A< * 1 EXISTS
    A< * … RECENT
    A< * 1 FETCH (FLAGS (…) UID 2)
    B> s STORE 1 +FLAGS (\\Flagged)
    B~ s OK …
    ${append('INBOX', 'y')}
    A< * 2 EXISTS
    A< * … RECENT
    A< * 2 FETCH (FLAGS (…) UID 3)
    A> n NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))
    A< * 1 FETCH (FLAGS (\\Flagged…) UID 2)
    A< * 2 FETCH (FLAGS (…) UID 3)
    A< n OK Completed
    # expunged messages only when a command allows that, or IDLE
    B> s UID STORE 2 +FLAGS (\\Deleted)
    B~ s OK …
    A< * 1 FETCH (FLAGS (\\Flagged \\Deleted…) UID 2)
    B> s EXPUNGE
    B~ s OK …
    ${append('INBOX', 'z')}
    A< * 3 EXISTS
    A< * … RECENT
    A> n UID FETCH 3 UID
    A< * 2 FETCH (UID 3)
    A< * 1 EXPUNGE
    A< n OK Completed
    A> i IDLE
    A< + idling
    B> s UID STORE 3 +FLAGS (\\Deleted)
    B~ s OK …
    A< * 1 FETCH (FLAGS (\\Deleted…) UID 3)
    B> s EXPUNGE
    B~ s OK …
    A< * 1 EXPUNGE
    A> DONE
    A< i OK Completed
    # with NONE the client is told nothing; what it does itself it is answered
    A> n NOTIFY SET (SELECTED NONE)
    A< n OK Completed
    ${append('INBOX')}
    A> n NOOP
    A< n OK Completed
    A> n STORE 1 +FLAGS (\\Deleted)
    A< * 1 FETCH (FLAGS (\\Deleted…) UID 4)
    A< n OK Completed
    A> n EXPUNGE
    A< * 1 EXPUNGE
    A< n OK Completed
    A> n NOTIFY SET (SELECTED (MessageNew MessageExpunge))
    A< * 1 EXISTS
    A< * 0 RECENT
    A< n OK Completed`)
})

t.test('other mailboxes', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${BOTH}
    A> c CREATE INBOX.a
    A< c OK …
    A> c CREATE INBOX.b
    A< c OK …
    A> n NOTIFY SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge FlagChange AnnotationChange))
    A< n OK Completed
    ${append('INBOX.a')}
    A< * STATUS INBOX.a (MESSAGES 1 UIDNEXT 2 UIDVALIDITY … UNSEEN 1)
    B> s SELECT INBOX.a
    B~ s OK …
    # a flag that is not \\Seen: the client could not tell what has changed
    B> s STORE 1 +FLAGS (\\Flagged)
    B~ s OK …
    B> s STORE 1 +FLAGS (\\Seen)
    B~ s OK …
    A< * STATUS INBOX.a (UIDVALIDITY … UNSEEN 0)
    B> s STORE 1 +FLAGS (\\Deleted)
    B~ s OK …
    B> s EXPUNGE
    B~ s OK …
    A< * STATUS INBOX.a (MESSAGES 0 UIDNEXT 2)
    A> e ENABLE CONDSTORE
    A< * ENABLED CONDSTORE
    A< e OK …
    ${append('INBOX.b')}
    A< * STATUS INBOX.b (MESSAGES 1 UIDNEXT 2 UIDVALIDITY … UNSEEN 1 HIGHESTMODSEQ …)
    B> s SELECT INBOX.b
    B~ s OK …
    B> s STORE 1 +FLAGS (\\Flagged)
    B~ s OK …
    A< * STATUS INBOX.b (UIDVALIDITY … HIGHESTMODSEQ …)
    B> s STORE 1 ANNOTATION (/comment (value.shared "x"))
    B~ s OK …
    A< * STATUS INBOX.b (UIDVALIDITY … HIGHESTMODSEQ …)
    # one's own doings are not told
    A> p APPEND INBOX.b {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< p OK …
    # of the selected mailbox SELECTED decides; when it is left it is one of the others
    A> s SELECT INBOX.b
    A~ s OK …
    B> s STORE 1 -FLAGS (\\Flagged)
    B~ s OK …
    ${append('INBOX.b')}
    A< * 3 EXISTS
    A< * … RECENT
    A> s UNSELECT
    A< s OK Completed
    ${append('INBOX.b')}
    A< * STATUS INBOX.b (MESSAGES 4 UIDNEXT 5 UIDVALIDITY … UNSEEN 4 HIGHESTMODSEQ …)
    # a mailbox that is new is watched
    B> c CREATE INBOX.c
    B~ c OK …
    ${append('INBOX.c')}
    A< * STATUS INBOX.c (MESSAGES 1 UIDNEXT 2 UIDVALIDITY … UNSEEN 1 HIGHESTMODSEQ …)`)
})

t.test('names, subscriptions and metadata', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${BOTH}
    A> n NOTIFY SET (PERSONAL (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))
    A< n OK Completed
    B> c CREATE INBOX.NewMailbox
    B~ c OK …
    A< * LIST (\\HasNoChildren) "." INBOX.NewMailbox
    A< * LIST (\\HasChildren) "." INBOX
    B> c CREATE INBOX.NewMailbox.below
    B~ c OK …
    A< * LIST (\\HasNoChildren) "." INBOX.NewMailbox.below
    A< * LIST (\\HasChildren) "." INBOX.NewMailbox
    B> c RENAME INBOX.NewMailbox INBOX.Other
    B~ c OK …
    A< * LIST (\\HasChildren) "." INBOX.Other ("OLDNAME" (INBOX.NewMailbox))
    B> c SUBSCRIBE INBOX.Other
    B~ c OK …
    A< * LIST (\\Subscribed \\HasChildren) "." INBOX.Other
    B> c UNSUBSCRIBE INBOX.Other
    B~ c OK …
    A< * LIST (\\HasChildren) "." INBOX.Other
    B> c DELETE INBOX.Other.below
    B~ c OK …
    A< * LIST (\\NonExistent) "." INBOX.Other.below
    A< * LIST (\\HasNoChildren) "." INBOX.Other
    B> c SETMETADATA INBOX (/shared/comment "x" /private/comment "y")
    B~ c OK …
    A< * METADATA INBOX /shared/comment /private/comment
    B> c SETMETADATA INBOX (/shared/comment NIL)
    B~ c OK …
    A< * METADATA INBOX /shared/comment
    B> c SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/sharedseen "true")
    B~ c OK …
    A< * METADATA INBOX /shared/vendor/cmu/cyrus-imapd/sharedseen
    C> l LOGIN cyrus testpw
    C< l OK …
    C> c SETMETADATA "" (/shared/comment "of the server")
    C~ c OK …
    A< * METADATA "" /shared/comment
    # an ACL that lets one see a mailbox makes it appear, for those who look there
    D> l LOGIN bob testpw
    D< l OK …
    D> n NOTIFY SET (SUBTREE user.alice (MailboxName MessageNew MessageExpunge))
    D< n OK Completed
    B> c SETACL INBOX.Other bob l
    B~ c OK …
    D< * LIST (\\NoAccess \\HasNoChildren) "." user.alice.Other
    B> c SETACL INBOX.Other bob lr
    B~ c OK …
    D< * LIST (\\HasNoChildren) "." user.alice.Other
    ${append('INBOX.Other')}
    D< * STATUS user.alice.Other (MESSAGES 1 UIDNEXT 2)
    B> c SETACL INBOX.Other bob ""
    B~ c OK …
    D< * LIST (\\NonExistent) "." user.alice.Other
    ${append('INBOX.Other')}
    # what one does oneself is not told
    A> o CREATE INBOX.mine
    A< o OK …
    A> o SUBSCRIBE INBOX.mine
    A< o OK Completed
    A> o SETMETADATA INBOX.mine (/shared/comment "z")
    A< o OK Completed
    A> o RENAME INBOX.mine INBOX.yours
    A< * OK rename INBOX.mine INBOX.yours
    A< o OK Completed
    A> o DELETE INBOX.yours
    A< o OK Completed
    B> c CREATE INBOX.last
    B~ c OK …
    A< * LIST (\\HasNoChildren) "." INBOX.last
    D> n NOOP
    D< n OK Completed`)
})

t.test('annotations of messages in the selected mailbox', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${BOTH}
    ${append('INBOX')}
    A> s SELECT INBOX
    A~ s OK …
    B> s SELECT INBOX
    B~ s OK …
    A> n NOTIFY SET (SELECTED (MessageNew MessageExpunge AnnotationChange))
    A< n OK Completed
    B> s STORE 1 +FLAGS (\\Flagged)
    B~ s OK …
    B> s STORE 1 ANNOTATION (/comment (value.shared "x" value.priv "y"))
    B~ s OK …
    A< * 1 FETCH (FLAGS (…\\Flagged) UID 1 ANNOTATION (/comment (value.shared "x" value.priv "y")))
    B> s STORE 1 ANNOTATION (/comment (value.shared NIL))
    B~ s OK …
    A< * 1 FETCH (FLAGS (…\\Flagged) UID 1 ANNOTATION (/comment (value.shared NIL)))
    A> n NOTIFY SET (SELECTED (MessageNew MessageExpunge))
    A< n OK Completed
    B> s STORE 1 ANNOTATION (/comment (value.priv NIL))
    B~ s OK …
    A> n NOOP
    A< n OK Completed`)
})

t.test('what is refused', async (t) => {
  const { conversation } = await fixture(t)
  const bad = [
    '',
    ' ',
    ' BOGUS',
    ' NONE ',
    ' SET',
    ' SET ',
    ' SET STATUS',
    ' SET STATUS ()',
    ' SET BOGUS (PERSONAL NONE)',
    ' SET (BOGUS (MessageNew MessageExpunge))',
    ' SET (PERSONAL MessageNew)',
    ' SET (PERSONAL ())',
    ' SET (PERSONAL (MessageNew MessageExpunge) )',
    ' SET (PERSONAL (MessageNew MessageExpunge)) ',
    ' SET (PERSONAL (MessageNew))',
    ' SET (PERSONAL (FlagChange))',
    ' SET (PERSONAL (MessageNew (UID) MessageExpunge))',
    ' SET (SELECTED (MailboxName))',
    ' SET (SELECTED (MessageNew () MessageExpunge))',
    ' SET (SELECTED NONE) (SELECTED-DELAYED NONE)',
    ' SET (SUBTREE () (MailboxName))',
    ' SET (MAILBOXES (MailboxName))',
  ]
  await conversation.play(`${LOGIN}
    ${bad.map((each) => `A> x NOTIFY${each}\n    A< x BAD …`).join('\n')}
    A> x NOTIFY SET (PERSONAL (Bogus MailboxName))
    A< x NO [BADEVENT (MessageNew MessageExpunge FlagChange AnnotationChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] Unsupported event in Notify: BOGUS
    # what does not exist, and what may not be seen, is ignored
    A> x NOTIFY SET STATUS (MAILBOXES (INBOX.nope user.bob "") (MessageNew MessageExpunge)) (SUBTREE user.bob (MessageNew MessageExpunge))
    A< x OK Completed
    A> x NOTIFY SET STATUS (SUBSCRIBED (MessageNew MessageExpunge)) (INBOXES NONE) (MAILBOXES INBOX (MessageNew MessageExpunge FlagChange))
    A< * STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY … UNSEEN 0 HIGHESTMODSEQ …)
    A< x OK Completed`)
})

t.test('subscriptions decide of what is watched', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${BOTH}
    A> n NOTIFY SET (SUBSCRIBED (MessageNew MessageExpunge))
    A< n OK Completed
    ${append('INBOX')}
    B> s SUBSCRIBE INBOX
    B~ s OK …
    ${append('INBOX')}
    A< * STATUS INBOX (MESSAGES 2 UIDNEXT 3)
    B> s UNSUBSCRIBE INBOX
    B~ s OK …
    ${append('INBOX')}
    A> n NOOP
    A< n OK Completed`)
})

t.test('what other processes do', async (t) => {
  const { server, conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> n NOTIFY SET (PERSONAL (MessageNew MessageExpunge MailboxName SubscriptionChange MailboxMetadataChange))
    A< n OK Completed`)
  const program = new URL('../../services/imapd/main.js', import.meta.url).pathname
  const other = spawn(process.execPath, [program, '-C', join(server.config.directory, '../imapd.conf'), '-X'])
  t.teardown(() => other.kill())
  other.stdin.write('l LOGIN alice testpw\r\na APPEND INBOX {14+}\r\nSubject: x\r\n\r\n\r\n')
  await conversation.play(`
    A< * STATUS INBOX (MESSAGES 1 UIDNEXT 2)`)
  other.stdin.write('c CREATE INBOX.x\r\n')
  await conversation.play(`
    A< * LIST (\\HasNoChildren) "." INBOX.x
    A< * LIST (\\HasChildren) "." INBOX`)
  other.stdin.write('s SUBSCRIBE INBOX.x\r\n')
  await conversation.play(`
    A< * LIST (\\Subscribed \\HasNoChildren) "." INBOX.x`)
  other.stdin.write('m SETMETADATA INBOX.x (/shared/comment "x")\r\n')
  await conversation.play(`
    A< * METADATA INBOX.x /shared/comment`)
  other.stdin.write('a APPEND INBOX.x {14+}\r\nSubject: x\r\n\r\n\r\no LOGOUT\r\n')
  await conversation.play(`
    A< * STATUS INBOX.x (MESSAGES 1 UIDNEXT 2)`)
})

t.test('too much', async (t) => {
  const { server, conversation } = await fixture(t)
  const { store } = server
  await conversation.play(`${LOGIN}
    A> n NOTIFY SET (PERSONAL (MailboxName))
    A< n OK Completed`)
  // one commit with more changes than are remembered
  await store.write((txn) => {
    for (let n = 0; n <= JOURNAL_KEPT; n += 1) txn.setSubscribed('alice', `user.alice.${n}`, true)
  })
  await conversation.play(`
    A< * OK [NOTIFICATIONOVERFLOW] …`)
  await createMailbox(store, 'user.alice.told-no-more')
  await conversation.play(`
    A> n NOOP
    A< n OK Completed`)
  await store.write((txn) => {
    for (let n = 0; n < 2000; n += 1) {
      const fields = { mbtype: '', partition: 'default', acl: 'alice\tlr\t', uidvalidity: 1, options: '' }
      txn.create({ ...fields, uniqueid: newUniqueid(), name: `user.alice.m${n}` })
    }
  })
  await conversation.play(`
    A> n NOTIFY SET (PERSONAL (MessageNew MessageExpunge))
    A< n NO [NOTIFICATIONOVERFLOW] …
    A> n NOTIFY SET (PERSONAL (MailboxName))
    A< n OK Completed`)
})

t.test('a client that does not read piles up nothing, and is told what is true when it does', async (t) => {
  const { server, conversation } = await fixture(t)
  const { store } = server
  for (const each of ['a', 'b']) await createMailbox(store, `user.alice.${each}`)
  await conversation.play(`${BOTH}
    A> n NOTIFY SET (PERSONAL (MessageNew MessageExpunge))
    A< n OK Completed`)
  const { socket } = await conversation.client('A')
  socket.pause()
  for (let n = 0; n < 20; n += 1) await conversation.play(append(n % 2 ? 'INBOX.a' : 'INBOX.b'))
  socket.resume()
  await sleep(0)
  // steps between may be told or not
  await conversation.play(`
    A> n NOOP
    A~ n OK Completed
    A> n STATUS INBOX.a (MESSAGES)
    A< * STATUS INBOX.a (MESSAGES 10)
    A< n OK Completed`)
})
