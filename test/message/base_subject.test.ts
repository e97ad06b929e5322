/** Base subjects (RFC 5256 §2.1), message ids, and envelopes taken apart. */
import t from 'tap'
import { baseSubject } from '../../lib/message/base_subject.js'
import { readEnvelope } from '../../lib/message/envelope_text.js'
import { messageIds } from '../../lib/message/message_ids.js'
import { MessageCache, summarize } from '../../lib/message/summary.js'

t.test('base subjects', async (t) => {
  for (const [subject, base, isReply] of [
    ['plain', 'plain', false],
    ['Re: plain', 'plain', true],
    ['RE:re: fw : Fwd[3]: plain', 'plain', true],
    ['Re [2] : plain', 'plain', true],
    ['[list] plain', 'plain', false],
    ['[a][b] Re: [c] plain  (fwd) (Fwd) ', 'plain', true],
    ['[alone]', '[alone]', false],
    ['Re: [alone]', '[alone]', true],
    ['[Fwd: [list] Re: plain]', 'plain', true],
    ['reply: no prefix', 'reply: no prefix', false],
    ['Re[: unclosed', 'Re[: unclosed', false],
    ['[nested [blob]] x', '[nested [blob]] x', false],
    ['(fwd)', '', true],
    ['', '', false],
  ] as const)
    t.same(baseSubject(subject), { base, isReply }, subject)
  const started = performance.now()
  baseSubject(`${'re:'.repeat(100_000)}${' '.repeat(100_000)}x${' (fwd)'.repeat(100_000)}`)
  baseSubject(`${'['.repeat(100_000)}${'re['.repeat(100_000)}`)
  t.ok(performance.now() - started < 1000, 'long ones cost little')
})

t.test('message ids', async (t) => {
  t.same(messageIds('<a@b> text <c\r\n @d><>'), ['a@b', 'c@d'])
  t.same(messageIds('none at all <unclosed'), [])
  const many = Array.from({ length: 50 }, (_, n) => `<${n}>`).join(' ')
  t.same(messageIds(many), ['0', ...Array.from({ length: 19 }, (_, n) => String(n + 31))], 'the first and the last')
})

t.test('envelopes', async (t) => {
  const read = (...lines: string[]) =>
    readEnvelope(new MessageCache(summarize(Buffer.from([...lines, '', ''].join('\r\n'), 'latin1')).cache).envelope)
  t.same(
    read(
      'Subject: a "quoted" subject with (brackets)',
      'From: "Al (x)" <al@example.com>, b@c',
      'To: group:;',
      'Message-ID: <1@x>',
      'In-Reply-To: <0@x>',
    ),
    {
      date: null,
      subject: 'a "quoted" subject with (brackets)',
      from: { name: 'Al (x)', mailbox: 'al', host: 'example.com' },
      to: { name: null, mailbox: 'group', host: null },
      cc: undefined,
      inReplyTo: '<0@x>',
      messageId: '<1@x>',
    },
  )
  t.match(read('X: y'), { date: null, subject: null, from: undefined, messageId: null })
})
