/**
 * A peer that is not what it should be: something else on the port, nonsense in the middle of a session, silence, floods. The
 * client gives the connection up with one clear word, in bounded time and memory, and nothing is taken for done.
 */
import net from 'node:net'
import t, { type Test } from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { runLog } from '../../lib/sync/client/log_run.js'
import { Peer } from '../../lib/sync/client/peer.js'
import { PeerGoneError } from '../../lib/sync/client/peer_errors.js'
import { ClientSession } from '../../lib/sync/client/session.js'
import { targetOf } from '../../lib/sync/client/target.js'
import { collectingLog, openStore } from './server_fixture.js'

const GREETING = '* SIEVE-MAILBOX\r\n* OK b.example.org Cyrus sync server v3.6.1\r\n'

/** Listens, and lets `serve` talk to whoever comes. @returns the port */
async function badServer(
  t: Test,
  serve: (socket: net.Socket, line: string) => void,
  greeting: string,
): Promise<number> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end)
        text = text.slice(end + 2)
        serve(socket, line)
      }
    })
    socket.write(greeting)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

/** A client's session with a server that behaves until GET, then as `serve` says. */
async function sessionWith(t: Test, serve: (socket: net.Socket, line: string) => void): Promise<ClientSession> {
  const port = await badServer(
    t,
    (socket, line) => (line.startsWith('GET') ? serve(socket, line) : socket.write('OK success\r\n')),
    GREETING,
  )
  const { config, store, logged } = await openStore(`sync_host: 127.0.0.1:${port}/noauth\nsync_timeout: 3s\n`)
  t.teardown(() => store.close())
  await createMailbox(store, 'user.alice')
  const peer = await Peer.open(targetOf(config, '', undefined)!)
  t.teardown(() => peer.destroy())
  const options = { tell: () => {}, noCopyback: false, localOnly: false, partition: undefined }
  return new ClientSession(store, peer, collectingLog(logged), options)
}

t.test('something else answers on the port', async (t) => {
  const cases: [greeting: string, message: RegExp][] = [
    ['220 mail.example.org ESMTP\r\n', /not a replication server: 220 mail/],
    ['* OK [CAPABILITY IMAP4rev1] ready\r\n', /this is an IMAP server/],
    ['SSH-2.0-OpenSSH_9.2\r\n', /not a replication server: SSH-2.0/],
    ['* BYE too busy\r\n', /the replica says BYE too busy/],
    ['x'.repeat(100_000), /too long/i],
    ['\x00\x01\x02\r\n', /not a replication server/],
  ]
  for (const [greeting, message] of cases) {
    const port = await badServer(t, () => {}, greeting)
    const { config, store } = await openStore(`sync_host: 127.0.0.1:${port}/noauth\n`)
    t.teardown(() => store.close())
    const error: unknown = await Peer.open(targetOf(config, '', undefined)!).then(
      (peer) => peer.destroy(),
      (reason) => reason,
    )
    t.type(error, PeerGoneError, JSON.stringify(greeting.slice(0, 20)))
    t.match((error as Error).message, message)
  }
})

t.test('nonsense, or the end, in the middle of an answer', async (t) => {
  const cases: [answer: string | null, message: RegExp][] = [
    ['what is this\r\n', /GET USER: not an answer: what/],
    ['* MAILBOX %(UNIQUEID\r\n', /./],
    ['* MAILBOX (((((\r\nOK success\r\n', /./],
    [`* MAILBOX {99999999999}\r\n`, /./],
    [`* MAILBOX %(X ${'('.repeat(5000)}\r\n`, /./],
    ['BYE shutting down\r\n', /the replica says BYE shutting down/],
    [null, /./],
  ]
  for (const [answer, message] of cases) {
    const session = await sessionWith(t, (socket) => (answer === null ? socket.destroy() : socket.write(answer)))
    const error: unknown = await runLog(session, ['USER alice'], () => false).catch((reason) => reason)
    t.type(error, PeerGoneError, JSON.stringify(answer?.slice(0, 20) ?? 'the end'))
    t.match((error as Error).message, message)
    t.ok(session.peer.closed)
  }
})

t.test('an answer that says nothing of the kind fails the item, not the session', async (t) => {
  const session = await sessionWith(t, (socket) =>
    socket.write('* MAILBOX %(NONSENSE 5)\r\n* ELEPHANT (a b c)\r\nOK success\r\n'),
  )
  t.strictSame(await runLog(session, ['USER alice'], () => false), ['USER alice'])
  t.notOk(session.peer.closed)
})

t.test(
  'a replica that falls silent is given up after sync_timeout; one that never stops, when it is too much',
  async (t) => {
    const silent = await sessionWith(t, () => {})
    const began = performance.now()
    await t.rejects(
      runLog(silent, ['USER alice'], () => false),
      { name: 'PeerGoneError' },
    )
    t.ok(performance.now() - began < 8000)
    const flood = await sessionWith(t, (socket) => {
      const pour = (): void => {
        while (!socket.destroyed && socket.write('y'.repeat(65536)));
        if (!socket.destroyed) socket.once('drain', pour)
      }
      socket.write('* MAILBOX %(NAME ')
      pour()
    })
    const before = process.memoryUsage().rss
    await t.rejects(
      runLog(flood, ['USER alice'], () => false),
      { name: 'PeerGoneError' },
    )
    t.ok(process.memoryUsage().rss - before < 700 * 2 ** 20, 'bounded memory')
  },
)
