/** Message annotations (RFC 5257): set, fetched, searched, appended, copied; whose they are and who may change them. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

t.test('one’s own and shared annotations', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX ANNOTATION (/comment (value.shared "appended")) {17+}\\r\\nSubject: x\\r\\n\\r\\nx\\r\\n
    A< 1 OK [APPENDUID … 1] Completed
    A> 2 SELECT INBOX (ANNOTATE)
    A< * 1 EXISTS
    A< * 1 RECENT
    A< * FLAGS …
    A< * OK [PERMANENTFLAGS …
    A< * OK [UNSEEN 1] Ok
    A< * OK [UIDVALIDITY …
    A< * OK [UIDNEXT 2] Ok
    A< * OK [HIGHESTMODSEQ …
    A< * OK [MAILBOXID …
    A< * OK [ANNOTATIONS 65536] Ok
    A< 2 OK [READ-WRITE] Completed
    A> 3 FETCH 1 (ANNOTATION (/comment value))
    A< * 1 FETCH (ANNOTATION (/comment (value.shared "appended" value.priv NIL)))
    A< 3 OK …
    A> 4 STORE 1 ANNOTATION (/comment (value.priv "My comment" value.shared "Group note"))
    A< * 1 FETCH (FLAGS (\\Recent))
    A< 4 OK Completed
    A> 5 FETCH 1 (UID ANNOTATION (/comment (value.priv size.priv)))
    A< * 1 FETCH (UID 1 ANNOTATION (/comment (value.priv "My comment" size.priv "10")))
    A< 5 OK …
    A> 6 STORE 1 ANNOTATION (/comment (value.priv {7+}\\r\\nna\xc3\xafve%) /altsubject (value.priv "Better"))
    A< * 1 FETCH (FLAGS (\\Recent))
    A< 6 OK Completed
    A> 7 FETCH 1 (ANNOTATION (/comment value.priv))
    A< * 1 FETCH (ANNOTATION (/comment (value.priv {7}\\r\\nna\xc3\xafve%)))
    A< 7 OK …
    A> 8 SEARCH ANNOTATION /comment value "Group"
    A< * SEARCH 1
    A< 8 OK …
    A> 9 SEARCH ANNOTATION /comment value.priv "Group"
    A< * SEARCH
    A< 9 OK …
    A> 10 STORE 1 ANNOTATION (/nonsense (value.priv "x"))
    A< 10 NO [NOPERM] Permission denied
    A> 11 STORE 1 ANNOTATION (/comment (size.priv "x"))
    A< 11 NO [NOPERM] Permission denied
    A> 12 STORE 1 ANNOTATION (/vendor/cmu/cyrus-imapd/thrid (value.shared "x"))
    A< 12 NO [NOPERM] Permission denied
    A> 13 STORE 1 ANNOTATION ()
    A< 13 BAD Missing annotation entry at column …
    A> 14 STORE 1 ANNOTATION (/comment value.priv)
    A< 14 BAD Missing annotation attribute-values list at column …
    A> 15 FETCH 1 (ANNOTATION (/comment nothing))
    A< 15 BAD Invalid annotation attribute nothing at column …
    A> 16 SETACL INBOX bob lr
    A< 16 OK Completed
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 EXAMINE user.alice
    B< * 1 EXISTS
    B< * 1 RECENT
    B< * FLAGS …
    B< * OK …
    B< * OK …
    B< * OK …
    B< * OK …
    B< * OK …
    B< * OK …
    B< * OK …
    B< 2 OK [READ-ONLY] Completed
    B> 3 FETCH 1 (ANNOTATION (/comment value))
    B< * 1 FETCH (ANNOTATION (/comment (value.shared "Group note" value.priv NIL)))
    B< 3 OK …
    B> 4 STORE 1 ANNOTATION (/comment (value.priv "mine"))
    B< 4 NO …
    A> 17 COPY 1 INBOX
    A< * 2 EXISTS
    A< * 2 RECENT
    A< 17 OK [COPYUID …
    A> 18 FETCH 2 (ANNOTATION ((/comment /altsubject) value.shared))
    A< * 2 FETCH (ANNOTATION (/comment (value.shared "Group note") /altsubject (value.shared NIL)))
    A< 18 OK …
    A> 19 STORE 1:2 ANNOTATION (/comment (value.shared NIL))
    A< * 1 FETCH (FLAGS (\\Recent))
    A< * 2 FETCH (FLAGS (\\Recent))
    A< 19 OK Completed
    A> 20 SEARCH ANNOTATION /comment value.shared ""
    A< * SEARCH 1 2
    A< 20 OK …
    A> 21 STORE 1 (UNCHANGEDSINCE 1) ANNOTATION (/comment (value.shared "late"))
    A< * OK [HIGHESTMODSEQ …
    A< 21 OK [MODIFIED 1] Completed
  `)
})
