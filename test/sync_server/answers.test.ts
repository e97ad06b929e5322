/**
 * What a hand-driven client said to a real sync_server (captures 70, 71, 73, 75, 76, 77), said to ours: the same answers, but where the real one
 * crashes, hangs, or has a quirk that csync.md tells new implementations not to copy.
 */
import t from 'tap'
import { captureNames, readCapture } from '../sync/capture.js'
import { RawClient, startServer } from '../sync/server_fixture.js'

/** Commands left out, or what they get instead. */
const EXCEPTIONS: Array<[command: RegExp, answer: RegExp | 'left out']> = [
  // Sieve scripts travel as the #sieve mailbox only
  [/^APPLY (?:UN)?(?:ACTIVATE_)?SIEVE|^APPLY UNACTIVATE_SIEVE/, /^NO IMAP_PROTOCOL_ERROR/],
  // §5.12: the last UID unknown: the others are done, so OK
  [/^APPLY EXPUNGE .*\(1 99\)/, /^OK success/],
  // crashes and assertions of the real one: a refusal
  [/^GET META %\(a b\)|^get META \(\)|^GET QUOTA \(a\)|^GET QUOTA %/, /^NO IMAP_PROTOCOL_BAD_PARAMETERS/],
]

for (const [number, login] of [
  ['70', undefined],
  ['71', undefined],
  ['75', 'repl'],
  ['76', 'repl'],
  ['77', 'repl'],
] as const) {
  const name = captureNames().find((each) => each.startsWith(number))!
  t.test(name, async (t) => {
    const server = await startServer()
    t.teardown(() => server.close())
    const client = await RawClient.connect(server.port)
    if (login) await client.login()
    else await client.until(/^\* OK [^\n]*\n/m)
    let command = ''
    for (const { side, text } of readCapture(name)) {
      if (side === 'client') {
        command += text
        continue
      }
      if (command === '') continue
      const exception = EXCEPTIONS.find(([pattern]) => pattern.test(command))
      const isChallenge = /^\+ /.test(text)
      if (exception?.[1] === 'left out' || /Fatal error|<closed/.test(text)) {
        command = ''
        continue
      }
      client.say(command)
      const answer = await client.until(isChallenge ? /^\+ [^\n]*\n/m : /^(?:OK|NO|BAD|BYE|\* Fatal)[^\n]*\n/m)
      if (exception) t.match(answer, exception[1] as RegExp, command.slice(0, 80))
      else t.equal(answer, text, `${command.slice(0, 80)}`)
      command = ''
    }
    client.close()
  })
}
