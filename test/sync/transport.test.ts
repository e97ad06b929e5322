/**
 * The two transports as the client speaks them: the captured conversation inside IMAP byte for byte, and which port and transport it takes
 * (csync.md §15).
 */
import net from 'node:net'
import t, { type Test } from 'tap'
import { Peer } from '../../lib/sync/client/peer.js'
import type { Target } from '../../lib/sync/client/target.js'
import { readCapture } from './capture.js'

/** Listens and answers each line. @returns the port, and what was said to it */
async function server(
  t: Test,
  greeting: string,
  answer: (line: string) => string,
): Promise<{ port: number; said: string[] }> {
  const said: string[] = []
  const listener = net.createServer((socket) => {
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 2)
        said.push(line)
        socket.write(answer(line), 'latin1')
        if (/LOGOUT|EXIT/.test(line)) socket.end()
      }
    })
    socket.write(greeting)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  t.teardown(() => listener.close())
  return { port: (listener.address() as net.AddressInfo).port, said }
}

const target = (port: number, imapPort?: number): Target => ({
  host: '127.0.0.1',
  port,
  imapPort,
  tryImap: true,
  unix: false,
  tls: false,
  noauth: false,
  user: 'repl',
  password: 'replpw',
  realm: undefined,
  mechanisms: ['PLAIN'],
  protocol: 'auto',
  connectTimeout: 10,
  timeout: 30,
})

const csync = (line: string): string =>
  line.startsWith('APPLY CAPABILITIES') ? '* ENABLED (SIEVE-MAILBOX)\r\nOK success\r\n' : 'OK success\r\n'
const CSYNC_GREETING = '* SASL PLAIN\r\n* SIEVE-MAILBOX\r\n* OK b.example.org Cyrus sync server 3.6.1\r\n'

t.test('the captured conversation inside IMAP', async (t) => {
  const runs = readCapture('60c-imap-transport-restart.txt')
  const answers = new Map<string, string>()
  const expected: string[] = []
  for (const [n, run] of runs.entries()) {
    if (run.side !== 'client') continue
    expected.push(run.text.trimEnd())
    answers.set(run.text.trimEnd(), runs[n + 1]?.text ?? '')
  }
  const { port, said } = await server(t, runs[0]!.text, (line) => answers.get(line) ?? `never heard: ${line}\r\n`)
  const peer = await Peer.open(target(port))
  t.equal(peer.transport, 'imap')
  t.ok(peer.sieveMailbox)
  const { items } = await peer.ask('GET', 'MAILBOXES', ['(user.carol)'])
  t.strictSame(
    items.map(({ key }) => key),
    ['MAILBOX'],
  )
  await peer.restart()
  t.strictSame((await peer.ask('GET', 'META', ['carol'])).items, [])
  await peer.exit()
  t.strictSame(said, expected)
})

t.test('the IMAP service first, then csync', async (t) => {
  const replica = await server(t, CSYNC_GREETING, csync)
  const imap = await server(t, '* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] a Cyrus IMAP ready\r\n', (line) =>
    line.startsWith('C01')
      ? '* CAPABILITY IMAP4rev1 LITERAL+\r\nC01 OK done\r\n'
      : /^A01 AUTHENTICATE PLAIN$/.test(line)
        ? '+ \r\n'
        : line.startsWith('Q01')
          ? '* BYE\r\nQ01 OK\r\n'
          : 'A01 OK in\r\n',
  )
  const peer = await Peer.open(target(replica.port, imap.port))
  t.equal(peer.transport, 'csync', 'an IMAP server without X-REPLICATION is left')
  await peer.exit()
  t.strictSame(
    imap.said,
    ['A01 AUTHENTICATE PLAIN', 'AHJlcGwAcmVwbHB3', 'C01 CAPABILITY', 'Q01 LOGOUT'],
    'no SASL-IR: the answer comes after the +',
  )
  const nobody = await new Promise<number>((resolve) => {
    const listener = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as net.AddressInfo
      listener.close(() => resolve(port))
    })
  })
  const second = await Peer.open(target(replica.port, nobody))
  t.equal(second.transport, 'csync', 'nobody listens at the IMAP port')
  await second.exit()
  await t.rejects(Peer.open(target(nobody, imap.port)), {
    name: 'PeerGoneError',
    message: /^127\.0\.0\.1:\d+: ECONNREFUSED; over IMAP: this is an IMAP server without replication for "repl"/,
  })
})

t.test('one port for both: what greets there decides, at once', async (t) => {
  const replica = await server(t, CSYNC_GREETING, csync)
  const peer = await Peer.open(target(replica.port))
  t.equal(peer.transport, 'csync')
  await peer.exit()
  t.notOk(replica.said.some((line) => line.startsWith('C01')))
})

t.test('a refused login inside IMAP is told', async (t) => {
  const { port } = await server(
    t,
    '* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready\r\n',
    () => 'A01 NO authentication failure\r\n',
  )
  await t.rejects(Peer.open(target(port)), { message: 'login as repl with PLAIN refused: authentication failure' })
})
