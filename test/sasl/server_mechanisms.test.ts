/** The server's newer and older mechanisms: DIGEST-MD5, CRAM-MD5, channel binding, EXTERNAL, OAUTHBEARER; how long who fails must wait. */
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import t from 'tap'
import { Config } from '../../lib/config/config.js'
import type { Channel } from '../../lib/net/channel.js'
import { passwordStore, verifyPassword } from '../../lib/sasl/check_password.js'
import { startCramMd5, startDigestMd5 } from '../../lib/sasl/client_md5.js'
import { FailedLogins } from '../../lib/sasl/failed_logins.js'
import { hmacMd5, makeMd5Keys } from '../../lib/sasl/md5_keys.js'
import { PasswordStore } from '../../lib/sasl/password_store.js'
import { attributes, hmac, keysOf, saltPassword, xor } from '../../lib/sasl/scram.js'
import {
  allowsPlaintext,
  type ServerMechanism,
  type ServerStep,
  serverMechanisms,
  startServerMechanism,
} from '../../lib/sasl/server_mechanism.js'
import { parseStoredKeys } from '../../lib/sasl/stored_keys.js'

const folder = mkdtempSync(join(tmpdir(), 'sasl-'))
t.teardown(() => rmSync(folder, { recursive: true }))

let files = 0
function configure(text: string): Config {
  const path = join(folder, `imapd${++files}.conf`)
  writeFileSync(path, `configdirectory: ${folder}\nservername: b.example.org\nfailedloginpause: 0\n${text}\n`)
  return Config.load(path)
}
const secure: Channel = { remote: 'unix', strength: 256, binding: () => undefined }
const bound: Channel = {
  ...secure,
  binding: (type) => (type === 'tls-exporter' ? Buffer.from('the channel') : undefined),
}

function start(config: Config, name: string, channel = secure): ServerMechanism {
  const server = startServerMechanism({ config, service: 'imap', channel }, name)
  if (typeof server === 'string') throw new Error(`${name}: ${server}`)
  return server
}
const text = (step: ServerStep): string => (step.state === 'challenge' ? step.challenge.toString() : step.state)

t.test('HMAC-MD5 from kept states is HMAC-MD5', async (t) => {
  for (const length of [1, 20, 63, 64, 65, 200]) {
    const password = 'x'.repeat(length)
    const data = randomBytes(length * 3)
    t.strictSame(
      hmacMd5(makeMd5Keys('a@b', password).cram, data),
      createHmac('md5', password).update(data).digest(),
      `${length} bytes`,
    )
  }
})

t.test('CRAM-MD5 and DIGEST-MD5', async (t) => {
  const config = configure('sasl_mech_list: CRAM-MD5 DIGEST-MD5 PLAIN\nadmins: repl')
  const store = passwordStore(config)
  await store.set('repl@b.example.org', 'replpw', { md5: true })
  await store.set('alice@b.example.org', 'päß wörd', { md5: true })
  await store.set('bob@b.example.org', 'bobpw')
  t.notMatch(readFileSync(store.path, 'utf8'), /replpw/)
  t.strictSame(serverMechanisms(config, secure), ['DIGEST-MD5', 'CRAM-MD5', 'PLAIN'])
  t.notMatch(serverMechanisms(configure(''), secure).join(' '), /MD5/, 'not unless named')

  const credentials = (user: string, password: string) => ({ user, password, service: 'imap', host: 'b.example.org' })
  const run = async (name: 'CRAM-MD5' | 'DIGEST-MD5', user: string, password: string): Promise<ServerStep> => {
    const client = (name === 'CRAM-MD5' ? startCramMd5 : startDigestMd5)(credentials(user, password))
    const server = start(config, name)
    let step = await server.step(undefined)
    while (step.state === 'challenge') step = await server.step(await client.step(step.challenge))
    if (step.state === 'done') t.ok(client.complete, `${name}: the client has seen the server’s proof`)
    return step
  }
  for (const name of ['CRAM-MD5', 'DIGEST-MD5'] as const) {
    t.match(await run(name, 'repl', 'replpw'), { state: 'done', user: 'repl' }, name)
    t.match(await run(name, 'alice', 'päß wörd'), { state: 'done', user: 'alice' }, `${name}, 8-bit`)
    t.match(await run(name, 'repl', 'wrong'), { state: 'failed', reason: 'wrong user or password' }, name)
    t.match(await run(name, 'nobody', 'x'), { state: 'failed', reason: 'wrong user or password' }, name)
    t.match(await run(name, 'bob', 'bobpw'), { state: 'failed' }, `${name}, no keys of that kind`)
  }
  await store.set('repl@b.example.org', 'another')
  t.match(
    await run('CRAM-MD5', 'repl', 'another'),
    { state: 'done' },
    'a new password makes new keys of the kinds there were',
  )

  for (const [change, reason] of [
    [(response: string) => response.replace('imap/', 'smtp/'), /meant for smtp/],
    [(response: string) => response.replace('nc=00000001', 'nc=00000002'), /not an answer/],
    [(response: string) => response.replace('qop=auth', 'qop=auth-int'), /security layer/],
    [(response: string) => `${response},username="x"`, /given twice/],
    [() => '', /malformed/],
  ] as const) {
    const server = start(config, 'DIGEST-MD5')
    const first = await server.step(undefined)
    const answer = await startDigestMd5(credentials('repl', 'another')).step(
      first.state === 'challenge' ? first.challenge : Buffer.alloc(0),
    )
    t.match(await server.step(Buffer.from(change(answer.toString()))), { state: 'failed', reason })
  }
  t.match(await start(config, 'CRAM-MD5').step(Buffer.from('x')), { state: 'failed', reason: /speaks first/ })
})

