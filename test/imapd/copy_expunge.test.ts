/** COPY, MOVE, EXPUNGE, CLOSE; the answers are those of Cyrus 3.6.1 where it was asked the same. */
import t from 'tap'
import { fixture, LOGIN, SELECT } from './fixture.js'

t.test('COPY, MOVE, EXPUNGE, CLOSE', async (t) => {
  const { conversation } = await fixture(t)
  const message = '{14+}\\r\\nSubject: x\\r\\n\\r\\n'
  await conversation.play(`${LOGIN}
    A> c CREATE INBOX.sub
    A< c OK …
    A> 1 APPEND INBOX (\\Flagged kw) ${message}
    A< 1 OK …
    A> 2 APPEND INBOX ${message}
    A< 2 OK …
    A> 3 APPEND INBOX ${message}
    A< 3 OK …
    A> 4 APPEND INBOX ${message}
    A< 4 OK …${SELECT}
    A> 1 COPY 1 nowhere
    A< 1 NO [NONEXISTENT] Mailbox does not exist
    A> 2 COPY 1 INBOX.nowhere
    A< 2 NO [TRYCREATE] Mailbox does not exist
    A> 3 COPY 1,3 INBOX.sub
    A< 3 OK [COPYUID … 1,3 1:2] Completed
    A> 4 UID COPY 99 INBOX.sub
    A< 4 OK Completed
    A> 5 COPY 99 INBOX.sub
    A< 5 NO No matching messages
    A> 6 STORE 1:2 +FLAGS.SILENT (\\Deleted)
    A< 6 OK Completed
    A> 7 UID EXPUNGE 2:4
    A< * 2 EXPUNGE
    A< 7 OK [HIGHESTMODSEQ …] Completed
    A> 8 EXPUNGE
    A< * 1 EXPUNGE
    A< 8 OK [HIGHESTMODSEQ …] Completed
    A> 9 FETCH 1:* UID
    A< * 1 FETCH (UID 3)
    A< * 2 FETCH (UID 4)
    A< 9 OK Completed
    A> 10 MOVE 1 INBOX.sub
    A< * OK [COPYUID … 3 3] Completed
    A< * 1 EXPUNGE
    A< 10 OK Completed
    A> 11 UID MOVE 99 INBOX.sub
    A< 11 OK Completed
    A> 12 STORE 1 +FLAGS.SILENT (\\Deleted)
    A< 12 OK Completed
    A> 13 CLOSE
    A< 13 OK Completed
    A> 14 STATUS INBOX (MESSAGES UIDNEXT)
    A< * STATUS INBOX (MESSAGES 0 UIDNEXT 5)
    A< 14 OK Completed
    A> 15 EXAMINE INBOX.sub
    A< * 3 EXISTS
    A< * 3 RECENT
    A< * FLAGS (… kw)
    A< * OK …
    A< * OK …
    A< * OK …
    A< * OK …
    A~ 15 OK [READ-ONLY] Completed
    A> 16 FETCH 1:* (FLAGS)
    A< * 1 FETCH (FLAGS (\\Recent \\Flagged kw))
    A< * 2 FETCH (FLAGS (\\Recent))
    A< * 3 FETCH (FLAGS (\\Recent))
    A< 16 OK Completed
    A> 17 EXPUNGE
    A< 17 NO Permission denied
    A> 18 MOVE 1 INBOX
    A< 18 NO Permission denied
    A> 19 CLOSE
    A< 19 OK Completed
  `)
})
