/**
 * SEARCH with the search index answers as SEARCH without it: random mails, some of them broken, random needles, and an index that is missing,
 * whole, half, torn, damaged, or another mailbox's. A mailbox here is too small for imapd to fill its index by itself.
 */
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { appendMessages } from '../../lib/mailbox/messages.js'
import { indexCoverage, indexMailbox } from '../../lib/mailbox/search_index.js'
import { Flag } from '../../lib/store/store.js'
import { ImapClient } from '../lab/imap_client.js'
import { sampleMessage } from '../lab/messages.js'
import { fixture } from './fixture.js'
import type { TestServer } from './server.js'

const SEED = 20260101
/** Searches in each state. */
const ASKED = 30
let state = SEED
/** A pseudo-random number below `limit`, the same in every run. */
function below(limit: number): number {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0
  return Math.floor((state / 2 ** 32) * limit)
}
const one = <T>(of: readonly T[]): T => of[below(of.length)]!

const WORDS = [
  ...[
    'meeting',
    'Report',
    'INVOICE',
    'the',
    'a',
    'x1',
    'budget',
    'Straße',
    'café',
    'naïve',
    'ΣΟΦΟΣ',
    'σοφός',
    'Привет',
  ],
  ...[
    '日本語',
    '会議',
    '한글',
    'שָׁלוֹם',
    'हिन्दी',
    '😀',
    'ﬁne',
    '½',
    '№5',
    'a\u00a0b',
    'Łódź',
    'e\u0301te',
    '--',
    '=?',
    ',',
  ],
]
const text = (words: number): string =>
  Array.from({ length: words }, () => one(WORDS) + one([' ', ' ', '\r\n', '  ', '\t', ''])).join('')
const wrapped = (base64: string): string => base64.replace(/.{76}/g, '$&\r\n')

