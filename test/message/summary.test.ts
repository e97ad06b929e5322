/** ENVELOPE, BODY, BODYSTRUCTURE and sections against what Cyrus 3.6.1 answered (cyrus_answers.json), and hostile input. */
import fs from 'node:fs'
import t from 'tap'
import { guidOf, MessageCache, summarize } from '../../lib/message/summary.js'

interface Answer {
  message: string
  envelope: string
  body: string
  bodystructure: string
  sections?: Record<string, string | null>
}

const file = new URL('../../../test/message/cyrus_answers.json', import.meta.url)
const answers = JSON.parse(fs.readFileSync(file, 'utf8')) as Answer[]

function ourSection(cache: MessageCache, message: Buffer, spec: string): string | null {
  const [, numbers, item] = /^([\d.]*?)\.?(MIME|HEADER|TEXT|)$/.exec(spec)!
  const path = numbers ? numbers.split('.').map(Number) : []
  const part = cache.part(path)
  const whole = path.length === 0 ? part : part?.message
  const cut = (start: number, size: number) => message.toString('latin1', start, start + size)
  if (!part) return null
  if (item === 'MIME') return cut(part.headerStart, part.headerSize)
  if (item === '') return cut(part.bodyStart, part.bodySize)
  if (!whole) return null
  return item === 'TEXT' ? cut(whole.bodyStart, whole.bodySize) : cut(whole.headerStart, whole.headerSize)
}

t.test('answers equal those of Cyrus 3.6.1', (t) => {
  for (const answer of answers) {
    const message = Buffer.from(answer.message, 'latin1')
    const cache = new MessageCache(summarize(message).cache)
    const name = JSON.stringify(answer.message.slice(0, 100))
    t.equal(cache.envelope.toString('latin1'), answer.envelope, `ENVELOPE ${name}`)
    t.equal(cache.body.toString('latin1'), answer.body, `BODY ${name}`)
    t.equal(cache.bodystructure.toString('latin1'), answer.bodystructure, `BODYSTRUCTURE ${name}`)
    for (const [spec, want] of Object.entries(answer.sections ?? {})) {
      t.equal(ourSection(cache, message, spec), want, `BODY[${spec}] ${name}`)
    }
  }
  t.end()
})

t.test('header fields from the cache', (t) => {
  const text =
    'Received: by x\r\nFrom: a@b\r\nX-Own: 1\r\nSubject: folded\r\n\tline\r\nfrom: second@b\r\nX-Mailer: m\r\n\r\nFrom: body'
  const cache = new MessageCache(summarize(Buffer.from(text)).cache)
  const asked = (...names: string[]) => cache.headers(new Set(names))?.toString()
  t.equal(asked('from', 'subject'), 'From: a@b\r\nSubject: folded\r\n\tline\r\nfrom: second@b\r\n', 'in their order')
  t.equal(cache.header('SUBJECT')?.toString(), 'Subject: folded\r\n\tline\r\n')
  t.equal(asked('x-mailer'), 'X-Mailer: m\r\n')
  t.equal(asked('list-id'), '', 'a field that would be there if the message had it')
  t.equal(asked('received'), undefined, 'a field never kept')
  t.equal(asked('from', 'x-own'), undefined, 'one of them not kept')
  const huge = new MessageCache(summarize(Buffer.from(`Subject: ${'x'.repeat(20_000)}\r\n\r\n`)).cache)
  t.equal(huge.header('subject'), undefined, 'too much to keep')
  t.end()
})

t.test('sentdate, header size, GUID', (t) => {
  const day = new Date(2006, 0, 2).getTime() / 1000
  for (const [date, want] of [
    ['Mon, 2 Jan 2006 23:59:59 -1200', day],
    ['2 jan 06', day],
    ['02-Jan-2006 x', day],
    ['Mon 2 Jan 2006', 0],
    ['2 Foo 2006', 0],
    ['2 Jan 2006x', 0],
    ['', 0],
  ] as const) {
    t.equal(summarize(Buffer.from(`Date: ${date}\r\n\r\n`)).sentdate, want, date)
  }
  t.equal(summarize(Buffer.from('A: b\r\n\r\nbody')).headerSize, 8)
  t.equal(summarize(Buffer.from('')).headerSize, 0)
  t.equal(guidOf(Buffer.from('abc')), 'a9993e364706816aba3e25717850c26c9cd0d89d')
  t.end()
})

