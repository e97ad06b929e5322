/** APPEND, MULTIAPPEND (RFC 3502), CATENATE (RFC 4469), binary APPEND (RFC 3516), REPLACE (RFC 8508). */
import t from 'tap'
import { fixture, HI, LOGIN } from './fixture.js'

const lit = (text: string): string =>
  `{${text.replaceAll('\\r\\n', 'xx').replaceAll('\\0', '\0').length}+}\\r\\n${text}`

const ONE = lit('Subject: one\\r\\n\\r\\nfirst\\r\\n')
const TWO = lit('Subject: two\\r\\n\\r\\nsecond\\r\\n')

const SELECT = `
  A> s SELECT INBOX
  A~ s OK [READ-WRITE] Completed`

t.test('MULTIAPPEND: all of them or none', async (t) => {
  const { conversation, server } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> A003 APPEND INBOX (\\Seen) "01-Jan-2020 10:00:00 +0000" ${ONE} (\\Flagged kw) ${TWO} {14}
    A< + go ahead
    A> Subject: x\\r\\n\\r\\n
    A< A003 OK [APPENDUID … 1:3] Completed
    A> A004 APPEND INBOX ${ONE} ${lit('bare\\r\\n\\r\\n')} ${TWO}
    A< A004 NO Message contains invalid header
    A> A005 APPEND INBOX ${ONE} {0+}\\r\\n
    A< A005 NO Zero-length message literal
    A> A006 APPEND INBOX ${ONE} (\\Foo) ${TWO} ${TWO}
    A< A006 BAD Invalid flag in Append command…
    A> A007 APPEND INBOX ${ONE} nonsense
    A< A007 BAD …
    A> A008 APPEND INBOX.none ${ONE} ${TWO}
    A< A008 NO [TRYCREATE] Mailbox does not exist`)
  await conversation.play(`
    B> 1 LOGIN alice testpw
    B< 1 OK …
    B> 2 SELECT INBOX
    B~ 2 OK …
    B> 3 FETCH 1:* (FLAGS INTERNALDATE BODY.PEEK[TEXT])
    B< * 1 FETCH (FLAGS (\\Recent \\Seen) INTERNALDATE " 1-Jan-2020 10:00:00 +0000" BODY[TEXT] {7}\\r\\nfirst\\r\\n)
    B< * 2 FETCH (FLAGS (\\Recent \\Flagged kw) INTERNALDATE "…" BODY[TEXT] {8}\\r\\nsecond\\r\\n)
    B< * 3 FETCH (FLAGS (\\Recent) INTERNALDATE "…" BODY[TEXT] "")
    B< 3 OK …`)
  t.equal(server.store.mailbox('user.alice')!.lastUid, 3)
})

t.test('CATENATE: text and parts of messages that are there', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX ${ONE}
    A< 1 OK …
    A> 2 APPEND INBOX ${TWO}
    A< 2 OK …
    A> 3 APPEND INBOX (\\Seen) CATENATE (URL "/INBOX/;UID=1/;SECTION=HEADER" TEXT ${lit('between\\r\\n')} URL "/INBOX/;UID=2/;SECTION=TEXT") ${ONE}
    A< 3 OK [APPENDUID … 3:4] Completed${SELECT}
    A> 4 FETCH 3 (FLAGS BODY.PEEK[])
    A< * 3 FETCH (FLAGS (\\Recent \\Seen) BODY[] {33}\\r\\nSubject: one\\r\\n\\r\\nbetween\\r\\nsecond\\r\\n)
    A< 4 OK …
    A> 5 APPEND INBOX CATENATE (URL ";UID=1/;PARTIAL=0.9" URL {12+}\\r\\n/INBOX;UID=3 TEXT {4+}\\r\\n\\r\\n\\r\\n)
    A< 5 NO [BADURL "/INBOX;UID=3"] Improperly specified URL
    A> 6 APPEND INBOX CATENATE (URL ";UID=1/;PARTIAL=0.9" TEXT {7+}\\r\\nthree\\r\\n TEXT {2}
    A< + go ahead
    A> \\r\\n URL {37}
    A< + go ahead
    A> /INBOX/;UID=1/;SECTION=TEXT;PARTIAL=1)
    A< 6 NO [BADURL "/INBOX/;UID=1/;SECTION=TEXT;PARTIAL=1"] Improperly specified URL
    A> 7 APPEND INBOX CATENATE (URL "/INBOX/;UID=9" TEXT ${ONE})
    A< 7 NO [BADURL "/INBOX/;UID=9"] No such message in mailbox
    A> 8 APPEND INBOX CATENATE (URL "/INBOX;UIDVALIDITY=1/;UID=1")
    A< 8 NO [BADURL "/INBOX;UIDVALIDITY=1/;UID=1"] Uidvalidity of mailbox has changed
    A> 9 APPEND INBOX CATENATE (URL "/user.bob/;UID=1")
    A< 9 NO [BADURL "/user.bob/;UID=1"] Mailbox does not exist
    A> 10 APPEND INBOX CATENATE (URL "/INBOX/;UID=1/;SECTION=7")
    A< 10 NO [BADURL "/INBOX/;UID=1/;SECTION=7"] No such message part
    A> 11 APPEND INBOX CATENATE ()
    A< 11 BAD Missing message part data in Append command…
    A> 12 APPEND INBOX CATENATE (TEXT "x")
    A< 12 BAD …
    A> 13 STATUS INBOX (MESSAGES)
    A< * STATUS INBOX (MESSAGES 4)
    A< 13 OK …`)
})

