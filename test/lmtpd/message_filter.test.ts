/** What lmtpd makes of a message's bytes: tables of input and stored form, in one piece and byte by byte. */
import t from 'tap'
import { MessageFilter } from '../../services/lmtpd/message_filter.js'

interface Filtered {
  text: string
  problem: string | undefined
  id: string
}

function filter(input: string, piece: number, eightBit: 'munge' | 'reject' | 'keep' = 'munge'): Filtered {
  const out: Buffer[] = []
  const subject = new MessageFilter(
    { prefix: 'P: 1\r\n', messageId: () => '<new@id>', date: 'NOW', eightBit },
    (chunk) => out.push(Buffer.from(chunk)),
  )
  const bytes = Buffer.from(input, 'latin1')
  for (let at = 0; at < bytes.length; at += piece) subject.write(bytes.subarray(at, at + piece))
  const problem = subject.finish()
  return { text: Buffer.concat(out).toString('latin1'), problem, id: subject.messageId }
}

const GIVEN = 'Message-ID: <x@y>\r\nDate: then\r\n'

const good: [what: string, input: string, stored: string][] = [
  ['a complete message stays as it is', `${GIVEN}S: t\r\n\r\nbody\r\n`, `${GIVEN}S: t\r\n\r\nbody\r\n`],
  [
    'Message-ID and Date are added at the end',
    'S: t\r\n\r\nb\r\n',
    'S: t\r\nMessage-ID: <new@id>\r\nDate: NOW\r\n\r\nb\r\n',
  ],
  ['also without body', 'S: t\r\n', 'S: t\r\nMessage-ID: <new@id>\r\nDate: NOW\r\n'],
  ['also for nothing at all', '', 'Message-ID: <new@id>\r\nDate: NOW\r\n'],
  ['a foreign Return-Path goes, with its folds', `Return-Path: <a>\r\n <b>\r\n${GIVEN}\r\n`, `${GIVEN}\r\n`],
  ['return-path in any case, blank before the colon', `RETURN-path :<a>\r\n${GIVEN}\r\n`, `${GIVEN}\r\n`],
  ['bare LF becomes CRLF', 'Message-ID: <x@y>\nDate: then\n\none\n\ntwo\n', `${GIVEN}\r\none\r\n\r\ntwo\r\n`],
  ['a lone CR ends a header line', 'Message-ID: <x@y>\rDate: then\r\n\r\n', `${GIVEN}\r\n`],
  ['lone CRs of the body vanish', `${GIVEN}\r\na\rb\r\r\nc\n\nd\r\n`, `${GIVEN}\r\nab\r\nc\r\n\r\nd\r\n`],
  ['8-bit in a header becomes X', `${GIVEN}S: \xe4\xf6\r\n\r\n\xe4\r\n`, `${GIVEN}S: XX\r\n\r\n\xe4\r\n`],
  [
    'a folded Message-ID counts',
    'Message-ID:\r\n <x@y>\r\nDate: then\r\n\r\n',
    'Message-ID:\r\n <x@y>\r\nDate: then\r\n\r\n',
  ],
]

for (const [what, input, stored] of good) {
  t.test(what, async (t) => {
    for (const piece of [1, 2, 3, 7, 10_000]) {
      const { text, problem } = filter(input, piece)
      t.equal(problem, undefined)
      t.equal(text, `P: 1\r\n${stored}`, `in pieces of ${piece}`)
    }
  })
}

const bad: [what: string, input: string, problem: string][] = [
  ['NUL in the header', `S: a\0b\r\n${GIVEN}\r\nx\r\n`, 'nul'],
  ['NUL in the body', `${GIVEN}\r\na\0b\r\n`, 'nul'],
  ['no header at all', 'no header at all\r\n', 'header'],
  ['a field without colon', `${GIVEN}Foo\r\nBar: x\r\n\r\n`, 'header'],
  ['a fold before any field', ' folded\r\n\r\n', 'header'],
  ['an empty Message-ID', 'Message-ID: \r\nDate: then\r\n\r\nx\r\n', 'header'],
  ['a header line that never ends', `S: ${'x'.repeat(1100 * 1024)}`, 'header'],
]

for (const [what, input, problem] of bad) {
  t.test(what, async (t) => {
    t.equal(filter(input, 64 * 1024).problem, problem)
    if (input.length < 1000) t.equal(filter(input, 1).problem, problem)
  })
}

t.test('8-bit as configured', async (t) => {
  t.equal(filter(`${GIVEN}S: \xe4\r\n\r\n`, 5, 'reject').problem, '8bit')
  t.match(filter(`${GIVEN}S: \xe4\r\n\r\n`, 5, 'keep').text, 'S: \xe4\r\n')
})

t.test('the id is that of the message', async (t) => {
  t.equal(filter(`${GIVEN}\r\n`, 100).id, '<x@y>')
  t.equal(filter('S: t\r\n\r\n', 100).id, '<new@id>')
})

t.test('any split of random text gives the same', async (t) => {
  let seed = 7
  const random = (n: number): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return seed % n
  }
  const letters = ['\r', '\n', 'a', ':', ' ', '.', '\xe4', '\r\n']
  for (let round = 0; round < 300; round++) {
    const body = Array.from({ length: random(60) }, () => letters[random(letters.length)]).join('')
    const input = random(2) === 0 ? `${GIVEN}\r\n${body}` : `A: b\r\n${body}`
    const whole = filter(input, 10_000)
    const pieces = filter(input, 1 + random(5))
    t.equal(pieces.problem, whole.problem, JSON.stringify(input))
    if (whole.problem === undefined) {
      t.equal(pieces.text, whole.text, JSON.stringify(input))
      t.notMatch(whole.text, /(^|[^\r])\n|\r(?!\n)/, 'only CRLF')
    }
  }
})
