/** IMAP4rev2 (RFC 9051), UTF8=ACCEPT (RFC 6855) and UIDONLY (RFC 9586): what they change once switched on. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

const MESSAGE = '{14+}\\r\\nSubject: x\\r\\n\\r\\n'
/** `Größe` in UTF-8, a character a byte. */
const SIZE = Buffer.from('Größe').toString('latin1')

t.test('IMAP4rev2', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 ENABLE IMAP4rev2
    A< * ENABLED IMAP4rev2
    A< 1 OK Completed
    A> 2 APPEND INBOX ${MESSAGE}
    A< 2 OK …
    A> 3 APPEND INBOX ${MESSAGE}
    A< 3 OK …
    A> 4 SELECT inbox
    A< * 2 EXISTS
    A< * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen)
    A< * OK [PERMANENTFLAGS (…)] Ok
    A< * OK [UIDVALIDITY …] Ok
    A~ * LIST (\\HasNoChildren) "." INBOX
    A< 4 OK [READ-WRITE] Completed
    A> 5 SEARCH UNSEEN
    A< * ESEARCH (TAG "5") ALL 1:2
    A< 5 OK …
    A> 6 UID SEARCH FLAGGED
    A< * ESEARCH (TAG "6") UID
    A< 6 OK …
    A> 7 STORE 1 +FLAGS (\\Seen)
    A< * 1 FETCH (FLAGS (\\Seen) UID 1)
    A< 7 OK Completed
    A> 8 STATUS INBOX (RECENT)
    A< 8 BAD …
    A> 9 CREATE INBOX.${SIZE}
    A< 9 OK …
    A> 10 LIST "" INBOX.${SIZE}
    A< * LIST (\\HasNoChildren) "." {${6 + SIZE.length}}\\r\\nINBOX.${SIZE}
    A< 10 OK …
    A> 11 STATUS "INBOX.${SIZE}" (MESSAGES)
    A< * STATUS {${6 + SIZE.length}}\\r\\nINBOX.${SIZE} (MESSAGES 0)
    A< 11 OK …
    A> 12 CREATE INBOX.\xff
    A< 12 NO [CANNOT] …
    A> 13 CREATE INBOX.a&b
    A< 13 OK …
    A> 14 APPEND INBOX ${MESSAGE}
    A< * 3 EXISTS
    A< 14 OK …
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 LIST "" *
    B< * LIST (\\HasChildren) "." INBOX
    B< * LIST (\\HasNoChildren) "." INBOX.Gr&APYA3w-e
    B< * LIST (\\HasNoChildren) "." INBOX.a&-b
    B< 2 OK …
    B> 3 SELECT INBOX
    B< * 3 EXISTS
    B< * … RECENT
    B~ 3 OK …`)
})

t.test('UTF8=ACCEPT', async (t) => {
  const { conversation } = await fixture(t)
  const message = `Subject: ${SIZE}\\r\\n\\r\\n`
  const length = 'Subject: \r\n\r\n'.length + SIZE.length
  await conversation.play(`${LOGIN}
    A> 1 ENABLE UTF8=ACCEPT
    A< * ENABLED UTF8=ACCEPT
    A< 1 OK Completed
    A> 2 CREATE "INBOX.${SIZE}"
    A< 2 OK …
    A> 3 APPEND "INBOX.${SIZE}" (\\Seen) UTF8 (~{${length}+}\\r\\n${message})
    A< 3 OK [APPENDUID … 1] Completed
    A> 4 APPEND "INBOX.${SIZE}" UTF8 (~{${length}+}\\r\\n${message}
    A< 4 BAD Missing close parenthesis in Append command…
    A> 5 SELECT "INBOX.${SIZE}"
    A~ 5 OK …
    A> 6 SEARCH SUBJECT "${SIZE}"
    A< * SEARCH 1
    A< 6 OK …
    A> 7 SEARCH CHARSET UTF-8 SUBJECT x
    A< 7 BAD …
    A> 8 FETCH 1 BODY.PEEK[HEADER]
    A< * 1 FETCH (BODY[HEADER] {${length}}\\r\\n${message})
    A< 8 OK …`)
})

t.test('UIDONLY', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX ${MESSAGE} ${MESSAGE} ${MESSAGE}
    A< 1 OK …
    A> 2 ENABLE UIDONLY
    A< * ENABLED UIDONLY
    A< 2 OK Completed
    A> 3 SELECT INBOX
    A< * 3 EXISTS
    A< * 3 RECENT
    A< * FLAGS …
    A< * OK [PERMANENTFLAGS …
    A< * OK [UIDVALIDITY …
    A~ 3 OK …
    A> 4 FETCH 1 FLAGS
    A< 4 BAD [UIDREQUIRED] UID FETCH is wanted with UIDONLY
    A> 5 UID FETCH 2:3 (FLAGS)
    A< * 2 UIDFETCH (FLAGS (\\Recent))
    A< * 3 UIDFETCH (FLAGS (\\Recent))
    A< 5 OK Completed
    A> 6 UID STORE 2 +FLAGS (\\Deleted)
    A< * 2 UIDFETCH (FLAGS (\\Recent \\Deleted))
    A< 6 OK Completed
    A> 7 SEARCH ALL
    A< 7 BAD [UIDREQUIRED] …
    A> 8 UID SEARCH 1:2
    A< 8 BAD [UIDREQUIRED] …
    A> 9 UID SEARCH UID 1:2 DELETED
    A< * SEARCH 2
    A< 9 OK …
    A> 10 EXPUNGE
    A< * VANISHED 2
    A< 10 OK …
    A> 11 UID FETCH 3 BODY[TEXT]
    A< * 3 UIDFETCH (FLAGS (\\Recent \\Seen) BODY[TEXT] "")
    A< 11 OK Completed
    A> 12 UID COPY 3 INBOX
    A< * 3 EXISTS
    A< * 3 RECENT
    A< 12 OK [COPYUID … 3 4] Completed
    A> 13 STORE 1 +FLAGS (x)
    A< 13 BAD [UIDREQUIRED] …
    A> 14 ENABLE CONDSTORE
    A~ * ENABLED CONDSTORE
    A~ 14 OK …
    A> 15 UID STORE 4 +FLAGS (x)
    A~ * 4 UIDFETCH (FLAGS (\\Recent \\Seen x) MODSEQ (…))
    A< 15 OK …`)
})
