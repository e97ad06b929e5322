/** What may be stored as a message: verdicts of Cyrus 3.6.1 (APPEND), however the bytes are cut. */
import t from 'tap'
import { MessageCheck } from '../../lib/message/strict.js'

const HEADER = 'Message contains invalid header'
const NEWLINE = 'Message contains bare newlines'

t.test('verdicts do not depend on how the message is cut', (t) => {
  const cases: [string, string | undefined][] = [
    ['Subject: x\r\n\r\nbody\r\n', undefined],
    ['Subject: x\r\n', undefined],
    ['Subject: x', HEADER],
    ['Subject: folded\r\n\tonce\r\n twice\r\n\r\n', undefined],
    ['From MAILER-DAEMON Fri Apr 06 16:46:09 2001\r\nSubject: x\r\n\r\n', undefined],
    ['Fro MAILER\r\n\r\n', HEADER],
    ['\r\nbody without header', undefined],
    ['no header at all\r\n\r\n', HEADER],
    ['Subject : x\r\n\r\n', HEADER],
    ['nocolon\r\n\r\n', HEADER],
    [': x\r\n\r\n', HEADER],
    ['abc', HEADER],
    ['Subject: x\n\r\n', NEWLINE],
    ['Subject: x\r\n\r\nbody\nmore', NEWLINE],
    ['Subject: x\r\n\r\n\n', NEWLINE],
    ['Subject: \xe4\r\n\r\n\xff', undefined],
    ['Subject: x\r\n\r\na\0b', 'Message contains NUL characters'],
  ]
  for (const [text, want] of cases) {
    const message = Buffer.from(text, 'latin1')
    for (let size = 1; size <= message.length; size += 1) {
      const check = new MessageCheck()
      for (let at = 0; at < message.length; at += size) check.push(message.subarray(at, at + size))
      if (check.end() !== want) t.equal(check.end(), want, `${JSON.stringify(text)} in pieces of ${size}`)
    }
    t.ok(true, JSON.stringify(text))
  }
  t.end()
})
