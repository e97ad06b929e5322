/** A guest's \\Seen is kept by user: two sessions of one guest see each other's, and the owner sees none of it. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

t.test('\\Seen of a guest in another session', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 SETACL INBOX bob lrs
    A< 1 OK Completed
    A> 2 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 2 OK …
    A> 3 APPEND INBOX {14+}\\r\\nSubject: y\\r\\n\\r\\n
    A< 3 OK …`)
  for (const name of ['B', 'C']) {
    const client = await conversation.client(name)
    client.socket.write('1 LOGIN bob testpw\r\n2 SELECT user.alice\r\n')
    while (!(await client.next()).startsWith('2 OK'));
  }
  await conversation.play(`
    B> 3 STORE 2 +FLAGS.SILENT (\\Seen)
    B< 3 OK Completed
    C> 3 NOOP
    C< * 2 FETCH (FLAGS (\\Seen))
    C< 3 OK Completed
    C> 4 NOOP
    C< 4 OK Completed
    C> 5 STORE 2 -FLAGS.SILENT (\\Seen)
    C< 5 OK Completed
    B> 4 UID SEARCH UNSEEN
    B< * 2 FETCH (FLAGS (\\Recent) UID 2)
    B< * SEARCH 1 2
    B< 4 OK …
    A> 4 SELECT INBOX
    A< * 2 EXISTS`)
})
