/** APPEND where no staging file can be made: the message is refused, and not a byte of it is taken for a command. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

t.test('APPEND on a full disk', async (t) => {
  const { server, conversation } = await fixture(t)
  const { store } = server
  const stage = store.stage.bind(store)
  await conversation.play(LOGIN)
  store.stage = () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, open'), { code: 'ENOSPC' })
  }
  await conversation.play(`
    A> 1 APPEND INBOX {25+}\\r\\nS: x\\r\\n\\r\\n2 DELETE INBOX\\r\\n.
    A< 1 NO …
    A> 3 APPEND INBOX {25}
    A< 3 NO …`)
  store.stage = stage
  await conversation.play(`
    A> 4 APPEND INBOX {25+}\\r\\nS: x\\r\\n\\r\\n2 DELETE INBOX\\r\\n.
    A< 4 OK [APPENDUID … 1] Completed`)
  server.errors.length = 0
})
