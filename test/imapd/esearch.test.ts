/** SEARCH RETURN: ESEARCH (RFC 4731), SEARCHRES (RFC 5182), PARTIAL (RFC 9394); what extensions add to FETCH and STATUS. */
import t from 'tap'
import { notices } from '../../services/imapd/progress.js'
import { fixture, LOGIN } from './fixture.js'

function message(from: string, subject: string): string {
  const text = `From: ${from}\r\nSubject: ${subject}\r\n\r\nHello ${from}\r\n`
  return `{${text.length}+}\\r\\n${text.replaceAll('\r\n', '\\r\\n')}`
}

const EIGHT = ['smith', 'jones', 'smith', 'brown', 'smith', 'jones', 'taylor', 'smith']
  .map((name, n) => `\nA> a${n} APPEND INBOX ${n % 2 ? '(\\Seen) ' : ''}${message(name, `s${n}`)}\nA< a${n} OK …`)
  .join('')

const OPEN = `${LOGIN}${EIGHT}
  A> s SELECT INBOX
  A~ s OK [READ-WRITE] Completed`

t.test('ESEARCH', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${OPEN}
    A> 282 SEARCH RETURN (MIN COUNT) FROM smith
    A< * ESEARCH (TAG "282") COUNT 4 MIN 1
    A< 282 OK …
    A> 283 SEARCH RETURN () FROM smith
    A< * ESEARCH (TAG "283") ALL 1,3,5,8
    A< 283 OK …
    A> 284 UID SEARCH RETURN (MIN MAX) FROM nobody
    A< * ESEARCH (TAG "284") UID
    A< 284 OK …
    A> 285 SEARCH RETURN (ALL PARTIAL 1:2) ALL
    A< 285 BAD Invalid Search return option…
    A> 286 SEARCH RETURN (COUNT ALL MIN MAX) UNSEEN
    A< * ESEARCH (TAG "286") COUNT 4 MIN 1 MAX 7 ALL 1,3,5,7
    A< 286 OK …`)
})

t.test('SEARCHRES: $ stands for what was found', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${OPEN}
    A> A282 SEARCH RETURN (SAVE) FROM smith
    A< A282 OK …
    A> A283 FETCH $ (UID)
    A< * 1 FETCH (UID 1)
    A< * 3 FETCH (UID 3)
    A< * 5 FETCH (UID 5)
    A< * 8 FETCH (UID 8)
    A< A283 OK …
    A> A284 SEARCH $ UNSEEN
    A< * SEARCH 1 3 5
    A< A284 OK …
    A> A285 UID SEARCH RETURN (SAVE MIN COUNT) UID $ SMALLER 4096
    A< * ESEARCH (TAG "A285") UID COUNT 4 MIN 1
    A< A285 OK …
    A> A286 STORE 3 +FLAGS.SILENT (\\Deleted)
    A< A286 OK …
    A> A287 EXPUNGE
    A< * 3 EXPUNGE
    A< A287 OK …
    A> A288 FETCH $ (UID)
    A< * 1 FETCH (UID 1)
    A< * 4 FETCH (UID 5)
    A< * 7 FETCH (UID 8)
    A< A288 OK …
    A> A289 SEARCH RETURN (SAVE MIN MAX) ALL
    A< * ESEARCH (TAG "A289") MIN 1 MAX 7
    A< A289 OK …
    A> A290 UID STORE $ +FLAGS (\\Flagged)
    A< * 1 FETCH (FLAGS (\\Recent \\Flagged) UID 1)
    A< * 7 FETCH (FLAGS (\\Recent \\Flagged \\Seen) UID 8)
    A< A290 OK …
    A> A291 SEARCH RETURN (SAVE) CHARSET KOI8-X SUBJECT x
    A< A291 NO [BADCHARSET] …
    A> A292 SEARCH RETURN (SAVE) FROM nobody
    A< A292 OK …
    A> A293 FETCH $ UID
    A< A293 OK …
    A> A294 COPY $ INBOX
    A< A294 OK …
    A> A295 SEARCH 1,$
    A< A295 BAD …
    A> A296 SEARCH RETURN (SAVE PARTIAL 2:3) FROM smith
    A< * ESEARCH (TAG "A296") PARTIAL (2:3 4,7)
    A< A296 OK …
    A> A297 SEARCH $
    A< * SEARCH 4 7
    A< A297 OK …`)
})