t.test('encodings and character sets of parts', (t) => {
  const text =
    'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nplain\r\n--b\r\nContent-Type: text/html; charset=UTF-8\r\n' +
    'Content-Transfer-Encoding: Quoted-Printable\r\n\r\n=C3=B6\r\n--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b\r\n' +
    'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: x-odd\r\n\r\nSubject: in\r\n\r\ninner\r\n--b--\r\n'
  const cache = new MessageCache(summarize(Buffer.from(text)).cache)
  const brief = [...cache.parts()].map((part) => `${part.kind} ${part.encoding} ${part.charset} ${part.children}`)
  t.same(brief, [
    'multipart none  4',
    'text none us-ascii 0',
    'text quoted-printable utf-8 0',
    'other base64  0',
    'message unknown  1',
    'text none us-ascii 0',
  ])
  t.match(cache.part([4]), { kind: 'message', message: { headerSize: 15, bodySize: 5 } })
  t.match(cache.part([4, 1]), { kind: 'text', bodySize: 5 })
  t.equal(cache.part([5]), undefined)
  t.equal(cache.part([4, 2]), undefined)
  t.throws(() => new MessageCache(Buffer.from('rubbish')), RangeError)
  t.end()
})

t.test('hostile messages are answered in bounded time and space', (t) => {
  let deep = ''
  for (let i = 0; i < 3000; i += 1) deep += `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`
  const multipart = 'Content-Type: multipart/mixed; boundary=x\r\n\r\n'
  const bombs: Record<string, string> = {
    'nested multiparts': deep + '--y\n'.repeat(1_000_000),
    'nested messages': 'Content-Type: message/rfc822\r\n\r\n'.repeat(200_000),
    'a million parts': multipart + '--x\n'.repeat(1_000_000),
    'lines that are nearly boundaries': multipart + '--\n'.repeat(2_000_000),
    'no body': 'Subject: xxxxxxxx\r\n'.repeat(300_000),
    'an open comment': `From: ${'('.repeat(5_000_000)}`,
    'many addresses': `From: ${'"a" <@a:b@c>,'.repeat(200_000)}\r\n\r\n`,
    'many continuations': `Content-Type: a/b${';a*0=b;a*1*=c'.repeat(100_000)}\r\n\r\n`,
    'only NULs': '\0'.repeat(5_000_000),
  }
  for (const [name, text] of Object.entries(bombs)) {
    const message = Buffer.from(text, 'latin1')
    const start = performance.now()
    const { cache } = summarize(message)
    t.ok(performance.now() - start < 10_000, `${name}: time`)
    t.ok(cache.length < 4 * 1024 * 1024, `${name}: ${cache.length} bytes kept`)
    t.doesNotThrow(() => [...new MessageCache(cache).parts()], name)
  }
  const parts = summarize(Buffer.from(`${multipart}${'--x\r\n\r\nhello\r\n'.repeat(2000)}--x--\r\n`))
  t.match(new MessageCache(parts.cache).part([2000]), { bodySize: 5 }, 'two thousand parts are fine')
  t.end()
})

t.test('never throws: random damage to real structures', (t) => {
  let seed = 20261123
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  for (let round = 0; round < 1500; round += 1) {
    const message = Buffer.from(answers[random(answers.length)]!.message, 'latin1')
    for (let i = random(8); i >= 0 && message.length > 0; i -= 1) message[random(message.length)] = random(256)
    const cut = message.subarray(0, random(message.length + 1))
    const cache = new MessageCache(summarize(cut).cache)
    for (const part of cache.parts()) {
      if (part.bodyStart + part.bodySize > cut.length || part.headerStart + part.headerSize > cut.length) {
        t.fail(`part outside of ${JSON.stringify(cut.toString('latin1'))}`)
      }
    }
  }
  t.end()
})
