/** Messages: append, fetch, store, search, copy, move, expunge – the answers are those of Cyrus 3.6.1 where it was asked the same. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

const SELECT = `
  A> s SELECT INBOX
  A< * … EXISTS
  A< * … RECENT
  A< * FLAGS (…)
  A< * OK [PERMANENTFLAGS …
  A< * OK [UNSEEN …
  A< * OK [UIDVALIDITY …
  A< * OK [UIDNEXT …
  A~ s OK [READ-WRITE] Completed`

/** The same by a second session of the same user. */
const LOGIN_B = `
  B> l LOGIN alice testpw
  B< l OK …${SELECT.replace(/A(?=[<>~])/g, 'B')}`

const SELECT_ALL_SEEN = SELECT.replace(/.*UNSEEN.*\n/, '')

const HI = '{37+}\\r\\nSubject: hi\\r\\nFrom: a@b.c\\r\\n\\r\\nbody line'

t.test('APPEND', async (t) => {
  const { conversation, server } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX (\\Seen kw) "01-Jan-2020 10:00:00 +0100" {37}
    A< + go ahead
    A> Subject: hi\\r\\nFrom: a@b.c\\r\\n\\r\\nbody line
    A< 1 OK [APPENDUID … 1] Completed
    A> 2 APPEND INBOX.none {38}
    A< 2 NO [TRYCREATE] Mailbox does not exist
    A> 3 APPEND INBOX.none ${HI}
    A< 3 NO [TRYCREATE] Mailbox does not exist
    A> 4 APPEND user.bob ${HI}
    A< 4 NO [NONEXISTENT] Mailbox does not exist
    A> 5 APPEND INBOX (\\Recent) ${HI}
    A< 5 BAD Invalid flag in Append command at column …
    A> 6 APPEND INBOX (\\Foo) {38}
    A< 6 BAD Invalid flag in Append command at column …
    A> 7 APPEND INBOX "bad date" ${HI}
    A< 7 BAD Invalid date-time in Append command at column …
    A> 8 APPEND INBOX {0+}
    A> 
    A< 8 NO Zero-length message literal
    A> 9 APPEND INBOX foo
    A< 9 BAD Missing required argument to Append command at column …: the message must be a literal, or CATENATE
    A> 10 APPEND INBOX {3+}\\r\\nabc
    A< 10 NO Message contains invalid header
    A> 11 APPEND INBOX {10+}\\r\\na: b\\r\\n\\r\\n\0x
    A< 11 NO Message contains NUL characters
    A> 12 APPEND {5+}\\r\\nINBOX ${HI}
    A< 12 OK [APPENDUID … 2] Completed
    A> 13 APPEND INBOX ${HI} more
    A< 13 BAD …
    A> 14 STATUS INBOX (MESSAGES UNSEEN)
    A< * STATUS INBOX (MESSAGES 2 UNSEEN 1)
    A< 14 OK Completed
  `)
  const header = server.store.mailbox('user.alice')!
  const index = server.store.index(header.id)!
  t.equal(index.internaldate(0), 1577869200)
  t.equal((await server.store.readMessage(header, 1)).toString(), 'Subject: hi\r\nFrom: a@b.c\r\n\r\nbody line')
})

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

t.test('SEARCH', async (t) => {
  const { conversation } = await fixture(t)
  const append = (text: string, options = '') => {
    const bytes = Buffer.from(text.replaceAll('\n', '\r\n'), 'utf8').toString('latin1')
    return `A> a APPEND INBOX ${options}{${bytes.length}+}\\r\\n${bytes.replaceAll('\r\n', '\\r\\n')}\nA< a OK …\n`
  }
  const found = (program: string, answer: string) =>
    `A> q SEARCH ${program}\nA< * SEARCH${answer ? ` ${answer}` : ''}\nA< q OK Completed (${answer ? answer.split(' ').length : 0} msgs)\n`
  await conversation.play(
    LOGIN +
      '\n' +
      append(
        'From: Anna <anna@one.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from home\nDate: Sat, 1 Feb 2020 10:00:00 +0000\n\nhello world\n',
        '(\\Seen kw) "03-Feb-2020 10:00:00 +0000" ',
      ) +
      append(
        'From: bob@two.org\nTo: anna@one.org\nSubject: second\nX-Own: secret stuff\nContent-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\n\nw6RwZmVsIHVuZCBiaXJuZW4=\n',
        '(\\Flagged) "04-Feb-2020 10:00:00 +0000" ',
      ) +
      append(
        `Subject: third\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 and a soft=\n ware break\n--b\nContent-Type: application/x-thing\n\nhidden needle\n--b\nContent-Type: message/rfc822\n\nSubject: innermost\n\ninner body\n--b--\n`,
      ) +
      SELECT +
      '\n' +
      found('ALL', '1 2 3') +
      found('SEEN', '1') +
      found('UNSEEN', '2 3') +
      found('RECENT', '1 2 3') +
      found('OLD', '') +
      found('NEW', '2 3') +
      found('FLAGGED UNSEEN', '2') +
      found('KEYWORD KW', '1') +
      found('UNKEYWORD kw', '2 3') +
      found('KEYWORD none', '') +
      found('OR SEEN FLAGGED', '1 2') +
      found('NOT OR SEEN FLAGGED', '3') +
      found('(SEEN) (KEYWORD kw)', '1') +
      found('2:*', '2 3') +
      found('1:2 NOT 1', '2') +
      found('UID 3:99', '3') +
      found('99', '') +
      found('FROM anna', '1') +
      found('FROM "ANNA <"', '1') +
      found('TO one.org', '2') +
      found('SUBJECT gruße', '') +
      found('CHARSET utf-8 SUBJECT {7+}\\r\\ngr\xc3\xbc\xc3\x9fe', '1') +
      found('HEADER x-own SECRET', '2') +
      found('HEADER x-own ""', '2') +
      found('HEADER x-own other', '') +
      found('BODY "hello   WORLD"', '1') +
      found('CHARSET utf-8 BODY {6+}\\r\\n\xc3\xa4pfel', '2') +
      found('BODY "software"', '') +
      found('BODY "soft ware"', '3') +
      found('BODY cafe', '3') +
      found('BODY needle', '') +
      found('BODY innermost', '3') +
      found('TEXT third', '3') +
      found('BODY third', '') +
      found('TEXT world', '1') +
      found('NOT TEXT world', '2 3') +
      found('SINCE 4-Feb-2020', '2 3') +
      found('BEFORE 4-Feb-2020', '1') +
      found('ON 4-Feb-2020', '2') +
      found('SENTON 1-Feb-2020', '1') +
      found('SENTBEFORE "2-Feb-2020"', '1') +
      found('LARGER 200', '3') +
      found('SMALLER 200', '1 2') +
      found('YOUNGER 1000', '3') +
      found('OLDER 1000', '1 2') +
      `A> 1 UID SEARCH SEEN
       A< * SEARCH 1
       A< 1 OK Completed (1 msgs)
       A> 2 SEARCH CHARSET x-none ALL
       A< 2 NO [BADCHARSET] Unrecognized character set x-none
       A> 3 SEARCH FOO
       A< 3 BAD Invalid Search criteria at column …: FOO at column … is none
       A> 4 SEARCH (ALL
       A< 4 BAD Missing required close paren in Search command at column …
       A> 5 SEARCH SINCE x
       A< 5 BAD Invalid date in Search command at column …: a date is like 1-Feb-1994`,
  )
})

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

t.test('SEARCH in large texts finds what lies across its slices', async (t) => {
  const { conversation, server } = await fixture(t)
  const { appendMessages } = await import('../../lib/mailbox/messages.js')
  const header = server.store.mailbox('user.alice')!
  const filler = 'Zeile mit Umläuten und noch mehr Text\r\n'
  const text = `${filler.repeat(9000)}the needle\r\n in the hay${filler.repeat(3000)}`
  const wrapped = (
    Buffer.from(text)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  ).join('\r\n')
  const quoted = text.replace(/[äöü]/g, (char) =>
    [...Buffer.from(char)].map((byte) => `=${byte.toString(16).toUpperCase()}`).join(''),
  )
  for (const [encoding, body] of [
    ['8bit', text],
    ['base64', wrapped],
    ['quoted-printable', quoted.replaceAll('the needle', 'the nee=\r\ndle')],
  ]) {
    const message = `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`
    const staged = await server.store.stageBuffer(header.partition, Buffer.from(message))
    await appendMessages(server.store, header, [{ staged, flags: 0, keywords: [] }])
    server.store.unstage(staged)
  }
  await conversation.play(`${LOGIN}${SELECT}
    A> 1 SEARCH BODY "needle in the hay"
    A< * SEARCH 1 2 3
    A< 1 OK Completed (3 msgs)
    A> 2 SEARCH CHARSET utf-8 BODY {18+}\\r\\numlauten und nochx
    A< * SEARCH
    A< 2 OK Completed (0 msgs)
    A> 3 SEARCH BODY "text zeile mit umlauten"
    A< * SEARCH 1 2 3
    A< 3 OK Completed (3 msgs)
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
