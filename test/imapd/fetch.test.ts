/** FETCH: items, sections, what marks a message read; the answers are those of Cyrus 3.6.1 where it was asked the same. */
import t from 'tap'
import { fixture, HI, LOGIN, SELECT, SELECT_ALL_SEEN } from './fixture.js'

t.test('a large message streams in and out whole', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(LOGIN)
  const { socket } = await conversation.client('A')
  const message = `Subject: large\r\n\r\n${'0123456789 line of a large message\r\n'.repeat(100_000)}`
  socket.write(`1 APPEND INBOX {${message.length}+}\r\n${message}\r\n`)
  await conversation.play(`A< 1 OK [APPENDUID … 1] Completed${SELECT}`)
  socket.write('2 FETCH 1 BODY.PEEK[]\r\n')
  const client = await conversation.client('A')
  t.ok((await client.next()) === `* 1 FETCH (BODY[] {${message.length}}\r\n${message})`)
  await conversation.play('A< 2 OK Completed')
  socket.write('3 FETCH 1 BODY.PEEK[TEXT]<3000000.1000>\r\n')
  t.equal(await client.next(), `* 1 FETCH (BODY[TEXT]<3000000> {1000}\r\n${message.slice(18 + 3000000, 18 + 3001000)})`)
})

t.test('FETCH', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(
    `${LOGIN}
    A> 1 APPEND INBOX (\\Seen kw1) "01-Jan-2020 10:00:00 +0100" ${HI}
    A< 1 OK …
    A> 2 APPEND INBOX (\\Seen) ${HI}
    A< 2 OK …${SELECT_ALL_SEEN}
    A> 1 FETCH 1 (FLAGS UID RFC822.SIZE ENVELOPE)
    A< * 1 FETCH (FLAGS (\\Recent \\Seen kw1) UID 1 RFC822.SIZE 37 ENVELOPE (NIL "hi" ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) ((NIL NIL "a" "b.c")) NIL NIL NIL NIL NIL))
    A< 1 OK Completed
    A> 2 FETCH 1:* FLAGS
    A< * 1 FETCH (FLAGS (\\Recent \\Seen kw1))
    A< * 2 FETCH (FLAGS (\\Recent \\Seen))
    A< 2 OK Completed
    A> 3 FETCH 99 FLAGS
    A< 3 NO No matching messages
    A> 4 UID FETCH 99 FLAGS
    A< 4 OK Completed
    A> 5 UID FETCH 2:* FLAGS
    A< * 2 FETCH (FLAGS (\\Recent \\Seen) UID 2)
    A< 5 OK Completed
    A> 6 FETCH 1 BODY.PEEK[]<0.5>
    A< * 1 FETCH (BODY[]<0> {5}\\r\\nSubje)
    A< 6 OK Completed
    A> 7 FETCH 1 BODY.PEEK[]<100.5>
    A< * 1 FETCH (BODY[]<100> "")
    A< 7 OK Completed
    A> 8 FETCH 1 BODY.PEEK[HEADER.FIELDS (subject)]
    A< * 1 FETCH (BODY[HEADER.FIELDS (subject)] {15}\\r\\nSubject: hi\\r\\n\\r\\n)
    A< 8 OK Completed
    A> 9 FETCH 1 BODY.PEEK[HEADER.FIELDS ("subject" {4+}\\r\\nfrom)]<0.4>
    A< * 1 FETCH (BODY[HEADER.FIELDS (subject from)]<0> {4}\\r\\nSubj)
    A< 9 OK Completed
    A> 10 FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (subject)]
    A< * 1 FETCH (BODY[HEADER.FIELDS.NOT (subject)] {15}\\r\\nFrom: a@b.c\\r\\n\\r\\n)
    A< 10 OK Completed
    A> 11 FETCH 1 (RFC822.TEXT RFC822.HEADER)
    A< * 1 FETCH (RFC822.HEADER {28}\\r\\nSubject: hi\\r\\nFrom: a@b.c\\r\\n\\r\\n RFC822.TEXT {9}\\r\\nbody line)
    A< 11 OK Completed
    A> 12 FETCH 1 FULL
    A< * 1 FETCH (FLAGS (\\Recent \\Seen kw1) INTERNALDATE " 1-Jan-2020 …" RFC822.SIZE 37 ENVELOPE (…) BODY ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 9 0))
    A< 12 OK Completed
    A> 13 FETCH 1 (BODY[TEXT] FLAGS)
    A< * 1 FETCH (FLAGS (\\Recent \\Seen kw1) BODY[TEXT] {9}\\r\\nbody line)
    A< 13 OK Completed
    A> 14 FETCH 1 (BODYSTRUCTURE BODY[2] BODY[1] BODY[1.MIME] BODY[0])
    A< * 1 FETCH (BODYSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 9 0 NIL NIL NIL NIL) BODY[2] NIL BODY[1] {9}\\r\\nbody line BODY[1.MIME] {28}\\r\\nSubject: hi\\r\\nFrom: a@b.c\\r\\n\\r\\n BODY[0] NIL)
    A< 14 OK Completed
    A> 15 FETCH 1 FOO
    A< 15 BAD Invalid Fetch attribute FOO at column …
    A> 16 FETCH x FLAGS
    A< 16 BAD Invalid sequence in Fetch at column …: a number from 1 to 4294967295, or *, is wanted
    A> 17 FETCH 1
    A< 17 BAD Missing required argument to Fetch at column …
  `,
  )
})

t.test('FETCH of a body marks it read, for all to see; PEEK and EXAMINE do not', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 1 OK …
    A> 2 EXAMINE INBOX
    A< * 1 EXISTS
    A< * 1 RECENT
    A< * FLAGS (…
    A< * OK [PERMANENTFLAGS ()] Ok
    A< * OK [UNSEEN 1] Ok
    A< * OK …
    A< * OK …
    A~ 2 OK [READ-ONLY] Completed
    A> 3 FETCH 1 RFC822.TEXT
    A< * 1 FETCH (RFC822.TEXT "")
    A< 3 OK Completed
    A> 4 STORE 1 +FLAGS (\\Seen)
    A< 4 NO Permission denied
    A> 5 UNSELECT
    A< 5 OK Completed${SELECT}
    A> 6 FETCH 1 (FLAGS BODY.PEEK[TEXT])
    A< * 1 FETCH (FLAGS (\\Recent) BODY[TEXT] "")
    A< 6 OK Completed
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 SELECT INBOX
    B< * 1 EXISTS
    B< * 0 RECENT
    B< * FLAGS (…
    B< * OK …
    B< * OK [UNSEEN 1] Ok
    B< * OK …
    B< * OK …
    B~ 2 OK [READ-WRITE] Completed
    A> 7 UID FETCH 1 BODY[TEXT]
    A< * 1 FETCH (FLAGS (\\Recent \\Seen) UID 1 BODY[TEXT] "")
    A< 7 OK Completed
    B> 3 NOOP
    B< * 1 FETCH (FLAGS (\\Seen))
    B< 3 OK Completed
  `)
})
