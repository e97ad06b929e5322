/** CONDSTORE and QRESYNC (RFC 7162): the RFC's own examples, with mod-sequences that are this mailbox'. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

const MESSAGE = '{14+}\\r\\nSubject: x\\r\\n\\r\\n'

/** Six messages, UIDs 1 to 6, mod-sequences 2 to 7. */
const SIX = [1, 2, 3, 4, 5, 6].map((n) => `\nA> a${n} APPEND INBOX (\\Seen) ${MESSAGE}\nA< a${n} OK …`).join('')

const isUidvalidity = (text: string): boolean => /^\d{9,10}$/.test(text)

t.test('what switches it on, and what is then told', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}${SIX}
    A> 1 SELECT INBOX
    A~ * OK [HIGHESTMODSEQ 7] Ok
    A~ 1 OK [READ-WRITE] Completed
    A> 2 STORE 1 +FLAGS (\\Flagged)
    A< * 1 FETCH (FLAGS (\\Recent \\Flagged \\Seen))
    A< 2 OK Completed
    A> 3 FETCH 1:2 (MODSEQ)
    A< * OK [HIGHESTMODSEQ 8] CONDSTORE enabled by MODSEQ fetch
    A< * 1 FETCH (MODSEQ (8))
    A< * 2 FETCH (MODSEQ (3))
    A< 3 OK Completed
    A> 4 STORE 2 +FLAGS (\\Flagged)
    A< * 2 FETCH (FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (9))
    A< 4 OK Completed
    A> 5 STORE 3 +FLAGS.SILENT (\\Flagged)
    A< * 3 FETCH (FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (10))
    A< 5 OK Completed
    A> 6 ENABLE QRESYNC CONDSTORE X-FOO
    A< * ENABLED QRESYNC
    A< 6 OK Completed
    A> 7 STORE 3 -FLAGS (\\Flagged)
    A< * 3 FETCH (FLAGS (\\Recent \\Seen) UID 3 MODSEQ (11))
    A< 7 OK Completed
    A> 8 FETCH 1:* (UID) (CHANGEDSINCE 8)
    A< * 2 FETCH (UID 2 MODSEQ (9))
    A< * 3 FETCH (UID 3 MODSEQ (11))
    A< 8 OK Completed
    A> 9 SEARCH MODSEQ "/flags/\\\\seen" all 9
    A< * SEARCH 2 3 (MODSEQ 11)
    A< 9 OK Completed (2 msgs)
    A> 10 SEARCH MODSEQ 12
    A< * SEARCH
    A< 10 OK Completed (0 msgs)
    A> 11 STATUS INBOX (HIGHESTMODSEQ)
    A< * STATUS INBOX (HIGHESTMODSEQ 11)
    A< 11 OK Completed
    A> 12 FETCH 1 (UID) (CHANGEDSINCE 99999999999999999999)
    A< 12 BAD …
    A> 13 FETCH 1 (UID) (VANISHED)
    A< 13 BAD …
    A> 14 FETCH 1 (UID) (CHANGEDSINCE 1 VANISHED)
    A< 14 BAD Invalid Fetch modifier VANISHED…`)
  for (const first of ['STATUS INBOX (HIGHESTMODSEQ)', 'SEARCH MODSEQ 1', 'STORE 1 (UNCHANGEDSINCE 1) +FLAGS (x)']) {
    const { conversation } = await fixture(t)
    await conversation.play(`${LOGIN}${SIX}
      A> 1 SELECT INBOX
      A~ 1 OK [READ-WRITE] Completed
      A> 2 ${first}
      A< * OK [HIGHESTMODSEQ 7] CONDSTORE enabled by …
      A~ 2 OK …
      A> 3 STORE 1 +FLAGS (y)
      A~ * 1 FETCH (FLAGS (\\Recent \\Seen y) MODSEQ (8))
      A< 3 OK Completed`)
  }
})

t.test('STORE UNCHANGEDSINCE leaves alone what another session has changed', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}${SIX}
    A> 1 SELECT INBOX (CONDSTORE)
    A~ 1 OK [READ-WRITE] Completed
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 SELECT INBOX
    B~ 2 OK [READ-WRITE] Completed
    B> 3 STORE 4 +FLAGS.SILENT (\\Deleted)
    B< 3 OK Completed
    A> 2 STORE 2,4,6 (UNCHANGEDSINCE 7) +FLAGS.SILENT (\\Flagged)
    A< * 4 FETCH (FLAGS (\\Recent \\Deleted \\Seen) MODSEQ (8))
    A< * 2 FETCH (FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (9))
    A< * 6 FETCH (FLAGS (\\Recent \\Flagged \\Seen) MODSEQ (10))
    A< 2 OK [MODIFIED 4] Completed
    A> 3 UID STORE 2:5 (UNCHANGEDSINCE 3) FLAGS (\\Answered)
    A< 3 OK [MODIFIED 2:5] Completed
    A> 4 STORE 1 (UNCHANGEDSINCE 0) FLAGS (\\Answered)
    A< 4 OK [MODIFIED 1] Completed
    A> 5 STORE 1 (UNCHANGEDSINCE) FLAGS (\\Answered)
    A< 5 BAD …
    A> 6 STORE 1 (WHENEVER 1) FLAGS (\\Answered)
    A< 6 BAD Invalid Store modifier WHENEVER…
    B> 4 FETCH 2:6 FLAGS
    B< * 2 FETCH (FLAGS (\\Flagged \\Seen))
    B< * 6 FETCH (FLAGS (\\Flagged \\Seen))
    B< * 2 FETCH (FLAGS (\\Flagged \\Seen))
    B< * 3 FETCH (FLAGS (\\Seen))
    B< * 4 FETCH (FLAGS (\\Deleted \\Seen))
    B< * 5 FETCH (FLAGS (\\Seen))
    B< * 6 FETCH (FLAGS (\\Flagged \\Seen))
    B< 4 OK Completed`)
})

