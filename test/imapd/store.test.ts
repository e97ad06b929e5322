/** STORE: flags and keywords; the answers are those of Cyrus 3.6.1 where it was asked the same. */
import t from 'tap'
import { fixture, LOGIN, SELECT } from './fixture.js'

t.test('STORE', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 1 OK …
    A> 2 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 2 OK …${SELECT}
    A> 1 STORE 1 FLAGS \\Seen
    A< * 1 FETCH (FLAGS (\\Recent \\Seen))
    A< 1 OK Completed
    A> 2 STORE 1 FLAGS (\\Seen foo)
    A< * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen foo)
    A< * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen foo \\*)] Ok
    A< * 1 FETCH (FLAGS (\\Recent \\Seen foo))
    A< 2 OK Completed
    A> 3 STORE 1 -FLAGS (FOO nonexistent)
    A< * 1 FETCH (FLAGS (\\Recent \\Seen))
    A< 3 OK Completed
    A> 4 STORE 1 +FLAGS.SILENT (\\Flagged)
    A< 4 OK Completed
    A> 5 UID STORE 1:* +FLAGS (\\Answered)
    A< * 1 FETCH (FLAGS (\\Recent \\Answered \\Flagged \\Seen) UID 1)
    A< * 2 FETCH (FLAGS (\\Recent \\Answered) UID 2)
    A< 5 OK Completed
    A> 6 STORE 1:* FLAGS ()
    A< * 1 FETCH (FLAGS (\\Recent))
    A< * 2 FETCH (FLAGS (\\Recent))
    A< 6 OK Completed
    A> 7 STORE 1 +FLAGS (\\Recent)
    A< 7 BAD Invalid system flag in Store command at column …
    A> 8 STORE 1 FOO (x)
    A< 8 BAD Invalid Store attribute at column …
    A> 9 STORE 99 +FLAGS (\\Seen)
    A< 9 OK Completed
    A> 10 STORE 1:* +FLAGS ()
    A< 10 OK Completed
    A> 11 STORE 1 FLAGS
    A< 11 BAD Missing required argument to Store at column …
  `)
})
