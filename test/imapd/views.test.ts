/**
 * Three sessions change one mailbox at the same time, at random; each keeps its view from untagged responses alone, as a mail
 * program does. In the end every view is what a fresh SELECT shows, and no message was \Recent for two of them.
 */
import t from 'tap'
import { ImapClient } from '../lab/imap_client.js'
import { fixture } from './fixture.js'

interface Message {
  uid: number | undefined
  flags: Set<string> | undefined
}

/** What a mail program knows of the selected mailbox. */
class View {
  messages: Message[] = []
  readonly recent = new Set<number>()
  readonly problems: string[] = []

  take(text: string): void {
    const exists = /^\* (\d+) EXISTS$/.exec(text)
    const expunge = /^\* (\d+) EXPUNGE$/.exec(text)
    const fetch = /^\* (\d+) FETCH \((.*)\)$/s.exec(text)
    if (exists) {
      if (Number(exists[1]) < this.messages.length)
        this.problems.push(`${text}, though ${this.messages.length} are known`)
      while (this.messages.length < Number(exists[1])) this.messages.push({ uid: undefined, flags: undefined })
    } else if (expunge) {
      if (Number(expunge[1]) > this.messages.length)
        this.problems.push(`${text}, though ${this.messages.length} are known`)
      this.messages.splice(Number(expunge[1]) - 1, 1)
    } else if (fetch) {
      const message = this.messages[Number(fetch[1]) - 1]
      if (!message) {
        this.problems.push(`${text}, though ${this.messages.length} are known`)
        return
      }
      const uid = /UID (\d+)/.exec(fetch[2]!)
      if (uid && message.uid !== undefined && message.uid !== Number(uid[1]))
        this.problems.push(`${text}, though it is UID ${message.uid}`)
      if (uid) message.uid = Number(uid[1])
      const flags = /FLAGS \(([^)]*)\)/.exec(fetch[2]!)
      if (flags) message.flags = new Set(flags[1]!.split(' ').filter((flag) => flag !== ''))
      if (message.uid !== undefined && message.flags?.has('\\Recent')) this.recent.add(message.uid)
    }
  }

  get text(): string[] {
    return this.messages.map(
      ({ uid, flags }) =>
        `${uid} ${[...(flags ?? ['?'])]
          .filter((flag) => flag !== '\\Recent')
          .sort()
          .join(' ')}`,
    )
  }
}

const FLAGS = ['\\Seen', '\\Flagged', '\\Answered', 'kw']

function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
}

class Actor {
  readonly view = new View()

  constructor(
    readonly client: ImapClient,
    readonly random: (below: number) => number,
  ) {}

  async command(text: string): Promise<string> {
    const tag = this.client.send(text)
    return this.#answer(tag)
  }

