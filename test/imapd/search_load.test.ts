/** SEARCH with thousands of keys: each message's texts are prepared once, and other connections get their turn meanwhile. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import t from 'tap'
import { ImapClient } from '../lab/imap_client.js'
import { fixture } from './fixture.js'

t.test('thousands of keys do not stop the process', async (t) => {
  const { server } = await fixture(t)
  const client = await ImapClient.connect(server.port)
  t.teardown(() => client.close())
  await client.ok('LOGIN alice testpw')
  await client.ok('SELECT INBOX')
  const recipients = Array.from({ length: 400 }, (_, n) => `a${n}@b.test`).join(',\r\n ')
  await client.append('INBOX', Buffer.from(`From: x@y\r\nTo: ${recipients}\r\nSubject: s\r\n\r\nbody\r\n`))
  for (let count = 1; count < 64; count *= 2) await client.ok('COPY 1:* INBOX')
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const found = async (program: string) =>
    (await client.ok(`SEARCH ${program}`)).untagged.map(({ text }) => text.split(' ').length - 2)
  t.strictSame(await found(`${'NOT TO zzzz '.repeat(2400)}ALL`), [64])
  t.strictSame(await found(`${'TO a399@b.test '.repeat(4900)}ALL`), [64])
  t.strictSame(await found(`${'OR TO zzzz '.repeat(60)}TO nobody`), [0])
  t.strictSame(await found(`${'NOT TEXT zzzz '.repeat(1000)}SUBJECT s`), [64])
  delay.disable()
  t.ok(delay.max / 1e6 < 2000, `others waited ${Math.round(delay.max / 1e6)} ms at most`)
})
