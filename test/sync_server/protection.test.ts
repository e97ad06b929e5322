/** STARTTLS and COMPRESS, with our client and by hand (captures 63, 78, csync.md §1.3 to §1.5). */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Peer } from '../../lib/sync/client/peer.js'
import { PeerGoneError } from '../../lib/sync/client/peer_errors.js'
import type { Target } from '../../lib/sync/client/target.js'
import { RawClient, startServer } from '../sync/server_fixture.js'

const folder = mkdtempSync(join(tmpdir(), 'csync-tls-'))
t.teardown(() => rmSync(folder, { recursive: true }))
execFileSync(
  'openssl',
  [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    join(folder, 'key'),
    '-out',
    join(folder, 'cert'),
    '-days',
    '2',
    '-subj',
    '/CN=b.example.org',
  ],
  { stdio: 'ignore' },
)
const withTls = `tls_server_cert: ${folder}/cert\ntls_server_key: ${folder}/key\n`

const target = (port: number): Target => ({
  host: '127.0.0.1',
  port,
  imapPort: undefined,
  tryImap: false,
  unix: false,
  tls: false,
  noauth: false,
  user: 'repl',
  password: 'replpw',
  realm: undefined,
  mechanisms: [],
  protocol: 'auto',
  connectTimeout: 10,
  timeout: 30,
})

t.test('TLS that is offered and not needed', async (t) => {
  const server = await startServer(withTls)
  t.teardown(() => server.close())
  const peer = await Peer.open({ ...target(server.port), mechanisms: ['PLAIN'] })
  await peer.ask('GET', 'USER', ['alice'])
  await peer.exit()
  t.ok(
    server.logged.some((line) => /^login: .* repl PLAIN User logged in/.test(line)),
    'plaintext is allowed here: no TLS, as Cyrus (capture 62)',
  )
})

t.test('by hand', async (t) => {
  const server = await startServer(withTls)
  t.teardown(() => server.close())
  const client = await RawClient.connect(server.port)
  t.match(
    await client.until(/^\* OK [^\n]*\n/m),
    /\* SASL .*\r\n\* STARTTLS\r\n\* COMPRESS DEFLATE\r\n\* SIEVE-MAILBOX\r\n\* OK /,
  )
  t.match(await client.ask('STARTTLS x\r\n'), 'BAD Unexpected extra arguments to Starttls\r\n')
  t.match(await client.ask('COMPRESS LZW\r\n'), 'NO Unknown compression algorithm: LZW\r\n')
  client.close()
  const without = await startServer()
  t.teardown(() => without.close())
  const other = await RawClient.connect(without.port)
  t.notMatch(await other.until(/^\* OK [^\n]*\n/m), /STARTTLS/)
  t.match(await other.ask('STARTTLS\r\n'), 'BAD IMAP_PROTOCOL_ERROR Unrecognized command\r\n')
  other.close()
})

t.test('a server that insists', async (t) => {
  const server = await startServer(withTls)
  t.teardown(() => server.close())
  // as with allowplaintext: no
  Object.defineProperty(server.config, 'switch', {
    value: (name: string) =>
      name === 'allowplaintext' ? false : Object.getPrototypeOf(server.config).switch.call(server.config, name),
  })
  const peer = await Peer.open({ ...target(server.port), mechanisms: ['PLAIN'] })
  await peer.ask('GET', 'USER', ['alice'])
  await peer.exit()
  t.ok(
    server.logged.some((line) => /^login: .* repl PLAIN\+TLS User logged in/.test(line)),
    'STARTTLS, then PLAIN',
  )
  const client = await RawClient.connect(server.port)
  t.match(await client.until(/^\* OK [^\n]*\n/m), /\* SASL SCRAM-SHA-256 SCRAM-SHA-1\r\n/)
  t.match(await client.ask('AUTHENTICATE PLAIN AHJlcGwAcmVwbHB3\r\n'), 'NO encryption needed to use mechanism\r\n')
  client.close()
})

t.test('compression', async (t) => {
  const server = await startServer()
  t.teardown(() => server.close())
  const peer = await Peer.open(target(server.port), { requireCompression: true })
  for (let n = 0; n < 3; n++) t.strictSame((await peer.ask('GET', 'MAILBOXES', ['(user.a user.b)'])).items, [])
  await peer.noop()
  await peer.exit()
})

t.test('who may not', async (t) => {
  const server = await startServer()
  t.teardown(() => server.close())
  await t.rejects(
    Peer.open({ ...target(server.port), password: 'wrong' }),
    /login as repl with SCRAM-SHA-256 refused: authentication failure/,
  )
  await t.rejects(Peer.open({ ...target(server.port), user: undefined }), /sync_authname and sync_password are not set/)
  await t.rejects(Peer.open({ ...target(server.port), mechanisms: ['GSSAPI'] }), /no mechanism in common/)
  await t.rejects(
    Peer.open({ ...target(server.port), user: 'alice', password: 'alicepw' }).then((peer) =>
      peer.ask('GET', 'USER', ['alice']),
    ),
    /Permission denied/,
    'not in admins',
  )
  await t.rejects(Peer.open({ ...target(1) }), PeerGoneError)
})

t.test('with the 2.3 generation: TLS before login, compression from 2.3.16 on', async (t) => {
  const server = await startServer(`${withTls}sync_protocol: 2.3.16\nallowplaintext: no\nsasl_mech_list: PLAIN\n`)
  t.teardown(() => server.close())
  const peer = await Peer.open(target(server.port))
  t.equal(peer.release?.name, '2.3.16')
  const conversation = peer.handOver()
  await conversation.say('LOCK')
  await conversation.say('CREATE', 'user.alice', 'default', 'NIL', 'NIL', '0', '1', '77')
  t.equal((await conversation.say('SELECT', 'user.alice')).rest(), `${hashOf('user.alice')}0000004d 0`)
  await t.rejects(conversation.say('STARTTLS'), { message: /Can't Starttls after authentication/ })
  await conversation.exit()
  t.match(server.logged.join('\n'), /repl PLAIN\+TLS User logged in/)
  const open = await startServer('sync_protocol: 2.3.16\n')
  t.teardown(() => open.close())
  const compressed = (await Peer.open(target(open.port), { compress: true })).handOver()
  await compressed.say('LOCK')
  await t.rejects(compressed.say('COMPRESS', 'DEFLATE'), { message: /Compression already active/ })
  await compressed.exit()
})

/** As 2.3 makes a uniqueid of a name. */
function hashOf(name: string): string {
  let hash = 0
  for (const byte of Buffer.from(name)) hash = Number((BigInt(hash) * 251n + BigInt(byte)) % 2147484043n)
  return hash.toString(16).padStart(8, '0')
}