t.test('QRESYNC: SELECT tells what has changed and what has gone', async (t) => {
  const { conversation } = await fixture(t)
  const told = await conversation.play(`${LOGIN}${SIX}
    A> 1 SELECT INBOX (QRESYNC (1 1))
    A< 1 BAD Invalid Select modifier QRESYNC: it is not enabled
    A> 2 ENABLE QRESYNC
    A< * ENABLED CONDSTORE QRESYNC
    A< 2 OK Completed
    A> 3 STATUS INBOX (UIDVALIDITY)
    A< * STATUS INBOX (UIDVALIDITY …)
    A< 3 OK Completed
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 SELECT INBOX
    B~ 2 OK [READ-WRITE] Completed
    B> 3 STORE 2:3,5 +FLAGS.SILENT (\\Deleted)
    B< 3 OK Completed
    B> 4 EXPUNGE
    B< * 2 EXPUNGE
    B< * 2 EXPUNGE
    B< * 3 EXPUNGE
    B< 4 OK [HIGHESTMODSEQ 13] Completed
    B> 5 STORE 2 +FLAGS.SILENT (\\Flagged)
    B< 5 OK Completed`)
  const validity = told.find(isUidvalidity)
  await conversation.play(`
    A> 4 SELECT INBOX (QRESYNC (${validity} 7 1:6))
    A~ * OK [HIGHESTMODSEQ 14] Ok
    A~ * VANISHED (EARLIER) 2:3,5
    A< * 2 FETCH (FLAGS (\\Flagged \\Seen) UID 4 MODSEQ (14))
    A< 4 OK [READ-WRITE] Completed
    A> 5 SELECT INBOX (QRESYNC (${validity} 7 1:2))
    A< * OK [CLOSED] Ok
    A~ * VANISHED (EARLIER) 2
    A< 5 OK [READ-WRITE] Completed
    A> 6 SELECT INBOX (QRESYNC (${Number(validity) - 1} 8))
    A~ * OK [HIGHESTMODSEQ 14] Ok
    A~ 6 OK [READ-WRITE] Completed
    A> 7 SELECT INBOX (QRESYNC (${validity} 7 1:6 (1,2 1,4)))
    A~ * VANISHED (EARLIER) 2:3,5
    A< * 2 FETCH (FLAGS (\\Flagged \\Seen) UID 4 MODSEQ (14))
    A< 7 OK [READ-WRITE] Completed
    A> 8 SELECT INBOX (QRESYNC (${validity} 7 1:*))
    A< 8 BAD Invalid argument to QRESYNC…
    A> 9 UID FETCH 1:* (FLAGS) (CHANGEDSINCE 10 VANISHED)
    A< * VANISHED (EARLIER) 2:3,5
    A< * 2 FETCH (FLAGS (\\Flagged \\Seen) UID 4 MODSEQ (14))
    A< 9 OK Completed
    A> 10 UID FETCH 3:4 (FLAGS) (CHANGEDSINCE 11 VANISHED)
    A< * VANISHED (EARLIER) 3
    A< * 2 FETCH (FLAGS (\\Flagged \\Seen) UID 4 MODSEQ (14))
    A< 10 OK Completed
    B> 6 UID STORE 1,6 +FLAGS.SILENT (\\Deleted)
    B< 6 OK Completed
    B> 7 EXPUNGE
    B~ 7 OK …
    A> 11 FETCH 1:* (FLAGS) (CHANGEDSINCE 14)
    A< 11 OK Completed
    A> 12 STATUS INBOX (MESSAGES)
    A< * STATUS INBOX (MESSAGES 1)
    A< * VANISHED 1,6
    A< 12 OK Completed
    A> 13 CLOSE
    A< 13 OK Completed`)
})

