/**
 * Whatever a peer of 2.3 sends, our server answers or ends that session, keeps its memory, and serves the next one: commands of the captures with
 * bytes changed, cut, repeated, and lines of nonsense.
 */
import t from 'tap'
import { startServer } from '../server_fixture.js'
import { conversations, ORDER } from './history.js'
import { Player } from './player.js'

const ROUNDS = 250

t.test('damaged commands', async (t) => {
  const server = await startServer('sync_protocol: 2.3\n')
  t.teardown(() => {
    Player.closeAll()
    return server.close()
  })
  let state = Number(process.env.SEED ?? 4)
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
  const commands = ORDER.filter((number) => number !== '38' && number !== '01')
    .flatMap((number) => conversations(number).flat())
    .flatMap(({ side, text }) => (side === 'client' && text.length < 5000 ? [text] : []))
  const damage = (text: string): string => {
    const at = random(text.length)
    switch (random(6)) {
      case 0:
        return text.slice(0, at)
      case 1:
        return text.slice(0, at) + String.fromCharCode(random(256)) + text.slice(at + 1)
      case 2:
        return text.slice(0, at) + text.slice(random(text.length))
      case 3:
        return text.replace(/\d+/, String(2 ** random(70)))
      case 4:
        return text.replace(/\{\d+\+?\}/, `{${random(2) ? 99999999999 : 107374183}+}`)
      default:
        return text
    }
  }
  const login = async (): Promise<Player> => {
    const player = await Player.connect(server.port)
    await player.until(/^\* OK [^\n]*\n/m)
    await player.ask(`AUTHENTICATE PLAIN ${Buffer.from('\0repl\0replpw').toString('base64')}\r\n`)
    return player
  }
  const before = process.memoryUsage().rss
  for (let round = 0; round < ROUNDS; round++) {
    const player = await login()
    for (let n = 0; n <= random(5); n++) player.say(damage(commands[random(commands.length)]!))
    player.socket.end()
    // it answers what it can, and ends
    while ((await player.take(65536)) !== '');
    t.ok(player.ended)
    player.close()
  }
  const next = await login()
  t.equal(await next.ask('NOOP\r\n'), 'OK Noop completed\r\n')
  t.equal(await next.ask('LOCK\r\n'), 'OK Locked\r\n', 'no session has kept the lock')
  t.same(
    server.logged.filter((line) => /UNCAUGHT|TypeError|RangeError|ReferenceError/.test(line)),
    [],
  )
  t.ok(process.memoryUsage().rss - before < 200e6, 'memory is bounded')
})