t.test('SCRAM with channel binding', async (t) => {
  const config = configure('')
  await passwordStore(config).set('alice@b.example.org', 'alicepw')
  t.strictSame(serverMechanisms(config, bound).slice(0, 4), [
    'SCRAM-SHA-256-PLUS',
    'SCRAM-SHA-256',
    'SCRAM-SHA-1-PLUS',
    'SCRAM-SHA-1',
  ])
  t.notMatch(serverMechanisms(config, secure).join(' '), /PLUS/, 'nothing to bind to')

  /** What a client with these bytes of the channel is told. */
  const run = async (name: string, gs2: string, data: string, channel = bound): Promise<ServerStep> => {
    const server = start(config, name, channel)
    const bare = 'n=alice,r=clientnonce'
    const first = await server.step(Buffer.from(gs2 + bare))
    if (first.state !== 'challenge') return first
    const values = new Map(attributes(first.challenge.toString())!)
    const salted = await saltPassword(
      'sha256',
      'alicepw',
      Buffer.from(values.get('s')!, 'base64'),
      Number(values.get('i')),
    )
    const { clientKey, storedKey } = keysOf('sha256', salted)
    const final = `c=${Buffer.from(gs2 + data).toString('base64')},r=${values.get('r')}`
    const signature = hmac('sha256', storedKey, `${bare},${first.challenge},${final}`)
    const step = await server.step(Buffer.from(`${final},p=${xor(clientKey, signature).toString('base64')}`))
    return step.state === 'challenge' ? server.step(Buffer.alloc(0)) : step
  }
  t.match(await run('SCRAM-SHA-256-PLUS', 'p=tls-exporter,,', 'the channel'), { state: 'done', user: 'alice' })
  t.match(await run('SCRAM-SHA-256-PLUS', 'p=tls-exporter,,', 'another one'), { reason: 'channel binding differs' })
  t.match(await run('SCRAM-SHA-256-PLUS', 'p=tls-unique,,', 'x'), { reason: 'no channel binding of type tls-unique' })
  t.match(await run('SCRAM-SHA-256-PLUS', 'p=constructor,,', 'x'), { state: 'failed' })
  t.match(await run('SCRAM-SHA-256-PLUS', 'n,,', ''), { reason: 'no channel binding' })
  t.match(await run('SCRAM-SHA-256', 'p=tls-exporter,,', 'the channel'), { reason: 'channel binding without -PLUS' })
  t.match(await run('SCRAM-SHA-256', 'n,,', ''), { state: 'done' })
  t.match(await run('SCRAM-SHA-256', 'y,,', ''), { reason: /was not shown/ }, 'somebody between took -PLUS away')
  t.match(await run('SCRAM-SHA-256', 'y,,', '', secure), { state: 'done' }, 'it really was not offered')
})

t.test('EXTERNAL', async (t) => {
  const config = configure('admins: boss')
  const channel = (certificateUser: string): Channel => ({ ...secure, certificateUser })
  t.notMatch(serverMechanisms(config, secure).join(' '), /EXTERNAL/)
  t.equal(serverMechanisms(config, channel('alice'))[0], 'EXTERNAL')
  const run = (name: string, authzid: string) => start(config, 'EXTERNAL', channel(name)).step(Buffer.from(authzid))
  t.match(await run('Alice', ''), { state: 'done', user: 'alice', authenticated: 'alice' })
  t.match(await run('alice', 'alice'), { state: 'done', user: 'alice' })
  t.match(await run('alice', 'bob'), { state: 'failed', reason: /may not act/ })
  t.match(await run('boss', 'bob'), { state: 'done', user: 'bob', authenticated: 'boss' })
  t.match(await run('../x', ''), { state: 'failed', reason: /lets nobody log in/ })
})