t.test('a binary message comes back as it was', async (t) => {
  const { conversation } = await fixture(t)
  const binary = 'Content-Type: image/x\\r\\nContent-Transfer-Encoding: binary\\r\\n\\r\\na\0b'
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX ~${lit(binary)}
    A< 1 OK …
    A> 2 APPEND INBOX ${lit(binary)}
    A< 2 NO Message contains NUL characters${SELECT}
    A> 3 FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1])
    A< * 1 FETCH (BINARY[1] ~{3}\\r\\na\0b BINARY.SIZE[1] 3)
    A< 3 OK …
    A> 4 FETCH 1 BODY.PEEK[TEXT]
    A< * 1 FETCH (BODY[TEXT] ~{3}\\r\\na\0b)
    A< 4 OK …`)
})

t.test('BINARY decodes what is large piece by piece', async (t) => {
  const { conversation, server } = await fixture(t)
  const bytes = Buffer.alloc(3_000_000, 'what is large is not held in memory ')
  const message = Buffer.from(
    `Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n${bytes.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n`,
  )
  await conversation.play(LOGIN)
  const { socket } = await conversation.client('A')
  socket.write(`1 APPEND INBOX {${message.length}+}\r\n`)
  socket.write(message)
  socket.write('\r\n')
  await conversation.play(`
    A< 1 OK …${SELECT}
    A> 2 FETCH 1 BINARY.SIZE[1]
    A< * 1 FETCH (BINARY.SIZE[1] ${bytes.length})
    A< 2 OK …
    A> 3 FETCH 1 BINARY.PEEK[1]<2999990.100>
    A< * 1 FETCH (BINARY[1]<2999990> {10}\\r\\n${bytes.subarray(-10).toString()})
    A< 3 OK …`)
  const [whole] = await conversation.play(`
    A> 4 FETCH 1 BINARY.PEEK[1]
    A< * 1 FETCH (BINARY[1] {${bytes.length}}\\r\\n…)
    A< 4 OK …`)
  t.equal(whole, bytes.toString())
  t.same(server.errors, [])
})

t.test('REPLACE', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX (\\Seen) ${ONE}
    A< 1 OK …
    A> 2 APPEND INBOX (\\Seen) ${ONE}
    A< 2 OK …
    A> 3 CREATE INBOX.Sent
    A< 3 OK …${SELECT}
    A> R1 REPLACE 2 INBOX (\\Seen \\Draft) ${TWO}
    A< * OK [APPENDUID … 3] Replacement message ready
    A< * 2 EXPUNGE
    A< * 2 EXISTS
    A< * … RECENT
    A< R1 OK Completed
    A> R2 UID REPLACE 3 INBOX.Sent {9}
    A< + go ahead
    A> X: y\\r\\n\\r\\nz
    A< * OK [APPENDUID … 1] Replacement message ready
    A< * 2 EXPUNGE
    A< R2 OK Completed
    A> R3 UID REPLACE 3 INBOX.Sent ${ONE}
    A< R3 NO No matching message
    A> R4 REPLACE 1 INBOX.none ${ONE}
    A< R4 NO [TRYCREATE] Mailbox does not exist
    A> R5 REPLACE 1 INBOX ${ONE} ${TWO}
    A< R5 BAD …
    A> R6 REPLACE x INBOX ${ONE}
    A< R6 BAD …
    A> R8 EXAMINE INBOX
    A~ R8 OK …
    A> R9 REPLACE 1 INBOX ${ONE}
    A< R9 NO Permission denied`)
})

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
