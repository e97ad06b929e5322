/** Several sessions on one mailbox: what each is told and when, IDLE, and a client that does not read. */
import t from 'tap'
import { fixture, LOGIN, LOGIN_B, SELECT, SELECT_ALL_SEEN } from './fixture.js'

t.test('several sessions on one mailbox: sequence numbers shift only when the client may know', async (t) => {
  const { conversation } = await fixture(t)
  const message = '{14+}\\r\\nSubject: x\\r\\n\\r\\n'
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX ${message}
    A< 1 OK …
    A> 2 APPEND INBOX ${message}
    A< 2 OK …
    A> 3 APPEND INBOX ${message}
    A< 3 OK …${SELECT}${LOGIN_B}
    B> 1 STORE 1 +FLAGS.SILENT (\\Deleted)
    B< 1 OK Completed
    B> 2 EXPUNGE
    B< * 1 EXPUNGE
    B< 2 OK [HIGHESTMODSEQ …] Completed
    B> 3 APPEND INBOX ${message}
    B< * 3 EXISTS
    B< * 1 RECENT
    B< 3 OK …
    A> 1 FETCH 1:* (UID)
    A< * 4 EXISTS
    A< * 3 RECENT
    A< * 1 FETCH (UID 1)
    A< * 2 FETCH (UID 2)
    A< * 3 FETCH (UID 3)
    A< * 4 FETCH (UID 4)
    A< 1 OK Completed
    A> 2 STORE 2 +FLAGS (\\Flagged)
    A< * 2 FETCH (FLAGS (\\Recent \\Flagged))
    A< 2 OK Completed
    A> 3 FETCH 1 (UID BODY.PEEK[HEADER])
    A< * 1 FETCH (UID 1 BODY[HEADER] {14}\\r\\nSubject: x\\r\\n\\r\\n)
    A< 3 OK Completed
    A> 4 SEARCH UID 2
    A< * SEARCH 2
    A< 4 OK Completed (1 msgs)
    A> 5 NOOP
    A< * 1 EXPUNGE
    A< 5 OK Completed
    A> 6 FETCH 1:* UID
    A< * 1 FETCH (UID 2)
    A< * 2 FETCH (UID 3)
    A< * 3 FETCH (UID 4)
    A< 6 OK Completed
    B> 4 UID FETCH 2 FLAGS
    B< * 1 FETCH (FLAGS (\\Flagged) UID 2)
    B< * 1 FETCH (FLAGS (\\Flagged) UID 2)
    B< 4 OK Completed
  `)
})

t.test('IDLE tells at once', async (t) => {
  const { conversation } = await fixture(t)
  const message = '{14+}\\r\\nSubject: x\\r\\n\\r\\n'
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX (\\Seen) ${message}
    A< 1 OK …${SELECT_ALL_SEEN}
    A> 2 IDLE
    A< + idling
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 APPEND INBOX ${message}
    B< 2 OK …
    A< * 2 EXISTS
    A< * 2 RECENT
    B> 3 SELECT INBOX
    B< * 2 EXISTS
    B< * … RECENT
    B< * FLAGS …
    B< * OK …
    B< * OK …
    B< * OK …
    B< * OK …
    B~ 3 OK …
    B> 4 STORE 1 +FLAGS.SILENT (\\Deleted new)
    B< …
    B< …
    B< 4 OK Completed
    A< * FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen new)
    A< * OK [PERMANENTFLAGS …
    A< * 1 FETCH (FLAGS (\\Recent \\Deleted \\Seen new))
    B> 5 EXPUNGE
    B< * 1 EXPUNGE
    B< 5 OK [HIGHESTMODSEQ …] Completed
    A< * 1 EXPUNGE
    A> DONE
    A< 2 OK Completed
    A> 3 IDLE
    A< + idling
    A> NOOP
    A< 3 BAD Expected DONE to end IDLE
    A> 4 IDLE x
    A< 4 BAD Unexpected extra arguments to Idle at column …
    A> 5 IDLE
    A< + idling
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 1a SETACL user.alice cyrus x
    R< 1a OK Completed
    R> 2 DELETE user.alice
    R< 2 OK Completed
    A< * BYE Selected mailbox is gone
    A< EOF
  `)
})

t.test('a client that pipelines and does not read is held up; others are served', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(LOGIN)
  const { socket } = await conversation.client('A')
  socket.pause()
  const sent = 2_000_000
  for (let i = 0; i < sent / 1000; i += 1) socket.write('x CAPABILITY\r\n'.repeat(1000))
  const start = performance.now()
  for (let i = 0; i < 20; i += 1)
    await conversation.play(`B> ${i} NOOP
      B< ${i} OK Completed`)
  t.ok(performance.now() - start < 10_000, 'the other client waits for milliseconds, not for the flood')
  t.ok(socket.writableLength > 0, 'what the flooding client sends waits on its own side')
  socket.destroy()
})
