/** Commands of very many literals, and literals nobody wants: bounded in time and memory. */
import t from 'tap'
import { fixture, LOGIN } from './fixture.js'

t.test('a command of many small literals takes time in proportion to its length', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(LOGIN)
  const started = performance.now()
  await conversation.play(`
    A> 1 SEARCH OR ${'{0+}\\r\\n'.repeat(60_000)}
    A< 1 BAD Please select a mailbox first`)
  t.ok(performance.now() - started < 20_000, 'in a fraction of what looking at all of it at each literal takes')
})

t.test('literals that are skipped are counted together', async (t) => {
  const { conversation } = await fixture(t)
  const large = 33 * 1024 * 1024
  const { socket } = await conversation.client('A')
  socket.write(`1 LOGIN {${large}+}\r\n`)
  socket.write(Buffer.alloc(large, 'x'))
  socket.write(` {${large}+}\r\n`)
  await conversation.play(`
    A< * BYE [TOOBIG] Literal too large
    A< EOF`)
})
