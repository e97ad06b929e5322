/**
 * What clients said to Cyrus 2.3.8, said again to our server in the same order: every answer is the captured one, byte for byte, but for
 * those that history.ts lists with a reason.
 */
import t from 'tap'
import { passwordStore } from '../../../lib/sasl/check_password.js'
import { startCramMd5, startDigestMd5 } from '../../../lib/sasl/client_md5.js'
import { type Fixture, startServer } from '../server_fixture.js'
import { captureNames, conversations, DIFFERENCES, GAPS, numberOf, ORDER } from './history.js'
import { Player } from './player.js'

const CONFIG = 'sync_protocol: 2.3\nsasl_mech_list: DIGEST-MD5 CRAM-MD5 PLAIN\nallowplaintext: no\n'

async function prepared(): Promise<Fixture> {
  const server = await startServer(CONFIG)
  const passwords = passwordStore(server.config)
  await passwords.set('repl@b.example.org', 'replpw', { md5: true })
  await passwords.set('user1@b.example.org', 'user1pw', { md5: true })
  return server
}

const credentials = (user: string) => ({
  user,
  password: `${user}pw`,
  realm: undefined,
  service: 'csync',
  host: '127.0.0.1',
})

async function login(server: Fixture): Promise<Player> {
  const player = await Player.connect(server.port)
  await player.until(/^\* OK [^\n]*\n/m)
  player.say('AUTHENTICATE CRAM-MD5\r\n')
  const challenge = Buffer.from((await player.until(/^\+ [^\n]*\n/m)).slice(2), 'base64')
  const answer = await startCramMd5(credentials('repl')).step(challenge)
  await player.ask(`${answer.toString('base64')}\r\n`)
  return player
}

t.test('captures are all in the history', async (t) => {
  const known = new Set([...ORDER, '00', '33b'])
  t.same(
    captureNames().filter((name) => !known.has(numberOf(name))),
    [],
  )
  t.equal(captureNames().length, 54)
})

t.test('the history of the captures', async (t) => {
  const server = await prepared()
  t.teardown(() => server.close())
  for (const number of [...ORDER, '33b']) {
    if (GAPS[number] !== undefined) {
      const gap = await login(server)
      for (const command of GAPS[number])
        t.match(await gap.ask(`${command}\r\n`), /^OK/, `before ${number}: ${command.slice(0, 60)}`)
      gap.close()
    }
    const differences = [...(DIFFERENCES[number] ?? [])]
    const used = new Set<unknown>()
    for (const runs of conversations(number)) {
      // greeting and authentication are looked at below
      const from = number === '01' ? runs.findIndex(({ text }) => text === 'LOCK\r\n') : 0
      const player = await login(server)
      let command = ''
      for (const { side, text } of number === '01' ? afterLogin(runs) : runs.slice(from)) {
        if (side === 'client') {
          command = text
          player.say(text)
          continue
        }
        const difference = differences.find((each) => command.startsWith(each.command))
        if (difference !== undefined) used.add(difference)
        const wanted = difference?.ours(text) ?? text
        t.equal(await player.take(wanted.length), wanted, `${number}: ${command.slice(0, 60)}`)
      }
      // in 33b the captured server dies without a word
      if (number === '33b' && command.startsWith('SETFLAGS')) {
        const difference = differences.find((each) => command.startsWith(each.command))!
        used.add(difference)
        t.equal(await player.take(difference.ours('').length), difference.ours(''), '33b: SETFLAGS')
      }
      t.equal(player.rest, '', `${number}: nothing else`)
      player.close()
    }
    t.equal(used.size, differences.length, `${number}: every difference that is listed is there`)
  }
  t.same(
    server.logged.filter((line) => line.startsWith('UNCAUGHT')),
    [],
  )
})

/** The captured client's run holds the end of its login and LOCK. */
function afterLogin(runs: ReturnType<typeof conversations>[number]) {
  const at = runs.findIndex(({ side, text }) => side === 'client' && text.startsWith('LOCK'))
  return runs.slice(at)
}

t.test('01: DIGEST-MD5, whose success is told before the last empty line', async (t) => {
  const server = await prepared()
  t.teardown(() => server.close())
  const player = await Player.connect(server.port)
  const greeting = '* SASL DIGEST-MD5 CRAM-MD5\r\n* OK b.example.org Cyrus sync server v2.3.8\r\n'
  t.equal(await player.take(greeting.length), greeting)
  const client = startDigestMd5(credentials('repl'))
  player.say('AUTHENTICATE DIGEST-MD5\r\n')
  for (const _ of [1, 2]) {
    const challenge = (await player.until(/^\+ [^\n]*\n/m)).slice(2).trim()
    player.say(`${(await client.step(Buffer.from(challenge, 'base64'))).toString('base64')}\r\n`)
  }
  t.equal(await player.until(/^[^\n]*\n/), 'OK Success (no protection)\r\n')
  t.ok(client.complete)
  player.close()
})

t.test('00: before and without login', async (t) => {
  const server = await prepared()
  t.teardown(() => server.close())
  const player = await Player.connect(server.port)
  const [runs = []] = conversations('00')
  const passwords = ['', 'wrong', 'user1']
  let challenge: Buffer | undefined
  let command = ''
  for (const { side, text } of runs) {
    if (side === 'client') {
      command = text
      if (challenge !== undefined && text !== '*\r\n') {
        // the captured answers are to the captured challenges
        const user = passwords.shift() === 'wrong' ? 'repl' : 'user1'
        const answer = await startCramMd5({ ...credentials('user1'), user }).step(challenge)
        player.say(`${answer.toString('base64')}\r\n`)
      } else player.say(text)
      if (challenge !== undefined && text === '*\r\n') passwords.shift()
      challenge = undefined
      continue
    }
    if (text.startsWith('+ ')) {
      const line = await player.until(/^[^\n]*\n/)
      t.match(line, /^\+ [A-Za-z0-9+/]+=*\r\n$/, `00: ${command.trim()}`)
      challenge = Buffer.from(line.slice(2), 'base64')
      continue
    }
    const difference = DIFFERENCES['00']!.find((each) => command.startsWith(each.command))
    const wanted = (difference?.ours(text) ?? text).replace('replica.example.com', 'b.example.org')
    t.equal(await player.take(wanted.length), wanted, `00: ${command.trim()}`)
  }
  player.close()
})