t.test('PARTIAL, from the front and from the end', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${OPEN}
    A> A01 UID SEARCH RETURN (PARTIAL -1:-3) FROM smith
    A< * ESEARCH (TAG "A01") UID PARTIAL (-1:-3 3,5,8)
    A< A01 OK …
    A> A02 UID SEARCH RETURN (PARTIAL 3:10 COUNT) FROM smith
    A< * ESEARCH (TAG "A02") UID COUNT 4 PARTIAL (3:10 5,8)
    A< A02 OK …
    A> A03 SEARCH RETURN (PARTIAL 100:200) FROM smith
    A< * ESEARCH (TAG "A03") PARTIAL (100:200 NIL)
    A< A03 OK …
    A> A04 SEARCH RETURN (PARTIAL -3:2) ALL
    A< A04 BAD Invalid partial range…
    A> A05 UID FETCH 2:7 (UID) (PARTIAL -1:-2)
    A< * 6 FETCH (UID 6)
    A< * 7 FETCH (UID 7)
    A< A05 OK …
    A> A06 UID FETCH 1,3,5:6,8 (UID) (PARTIAL 2:4)
    A< * 3 FETCH (UID 3)
    A< * 5 FETCH (UID 5)
    A< * 6 FETCH (UID 6)
    A< A06 OK …
    A> A07 UID FETCH 1:* (UID) (PARTIAL 9:10)
    A< A07 OK …`)
})

t.test('a long SEARCH tells how far it has come', async (t) => {
  const { conversation } = await fixture(t)
  const { every } = notices
  notices.every = 0
  t.teardown(() => void (notices.every = every))
  await conversation.play(`${OPEN}
    A> A01 SEARCH FROM smith
    A< * OK [INPROGRESS ("A01" 0 8)] Still at work
    A< * SEARCH 1 3 5 8
    A< A01 OK …`)
})

t.test('SORT and THREAD', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${OPEN}
    A> A282 SORT (SUBJECT) UTF-8 SINCE 1-Feb-1994
    A< * SORT 1 2 3 4 5 6 7 8
    A< A282 OK …
    A> A283 SORT (FROM REVERSE UID) UTF-8 ALL
    A< * SORT 4 6 2 8 5 3 1 7
    A< A283 OK …
    A> A284 SORT (SUBJECT) US-ASCII TEXT "not in mailbox"
    A< * SORT
    A< A284 OK …
    A> A285 UID SORT RETURN (MIN MAX COUNT ALL) (REVERSE SIZE SUBJECT) UTF-8 FROM jones
    A< * ESEARCH (TAG "A285") UID COUNT 2 MIN 2 MAX 6 ALL 2,6
    A< A285 OK …
    A> A286 SORT RETURN (PARTIAL 1:3) (REVERSE UID) UTF-8 ALL
    A< * ESEARCH (TAG "A286") PARTIAL (1:3 8,7,6)
    A< A286 OK …
    A> A287 THREAD REFERENCES UTF-8 FROM smith
    A< * THREAD (1)(3)(5)(8)
    A< A287 OK …
    A> A288 UID THREAD ORDEREDSUBJECT X-UNKNOWN ALL
    A< A288 NO [BADCHARSET] …
    A> A289 SORT (SUBJECT FOO) UTF-8 ALL
    A< A289 BAD Invalid Sort criterion foo…`)
})

t.test('OBJECTID, SAVEDATE, PREVIEW, STATUS', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 CREATE INBOX.sub
    A< 1 OK [MAILBOXID (…)] Completed
    A> 2 APPEND INBOX.sub ${message('smith', 'x')}
    A< 2 OK …
    A> 3 APPEND INBOX.sub (\\Deleted) ${message('smith', 'x')}
    A< 3 OK …
    A> 4 STATUS INBOX.sub (DELETED DELETED-STORAGE MAILBOXID APPENDLIMIT)
    A< * STATUS INBOX.sub (MAILBOXID (…) DELETED 1 DELETED-STORAGE 40 APPENDLIMIT 4294967295)
    A< 4 OK …
    A> 5 SELECT INBOX.sub
    A~ * OK [MAILBOXID (…)] Ok
    A~ 5 OK …`)
  const [id, again] = await conversation.play(`
    A> 6 FETCH 1:2 EMAILID
    A< * 1 FETCH (EMAILID (…))
    A< * 2 FETCH (EMAILID (…))
    A< 6 OK …`)
  t.match(id, /^M[0-9a-f]{24}$/)
  t.equal(again, id, 'the same bytes are the same message')
  await conversation.play(`
    A> 7 SEARCH EMAILID ${id} SAVEDSINCE 1-Jan-2020
    A< * SEARCH 1 2
    A< 7 OK …
    A> 8 SEARCH SAVEDBEFORE 1-Jan-2020
    A< * SEARCH
    A< 8 OK …
    A> 9 FETCH 1 (PREVIEW (LAZY) THREADID SAVEDATE)
    A< * 1 FETCH (PREVIEW "Hello smith" THREADID NIL SAVEDATE "…")
    A< 9 OK …`)
})
