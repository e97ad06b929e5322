/**
 * What real sync_clients said to a real replica, said again to ours in the same order: every answer must be the one the real one gave,
 * byte for byte. The captures are one history of one pair of servers (csync.md §19), with a few gaps, which GAPS fills.
 */
import t from 'tap'
import { captureNames, readCapture } from '../sync/capture.js'
import { RawClient, startServer } from '../sync/server_fixture.js'

/** Captures in the order in which they happened. */
const HISTORY = '01 02 04 06 07 08 09 09b 11'.split(' ')

/** What had happened on the real replica before a capture without being captured. */
const GAPS: Record<string, string[]> = {
  '09': ['APPLY SUB %(USERID alice MBOXNAME user.alice.Archive)'],
  '07': ['APPLY UNSUB %(USERID alice MBOXNAME user.alice.Archive)'],
}

t.test('the history of the captures', async (t) => {
  const server = await startServer()
  t.teardown(() => server.close())
  for (const number of HISTORY) {
    const name = captureNames().find((each) => each.startsWith(`${number}-`))!
    const client = await RawClient.connect(server.port)
    await client.login()
    await client.ask('APPLY CAPABILITIES (SIEVE-MAILBOX)\r\n')
    for (const command of GAPS[number] ?? [])
      t.match(await client.ask(`${command}\r\n`), /^OK/, `${number}: ${command}`)
    let command = ''
    for (const { side, text } of readCapture(name)) {
      if (side === 'client') {
        command = text
        continue
      }
      if (/^(?:AUTHENTICATE|COMPRESS) /.test(command) || command === '') continue
      t.equal(await client.ask(command), text, `${name}: ${command.slice(0, 60)}`)
    }
    client.close()
  }
})