  async #answer(tag: string): Promise<string> {
    for (;;) {
      const response = (await this.client.response()).toString('latin1')
      if (response.startsWith(`${tag} `)) return response.slice(tag.length + 1)
      this.view.take(response)
    }
  }

  /** Asks for what it does not know of messages. */
  async learn(): Promise<void> {
    const first = this.view.messages.findIndex(({ uid, flags }) => uid === undefined || flags === undefined)
    if (first >= 0) await this.command(`FETCH ${first + 1}:* (UID FLAGS)`)
  }

  async act(): Promise<void> {
    const { random, view } = this
    await this.learn()
    const count = view.messages.length
    const kind = random(12)
    if (kind < 2 || count === 0) {
      await this.command('APPEND INBOX (\\Flagged) {14+}\r\nSubject: x\r\n\r\n')
    } else if (kind < 4) {
      const sequence = 1 + random(count)
      await this.command(
        `STORE ${sequence}:${Math.min(count, sequence + 2)} ${'+-'[random(2)]}FLAGS (${FLAGS[random(4)]})`,
      )
    } else if (kind < 6) {
      await this.#silently()
    } else if (kind < 7) {
      const message = view.messages[random(count)]!
      if (message.uid !== undefined) await this.command(`UID STORE ${message.uid} +FLAGS (${FLAGS[random(4)]})`)
    } else if (kind < 8) {
      await this.command(`STORE ${1 + random(count)} +FLAGS (\\Deleted)`)
    } else if (kind < 9) {
      await this.command('EXPUNGE')
    } else if (kind < 10) {
      await this.command(`FETCH ${1 + random(count)} (UID FLAGS BODY[HEADER])`)
    } else if (kind < 11) {
      await this.command(random(2) === 0 ? 'NOOP' : 'UID SEARCH ALL')
    } else {
      await this.#idle()
    }
  }

  /** STORE.SILENT: the client notes the change itself. */
  async #silently(): Promise<void> {
    const { random, view } = this
    const message = view.messages[random(view.messages.length)]!
    const sequence = view.messages.indexOf(message) + 1
    const flag = FLAGS[random(4)]!
    const sign = '+-'[random(2)]!
    if (!message.flags) return
    if (sign === '+') message.flags.add(flag)
    else message.flags.delete(flag)
    await this.command(`STORE ${sequence} ${sign}FLAGS.SILENT (${flag})`)
  }

  /** Until something is told, or at once. */
  async #idle(): Promise<void> {
    const tag = this.client.send('IDLE')
    while ((await this.client.response())[0] !== 0x2b);
    this.client.sendLine('DONE')
    await this.#answer(tag)
  }
}

for (const seed of [1, 20, 300]) {
  t.test(`random changes, seed ${seed}`, async (t) => {
    const { server } = await fixture(t)
    const actors = await Promise.all(
      [0, 1, 2].map(async (n) => new Actor(await ImapClient.connect(server.port), randomFrom(seed * 7919 + n))),
    )
    t.teardown(() => {
      for (const { client } of actors) client.close()
    })
    for (const actor of actors) {
      await actor.command('LOGIN alice testpw')
      await actor.command('SELECT INBOX')
    }
    await Promise.all(
      actors.map(async (actor) => {
        for (let round = 0; round < 120; round += 1) await actor.act()
      }),
    )
    for (const actor of actors) {
      await actor.command('NOOP')
      await actor.learn()
    }
    const fresh = new Actor(await ImapClient.connect(server.port), randomFrom(1))
    await fresh.command('LOGIN alice testpw')
    await fresh.command('SELECT INBOX')
    await fresh.command('FETCH 1:* (UID FLAGS)')
    t.ok(fresh.view.messages.length > 0, 'something is left')
    for (const [n, { view }] of actors.entries()) {
      t.strictSame(view.problems, [], `session ${n}: nothing impossible was told`)
      t.strictSame(view.text, fresh.view.text, `session ${n}: its view is the mailbox`)
    }
    const claimed = actors.flatMap(({ view }) => [...view.recent])
    t.equal(new Set(claimed).size, claimed.length, 'no message is \\Recent for two sessions')
    t.equal(fresh.view.recent.size, 0, 'nothing is left to be \\Recent')
    fresh.client.close()
  })
}

t.test('STORE.SILENT: what is told of a message last is how it is after the change', async (t) => {
  const { server } = await fixture(t)
  const actors = await Promise.all(
    [0, 1].map(async (n) => new Actor(await ImapClient.connect(server.port), randomFrom(n))),
  )
  t.teardown(() => {
    for (const { client } of actors) client.close()
  })
  const [one, other] = actors as [Actor, Actor]
  await one.command('LOGIN alice testpw')
  await one.command('SELECT INBOX')
  await one.command('APPEND INBOX {14+}\r\nSubject: x\r\n\r\n')
  await other.command('LOGIN alice testpw')
  await other.command('SELECT INBOX')
  await one.command('STORE 1 +FLAGS (\\Flagged kw)')
  await one.learn()
  await other.command('STORE 1 -FLAGS (kw)')
  // the other's change is told in the same command, from before ours, which undoes it
  await one.command('STORE 1 +FLAGS.SILENT (kw)')
  t.match(one.view.text[0], /\\Flagged kw$/)
  t.equal(one.view.messages.length, 1)
})