t.test('OAUTHBEARER with keys', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const path = join(folder, 'token.pem')
  writeFileSync(path, publicKey.export({ type: 'spki', format: 'pem' }))
  const config = configure(
    `oauth_keys: ${path}\noauth_issuer: https://id.example.org\noauth_audience: imap\noauth_user_claim: email\noauth_scope: mail\noauth_discovery_url: https://id.example.org/.well-known/x`,
  )
  t.match(serverMechanisms(config, secure).join(' '), /OAUTHBEARER/)
  t.notMatch(serverMechanisms(config, { ...secure, strength: 0 }).join(' '), /OAUTHBEARER/, 'not in the clear')
  const sign = (claims: Record<string, unknown>, exp: number | string = '5m') =>
    new SignJWT({ email: 'alice', scope: 'openid mail', iss: 'https://id.example.org', aud: 'imap', ...claims })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime(exp)
      .sign(privateKey)
  const message = (token: string, gs2 = 'n,a=alice,') =>
    Buffer.from(`${gs2}\x01host=localhost\x01port=143\x01auth=Bearer ${token}\x01\x01`)
  const good = await sign({})
  t.match(await start(config, 'OAUTHBEARER').step(message(good)), { state: 'done', user: 'alice' })
  t.match(await start(config, 'OAUTHBEARER').step(message(good, 'n,,')), { state: 'done', user: 'alice' })
  const xoauth2 = (token: string, user = 'alice') =>
    start(config, 'XOAUTH2').step(Buffer.from(`user=${user}\x01auth=Bearer ${token}\x01\x01`))
  t.match(await xoauth2(good), { state: 'done', user: 'alice' })
  t.match(await xoauth2(good, 'bob'), { state: 'challenge' })
  t.match(await xoauth2('x'), { state: 'challenge' })
  const refused = async (bytes: Buffer, reason: RegExp, status = 'invalid_token'): Promise<void> => {
    const server = start(config, 'OAUTHBEARER')
    const answer = JSON.parse(text(await server.step(bytes)))
    t.strictSame(answer, { status, scope: 'mail', 'openid-configuration': 'https://id.example.org/.well-known/x' })
    t.match(await server.step(Buffer.from('\x01')), { state: 'failed', reason }, `${reason}`)
  }
  await refused(message(await sign({}, 1000)), /"exp" claim/)
  await refused(message(await sign({ iss: 'https://evil' })), /"iss" claim/)
  await refused(message(await sign({ aud: 'smtp' })), /"aud" claim/)
  await refused(message(await sign({ scope: 'openid' })), /lacks the scope mail/)
  await refused(message(await sign({ email: 7 })), /no claim "email"/)
  await refused(message(good.slice(0, -4)), /signature/)
  await refused(message(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`), /./)
  await refused(message(good, 'n,a=bob,'), /may not act/, 'insufficient_scope')
  await refused(Buffer.from('n,,\x01auth=Basic x\x01\x01'), /malformed/, 'invalid_request')
  await refused(Buffer.from('rubbish'), /malformed/, 'invalid_request')
})

t.test('OAUTHBEARER with introspection', async (t) => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (data) => (body += data))
    request.on('end', () => {
      asked.push(`${request.headers.authorization} ${body}`)
      const token = new URLSearchParams(body).get('token')
      response.end(token === 'broken' ? '<html>' : JSON.stringify({ active: token === 'good', sub: 'alice' }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/introspect`
  const config = configure(`oauth_introspection_url: ${url}\noauth_client_id: mail\noauth_client_secret: se cret`)
  const run = async (token: string): Promise<ServerStep> => {
    const mechanism = start(config, 'OAUTHBEARER')
    const step = await mechanism.step(Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`))
    return step.state === 'challenge' ? mechanism.step(Buffer.from('\x01')) : step
  }
  t.match(await run('good'), { state: 'done', user: 'alice' })
  t.equal(asked[0], `Basic ${Buffer.from('mail:se%20cret').toString('base64')} token=good&token_type_hint=access_token`)
  t.match(await run('bad'), { state: 'failed', reason: 'the token is not active' })
  t.match(await run('broken'), { state: 'failed', reason: /oauth_introspection_url/ })
})

t.test('who may log in on what connection', async (t) => {
  const plain: Channel = { ...secure, strength: 0 }
  const strict = configure('sasl_minimum_layer: 128\nallowplaintext: yes')
  t.strictSame(serverMechanisms(strict, plain), [])
  t.not(serverMechanisms(strict, secure).length, 0)
  t.equal(allowsPlaintext(strict, plain), false)
  t.equal(startServerMechanism({ config: strict, service: 'imap', channel: plain }, 'PLAIN'), 'encryption needed')
  t.strictSame(serverMechanisms(configure('tls_required: yes\nallowplaintext: yes'), plain), [])
  const proxies = configure('proxyservers: front')
  await passwordStore(proxies).set('front@b.example.org', 'pw')
  t.match(await start(proxies, 'PLAIN').step(Buffer.from('alice\0front\0pw')), { state: 'done', user: 'alice' })
})

t.test('a verified password completes the keys with sasl_auto_transition', async (t) => {
  const file = join(folder, 'old.json')
  const store = new PasswordStore(file)
  await store.set('alice@b.example.org', 'alicepw')
  const { sha1 } = (await store.find('alice@b.example.org'))!
  await store.import({ user: 'alice@b.example.org', sha1 })
  const lines = `sasl_sasldb_path: ${file}\nsasl_mech_list: PLAIN CRAM-MD5\nsasl_password_cache: 0`
  t.ok((await verifyPassword(configure(lines), 'imap', 'alice', 'alicepw')).ok)
  t.equal((await store.find('alice@b.example.org'))!.sha256, undefined, 'not unless asked for')
  t.ok((await verifyPassword(configure(`${lines}\nsasl_auto_transition: yes`), 'imap', 'alice', 'alicepw')).ok)
  const entry = (await store.find('alice@b.example.org'))!
  t.ok(entry.sha256 && entry.sha1 && entry.md5)
  t.ok(await store.verify('alice@b.example.org', 'alicepw'))
})

t.test('keys as other servers keep them', async (t) => {
  // salt, iterations and password of RFC 5802 §5
  const salt = Buffer.from('QSXCR+Q6sek8bf92', 'base64')
  const { storedKey, serverKey } = keysOf('sha1', await saltPassword('sha1', 'pencil', salt, 4096))
  const parts = [salt, storedKey, serverKey].map((part) => part.toString('base64'))
  const store = new PasswordStore(join(folder, 'imported.json'))
  for (const written of [
    `SCRAM-SHA-1$4096:${parts[0]}$${parts[1]}:${parts[2]}`,
    `{SCRAM-SHA-1}4096,${parts.join(',')}`,
  ]) {
    const keys = parseStoredKeys(written)!
    await store.import({ user: 'user@b.example.org', ...keys })
    t.equal(await store.verify('user@b.example.org', 'pencil'), true, written)
    t.equal(await store.verify('user@b.example.org', 'pen'), false)
  }
  for (const wrong of ['', 'pencil', 'SCRAM-SHA-256$4096:QQ==$QQ==:QQ==', '{PLAIN}x', 'SCRAM-SHA-1$0:QQ==$$'])
    t.equal(parseStoredKeys(wrong), undefined, wrong)
})

t.test('failures from one address cost more each time', async (t) => {
  const path = join(folder, 'failed_logins')
  const failures = new FailedLogins(path)
  const waits = [1, 2, 3, 4, 5, 6, 7].map((n) => failures.failed('192.0.2.1', 3, 60, n))
  t.strictSame(waits, [3, 6, 12, 24, 48, 60, 60])
  t.equal(failures.failed('192.0.2.2', 3, 60, 8), 3, 'another address')
  const other = new FailedLogins(path)
  t.equal(other.failed('192.0.2.2', 3, 60, 9), 6, 'another process')
  t.equal(failures.failed('192.0.2.2', 3, 60, 10), 12, 'and this one again')
  t.equal(failures.failed('192.0.2.1', 3, 60, 8 + 16 * 60), 3, 'forgotten after a while')
  t.equal(failures.failed('192.0.2.1', 0, 60, 9), 0, 'no pause is no pause')
  failures.failed('unix', 3, 60, 1)
  t.equal(failures.failed('unix', 3, 60, 2), 3)
  const size = statSync(path).size
  for (let n = 0; n < 100_000; n++) failures.failed(`host${n}`, 3, 60, 2000)
  t.ok(statSync(path).size <= 16_384 * 16 && size <= 16_384 * 16, 'bounded')
  t.equal(failures.failed('192.0.2.1', 3, 60, 2001), 3, 'the oldest are forgotten when there are many')
  t.equal(statSync(path).mode & 0o777, 0o600)
  writeFileSync(path, 'x'.repeat(1000))
  t.ok(failures.failed('192.0.2.9', 3, 60, 2001) <= 60, 'nonsense in the file')
  const nowhere = new FailedLogins(join(folder, 'no/such/directory'))
  nowhere.failed('192.0.2.1', 3, 60, 1)
  t.equal(nowhere.failed('192.0.2.1', 3, 60, 2), 6, 'in memory where there is no file')
})
