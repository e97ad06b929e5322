/** Logging in and what does not need a mailbox; bad commands; limits; shutting down. */
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

t.test('before login', async (t) => {
  const { conversation } = await fixture(t)
  const plain = Buffer.from('\0alice\0testpw').toString('base64')
  const wrong = Buffer.from('\0alice\0wrong').toString('base64')
  await conversation.play(`
    A> 1 CAPABILITY
    A< * CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE …AUTH=PLAIN AUTH=LOGIN SASL-IR …
    A< 1 OK Completed
    A> 2 NOOP
    A< 2 OK Completed
    A> 3 SELECT INBOX
    A< 3 BAD Please login first
    A> 4 XYZZY
    A< 4 BAD Please login first
    A> 5 LOGIN alice wrong
    A< 5 NO [AUTHENTICATIONFAILED] Login failed: authentication failure
    A> 6 LOGIN alice
    A< 6 BAD Missing required argument to Login at column …
    A> 7 AUTHENTICATE XYZZY
    A< 7 NO [CANNOT] no mechanism available
    A> 8 AUTHENTICATE PLAIN ${wrong}
    A< 8 NO [AUTHENTICATIONFAILED] authentication failure
    A> 9 AUTHENTICATE PLAIN
    A< + 
    A> *
    A< 9 BAD Authentication cancelled by the client
    A> 10 AUTHENTICATE PLAIN !!!!
    A< 10 BAD Invalid base64 string
    A> 11 STARTTLS
    A< 11 BAD Unrecognized command
    A> 12 ID ("name" "test" "version" NIL)
    A< * ID ("name" "cyrus-ts" "version" "…")
    A< 12 OK Completed
    A> 13 LOGIN {5}
    A< + go ahead
    A> alice {6+}\\r\\ntestpw
    A< 13 OK [CAPABILITY …] User logged in SESSIONID=<…>
    A> 14 LOGIN alice testpw
    A< 14 BAD Already logged in
    A> 15 LOGOUT
    A< * BYE LOGOUT received
    A< 15 OK Completed
    A< EOF
    B> 1 AUTHENTICATE PLAIN
    B< + 
    B> ${plain}
    B< 1 OK [CAPABILITY …] Success (no protection) SESSIONID=<…>
    C> 1 AUTHENTICATE PLAIN ${plain}
    C< 1 OK [CAPABILITY …] Success (no protection) SESSIONID=<…>
    C> 2 NAMESPACE
    C< * NAMESPACE (("INBOX." ".")) (("user." ".")) (("" "."))
    C< 2 OK Completed
    C> 3 ENABLE CONDSTORE X-FOO
    C< * ENABLED CONDSTORE
    C< 3 OK Completed
  `)
})

t.test('commands that are none', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 
    A< * BAD Invalid tag
    A> a
    A< * BAD Invalid tag
    A> a  NOOP
    A< a BAD Null command
    A> a b c
    A< a BAD Unrecognized command
    A> a NOOP x
    A< a BAD Unexpected extra arguments to Noop at column …
    A> a UID
    A< a BAD Missing required argument to Uid
    A> a UID NOOP
    A< a BAD Unrecognized UID subcommand
    A> a FETCH 1 FLAGS
    A< a BAD Please select a mailbox first
    A> a SELECT {200000}
    A< a BAD [TOOBIG] Literal of 200000 bytes is too large
    A> a SELECT {3+}\\r\\nfoo bar
    A< a BAD Invalid modifier list in Select at column …
    A> a NOOP
    A< a OK Completed
  `)
})

t.test('a non-synchronizing literal too large is read past', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(LOGIN)
  const { socket } = await conversation.client('A')
  socket.write(`a SELECT {300000+}\r\n${'b LOGOUT\r\n'.repeat(30_000)}\r\nc NOOP\r\n`)
  await conversation.play(`
    A< a BAD [TOOBIG] Literal of 300000 bytes is too large
    A< c OK Completed
  `)
})

t.test('an endless line ends the connection, and only that', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`B> 1 NOOP
    B< 1 OK Completed`)
  const { socket } = await conversation.client('A')
  for (let i = 0; i < 20; i += 1) socket.write('x'.repeat(10_000))
  socket.write('\r\n')
  await conversation.play(`
    A< * BYE [TOOBIG] Command line longer than 65536 bytes
    A< EOF
    B> 2 NOOP
    B< 2 OK Completed
  `)
})

t.test('a hundred bad commands before login are enough', async (t) => {
  const { conversation } = await fixture(t)
  const { socket } = await conversation.client('A')
  socket.write('GET / HTTP/1.1\r\n'.repeat(200))
  await conversation.play(`${'A< GET BAD Please login first\n'.repeat(101)}
    A< * BYE Too many bad commands
    A< EOF`)
})

t.test('commands sent in one packet are answered in order, also after the client has ended its side', async (t) => {
  const { server } = await fixture(t)
  const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end('1 LOGIN alice testpw\r\n2 SELECT INBOX\r\n3 STATUS INBOX (MESSAGES)\r\n4 LOGOUT\r\n')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'end')
  const tagged = text.split('\r\n').filter((line) => /^\d/.test(line))
  t.match(tagged, [/^1 OK/, /^2 OK \[READ-WRITE\]/, /^3 OK/, /^4 OK/])
})

t.test('compression', async (t) => {
  const { server } = await fixture(t)
  const { Connection } = await import('../../lib/net/connection.js')
  const socket = net.connect({ port: server.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const client = new Connection(socket)
  const until = async (tag: string) => {
    for (;;) {
      const line = (await client.readLine())?.toString()
      if (line === undefined || line.startsWith(tag)) return line
    }
  }
  client.write('1 LOGIN alice testpw\r\n2 COMPRESS GZIP\r\n3 COMPRESS DEFLATE\r\n')
  t.match(await until('1'), /COMPRESS=DEFLATE/)
  t.match(await until('2'), /^2 NO/)
  t.equal(await until('3'), '3 OK DEFLATE active')
  client.startDeflate()
  client.write('4 COMPRESS DEFLATE\r\n5 CAPABILITY\r\n')
  t.equal(await until('4'), '4 NO [COMPRESSIONACTIVE] DEFLATE active')
  t.notMatch(await until('* CAPABILITY'), /COMPRESS/)
  t.equal(await until('5'), '5 OK Completed')
  client.close()
})

t.test('shutting down: the idle are told at once', async (t) => {
  const { conversation, server } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 SELECT INBOX
    A< * 0 EXISTS
    A< * 0 RECENT
    A< * FLAGS (…)
    A< * OK [PERMANENTFLAGS …
    A< * OK [UIDVALIDITY …
    A< * OK [UIDNEXT 1] Ok
    A~ 1 OK [READ-WRITE] Completed
    A> 2 IDLE
    A< + idling
    B> 1 NOOP
    B< 1 OK Completed`)
  server.stop()
  await conversation.play(`
    A< * BYE Server shutting down
    A< EOF
    B< * BYE Server shutting down
    B< EOF`)
})