function part(words: number): string {
  const body = Buffer.from(text(words))
  switch (below(5)) {
    case 0:
      return `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${wrapped(body.toString('base64'))}\r\n`
    case 1:
      return `Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${body.toString('latin1').replace(/[\x80-\xff=]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}${one(['', '=\r\n'])}`)}\r\n`
    case 2:
      return `Content-Type: text/plain; charset=iso-8859-1\r\n\r\n${body.toString('latin1')}\r\n`
    case 3:
      return `Content-Type: application/octet-stream; name="${one(WORDS.slice(0, 7))}.bin"\r\n\r\n${body.toString('latin1')}\r\n`
    default:
      return `Content-Description: ${text(3).replace(/\s+/g, ' ')}\r\n\r\n${body.toString('latin1')}\r\n`
  }
}

function mail(n: number): Buffer {
  if (n % 5 === 0) return sampleMessage(below(100))
  const encoded = (words: string): string => `=?utf-8?B?${Buffer.from(words).toString('base64')}?=`
  const subject = one([
    () => encoded(text(4)),
    () => text(5).replace(/\s+/g, ' '),
    () => `${encoded('Ca')} ${encoded('fé x')}`,
  ])()
  const head = `From: ${one(WORDS)} <${one(['a', 'b'])}${n}@example.com>\r\nSubject: ${subject}\r\nX-Odd: ${text(3).replace(/\s+/g, '\r\n ')}\r\n`
  const size = below(60)
  const body =
    n % 3 === 0
      ? `Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n${part(size)}\r\n--q\r\nContent-Type: message/rfc822\r\n\r\nSubject: ${text(3).replace(/\s+/g, ' ')}\r\n${part(10)}\r\n--q--\r\n`
      : part(size)
  // one that is read in several pieces
  if (n === 7) return Buffer.from(`${head}Content-Type: text/plain; charset=utf-8\r\n\r\n${text(36_000)}`)
  // what is latin1 already stands for bytes
  const bytes = Buffer.concat([Buffer.from(head), Buffer.from(body, 'latin1')])
  // broken ones
  if (n % 7 === 3)
    for (let k = below(20); k > 0; k -= 1) bytes[below(bytes.length)] = one([10, 13, 32, 45, 61, 128 + below(128)])
  return bytes
}

function program(): string {
  const key = (): string => {
    const from = one(WORDS)
    const points = [...one([from, from, `${from} ${one(WORDS)}`, one(WORDS) + one(WORDS), 'nowhere', 'zq'])]
    const start = below(points.length)
    const cut = points.slice(start, start + 1 + below(9)).join('')
    const needle = one([cut, cut.toUpperCase(), cut.toLowerCase()])
    const name = one(['TEXT', 'TEXT', 'BODY', 'BODY', 'SUBJECT', 'FROM', 'HEADER X-Odd', 'HEADER Content-Type'])
    return `${name} {${Buffer.byteLength(needle)}+}\r\n${needle}`
  }
  const keys = one([key, key, () => `NOT ${key()}`, () => `OR ${key()} ${key()}`, () => `${key()} UNSEEN ${key()}`])()
  return `SEARCH CHARSET UTF-8 ${keys}`
}

async function answer(client: ImapClient, command: string): Promise<string> {
  const { untagged } = await client.ok(command)
  return untagged.map(({ text }) => text).find((line) => line.startsWith('* SEARCH'))!
}

function indexFile(server: TestServer, name: string): string {
  const header = server.store.mailbox(name)!
  return join(dirname(server.store.messagePath(header, 1)), 'cyrus.search')
}

t.test('the same answers in every state of the index', async (t) => {
  const { server } = await fixture(t)
  const { store } = server
  const client = await ImapClient.connect(server.port)
  t.teardown(() => client.close())
  await client.ok('LOGIN alice testpw')
  const fill = async (mailbox: string, from: number, to: number): Promise<void> => {
    // what APPEND would refuse comes in by other ways
    for (let n = from; n < to; n += 1) {
      const staged = await store.stageBuffer('default', mail(n))
      await appendMessages(store, store.mailbox(mailbox)!, [{ staged, flags: n % 2 ? Flag.Seen : 0, keywords: [] }])
      store.unstage(staged)
    }
  }
  await client.ok('CREATE INBOX.other')
  await fill('user.alice.other', 0, 20)
  await indexMailbox(store, store.mailbox('user.alice.other')!)
  await fill('user.alice', 0, 30)
  await client.ok('SELECT INBOX')
  const inbox = () => store.mailbox('user.alice')!
  const file = indexFile(server, 'user.alice')
  const states: Record<string, () => Promise<unknown> | unknown> = {
    whole: () => indexMailbox(store, inbox()),
    half: () => fill('user.alice', 30, 60),
    'whole, with some expunged': async () => {
      await indexMailbox(store, inbox())
      await client.ok('STORE 3,9,20:24 +FLAGS (\\Deleted)')
      await client.ok('EXPUNGE')
    },
    torn: () => truncateSync(file, Math.floor(readFileSync(file).length * 0.6)),
    'mended, and torn again': async () => {
      await indexMailbox(store, inbox())
      writeFileSync(`${file}.new`, 'left by a writer that was killed')
      truncateSync(file, readFileSync(file).length - 10)
    },
    damaged: async () => {
      await indexMailbox(store, inbox())
      const bytes = readFileSync(file)
      for (let n = 0; n < 5; n += 1) bytes[100 + below(bytes.length - 100)]! ^= 1 << below(8)
      writeFileSync(file, bytes)
    },
    "another mailbox's": () => copyFileSync(indexFile(server, 'user.alice.other'), file),
    'of another version': async () => {
      rmSync(file)
      await indexMailbox(store, inbox())
      const bytes = readFileSync(file)
      writeFileSync(
        file,
        Buffer.concat([Buffer.from(bytes.toString('latin1', 0, 64).replace(/\d/g, '0')), bytes.subarray(64)]),
      )
    },
    'whole again': () => indexMailbox(store, inbox()),
  }
  for (const [name, reach] of Object.entries(states)) {
    await reach()
    let different = 0
    let found = 0
    for (let n = 0; n < ASKED; n += 1) {
      const command = program()
      const answered = await answer(client, command)
      const aside = existsSync(file)
      if (aside) renameSync(file, `${file}.aside`)
      const scanned = await answer(client, command)
      if (aside) renameSync(`${file}.aside`, file)
      if (/SEARCH \d/.test(scanned)) found += 1
      if (answered !== scanned && different++ === 0) t.equal(answered, scanned, `${name}, seed ${SEED}: ${command}`)
    }
    t.equal(different, 0, `${name}: the same answers`)
    t.ok(found > ASKED / 4, `${name}: ${found} of them found something`)
  }
  const index = store.index(inbox().id)!
  t.strictSame(await indexCoverage(store, index), { covered: index.visibleUids.length, missing: 0 })
})

t.test('what the index denies is not looked for in messages', async (t) => {
  const { server } = await fixture(t)
  const { store } = server
  const client = await ImapClient.connect(server.port)
  t.teardown(() => client.close())
  await client.ok('LOGIN alice testpw')
  for (let n = 0; n < 40; n += 1) await client.append('INBOX', sampleMessage(n))
  await store.settled()
  await client.ok('SELECT INBOX')
  const inbox = store.mailbox('user.alice')!
  await indexMailbox(store, inbox)
  rmSync(store.messagePath(inbox, 5))
  t.equal((await client.ok('SEARCH TEXT nowhere-to-be-found')).untagged[0]!.text, '* SEARCH')
  t.same(server.errors, [])
  rmSync(indexFile(server, 'user.alice'))
  await client.ok('SEARCH TEXT nowhere-to-be-found')
  t.match(server.errors.splice(0).join(), /message 5: file is missing/)
})

t.test('a mailbox that was searched gets its index, unless search_engine says none', async (t) => {
  for (const engine of ['squat', 'none']) {
    const { server } = await fixture(t, `search_engine: ${engine}`)
    const client = await ImapClient.connect(server.port)
    t.teardown(() => client.close())
    await client.ok('LOGIN alice testpw')
    for (let n = 0; n < 70; n += 1) await client.append('INBOX', sampleMessage(n % 8))
    await client.ok('SELECT INBOX')
    await client.ok('SEARCH TEXT nowhere-to-be-found')
    const index = server.store.index(server.store.mailbox('user.alice')!.id)!
    const until = Date.now() + (engine === 'none' ? 200 : 20_000)
    let missing = 70
    while (missing > 0 && Date.now() < until) {
      await client.ok('NOOP')
      missing = (await indexCoverage(server.store, index)).missing
    }
    t.equal(missing, engine === 'none' ? 70 : 0, engine)
  }
})