t.test(
  'HIGHESTMODSEQ is not beyond an expunge that was not told; what the store has forgotten is told whole',
  async (t) => {
    const { conversation, server } = await fixture(t)
    const told = await conversation.play(`${LOGIN}${SIX}
    A> 1 SELECT INBOX
    A~ * OK [UIDVALIDITY …] Ok
    A~ 1 OK [READ-WRITE] Completed
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 SELECT INBOX
    B~ 2 OK [READ-WRITE] Completed
    B> 3 STORE 2,6 +FLAGS.SILENT (\\Deleted)
    B< 3 OK Completed
    B> 4 EXPUNGE
    B~ 4 OK [HIGHESTMODSEQ 11] Completed
    A> 2 FETCH 1 (MODSEQ)
    A< * OK [HIGHESTMODSEQ 7] CONDSTORE enabled by MODSEQ fetch
    A< * 1 FETCH (MODSEQ (2))
    A< 2 OK Completed
    A> 3 ENABLE QRESYNC
    A< * ENABLED QRESYNC
    A< * VANISHED 2,6
    A< 3 OK Completed`)
    const validity = told.find(isUidvalidity)
    const { store } = server
    await store.write((txn) => {
      for (const uid of [2, 6]) txn.mustMailbox('user.alice').unlink(uid)
    })
    await conversation.play(`
    A> 4 SELECT INBOX (QRESYNC (${validity} 10))
    A~ * VANISHED (EARLIER) 2,6
    A< 4 OK [READ-WRITE] Completed
    A> 5 SELECT INBOX (QRESYNC (${validity} 10 1:6 (1,2,3 1,3,4)))
    A~ * VANISHED (EARLIER) 6
    A< 5 OK [READ-WRITE] Completed
    A> 6 SELECT INBOX (QRESYNC (${validity} 11))
    A~ * OK [HIGHESTMODSEQ 11] Ok
    A~ 6 OK [READ-WRITE] Completed`)
  },
)
