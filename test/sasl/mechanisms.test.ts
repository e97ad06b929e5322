/** SASL mechanisms: both sides against each other, the client against what real Cyrus servers accepted (csync captures 61-*), RFC vectors. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Config } from '../../lib/config/config.js'
import type { Channel } from '../../lib/net/channel.js'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { startCramMd5, startDigestMd5 } from '../../lib/sasl/client_md5.js'
import { type ClientCredentials, startClientMechanism } from '../../lib/sasl/client_mechanism.js'
import { startScramClient } from '../../lib/sasl/client_scram.js'
import { type ServerStep, serverMechanisms, startServerMechanism } from '../../lib/sasl/server_mechanism.js'

const folder = mkdtempSync(join(tmpdir(), 'sasl-'))
t.teardown(() => rmSync(folder, { recursive: true }))

let files = 0
function configure(text: string): Config {
  const path = join(folder, `imapd${++files}.conf`)
  writeFileSync(path, `configdirectory: ${folder}\nservername: b.example.org\nfailedloginpause: 0\n${text}`)
  return Config.load(path)
}
const credentials = (user: string, password: string): ClientCredentials => ({
  user,
  password,
  service: 'csync',
  host: '127.0.0.1',
})
const channel = (encrypted: boolean): Channel => ({
  remote: 'unix',
  strength: encrypted ? 256 : 0,
  binding: () => undefined,
})
const b64 = (text: string): Buffer => Buffer.from(text, 'base64')

/** Runs our client against our server over the steps that csync and IMAP carry. */
async function login(
  config: Config,
  mechanism: string,
  user: string,
  password: string,
  encrypted = true,
): Promise<ServerStep> {
  const client = startClientMechanism([mechanism], credentials(user, password))!
  const server = startServerMechanism({ config, service: 'csync', channel: channel(encrypted) }, mechanism)
  if (typeof server === 'string') return { state: 'failed', reason: server }
  let step = await server.step(client.initial)
  while (step.state === 'challenge') step = await server.step(await client.step(step.challenge))
  if (step.state === 'done') t.ok(client.complete, `${mechanism}: the client has seen all it must`)
  return step
}

t.test('our client logs in to our server with every mechanism', async (t) => {
  const config = configure('admins: repl cyrus\n')
  await passwordStore(config).set('repl@b.example.org', 'replpw')
  await passwordStore(config).set('alice@b.example.org', 'päß wörd')
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN', 'LOGIN']) {
    t.match(
      await login(config, mechanism, 'repl', 'replpw'),
      { state: 'done', user: 'repl', authenticated: 'repl' },
      mechanism,
    )
    t.match(
      await login(config, mechanism, 'Alice', 'päß wörd'),
      { state: 'done', user: 'alice' },
      `${mechanism}, case and 8-bit`,
    )
    t.match(
      await login(config, mechanism, 'repl', 'wrong'),
      { state: 'failed', claimed: 'repl' },
      `${mechanism}, wrong password`,
    )
    t.match(await login(config, mechanism, 'nobody', 'replpw'), { state: 'failed' }, `${mechanism}, no such user`)
    t.match(
      await login(config, mechanism, 'repl@b.example.org', 'replpw'),
      { reason: /cross-realm|wrong user/ },
      `${mechanism}, realm`,
    )
  }
})

t.test('what is offered is what works', async (t) => {
  t.strictSame(serverMechanisms(configure('allowplaintext: no'), channel(false)), ['SCRAM-SHA-256', 'SCRAM-SHA-1'])
  t.strictSame(serverMechanisms(configure('sasl_mech_list: plain scram-sha-256 gssapi'), channel(true)), [
    'SCRAM-SHA-256',
    'PLAIN',
  ])
  t.strictSame(serverMechanisms(configure('sasl_pwcheck_method: saslauthd'), channel(true)), ['PLAIN', 'LOGIN'])
  t.strictSame(
    serverMechanisms(configure(`sasl_sasldb_path: ${folder}/none`), channel(true)),
    ['PLAIN', 'LOGIN'],
    'no password file',
  )
  const context = { config: configure('allowplaintext: no'), service: 'imap', channel: channel(false) }
  t.equal(startServerMechanism(context, 'plain'), 'encryption needed')
  t.equal(startServerMechanism(context, 'FOO'), 'unknown')
  t.throws(
    () => serverMechanisms(configure('sasl_pwcheck_method: pam'), channel(true)),
    /imapd\d+\.conf:4: sasl_pwcheck_method/,
  )
})

t.test('authorization ids', async (t) => {
  const config = configure('admins: repl')
  const plain = async (authzid: string, user: string, password: string): Promise<ServerStep> => {
    const server = startServerMechanism({ config, service: 'imap', channel: channel(true) }, 'PLAIN')
    if (typeof server === 'string') throw new Error(server)
    return server.step(Buffer.from(`${authzid}\0${user}\0${password}`))
  }
  t.match(await plain('alice', 'repl', 'replpw'), { state: 'done', user: 'alice', authenticated: 'repl' })
  t.match(await plain('alice', 'alice', 'päß wörd'), { state: 'done', user: 'alice' })
  t.match(await plain('repl', 'alice', 'päß wörd'), { state: 'failed', reason: /not an admin/ })
  t.match(await plain('../x', 'repl', 'replpw'), { state: 'failed' })
  const scram = startServerMechanism({ config, service: 'imap', channel: channel(true) }, 'SCRAM-SHA-256')
  if (typeof scram === 'string') throw new Error(scram)
  t.match(await scram.step(Buffer.from('p=tls-unique,,n=repl,r=abc')), { state: 'failed', reason: /channel binding/ })
})

t.test('SCRAM refuses tampering', async (t) => {
  const config = configure('')
  const exchange = async (change: (final: string) => string): Promise<ServerStep> => {
    const client = startScramClient(credentials('repl', 'replpw'), 'sha256')
    const server = startServerMechanism({ config, service: 'imap', channel: channel(true) }, 'SCRAM-SHA-256')
    if (typeof server === 'string') throw new Error(server)
    const first = await server.step(client.initial)
    if (first.state !== 'challenge') throw new Error(first.state)
    return server.step(Buffer.from(change((await client.step(first.challenge)).toString())))
  }
  t.match(await exchange((final) => final), { state: 'challenge' })
  t.match(await exchange((final) => final.replace('c=biws', 'c=eSws')), { state: 'failed', reason: /channel binding/ })
  t.match(await exchange((final) => final.replace(/r=./, 'r=~')), { state: 'failed', reason: /nonce/ })
  t.match(await exchange((final) => final.replace(/p=.*/, 'p=AAAA')), { state: 'failed', reason: /proof/ })
  t.match(await exchange(() => ''), { state: 'failed', reason: /malformed/ })
  const forged = startScramClient(credentials('repl', 'replpw'), 'sha256', 'abc')
  await forged.step(Buffer.from('r=abcdef,s=AAAA,i=4096'))
  await t.rejects(forged.step(Buffer.from('v=AAAA')), /does not know the password/)
  t.notOk(forged.complete)
  for (const bad of [
    'r=xyz,s=AAAA,i=4096',
    'r=abc,s=AAAA,i=4096',
    'r=abcd,s=,i=4096',
    'r=abcd,s=AAAA,i=999999999',
    'rubbish',
  ]) {
    await t.rejects(
      startScramClient(credentials('repl', 'x'), 'sha1', 'abc').step(Buffer.from(bad)),
      /SCRAM-SHA-1: /,
      bad,
    )
  }
})

t.test('byte-exact against real Cyrus: SCRAM-SHA-256 (capture 61-auth-scram-sha-256)', async (t) => {
  const initial = b64('biwsbj1yZXBsLHI9TXhjZGlWbVoxTDMra2pvY25vbHNYWEk0QWVONmY1a0s=')
  const client = startScramClient(credentials('repl', 'replpw'), 'sha256', initial.toString().split('r=')[1])
  t.strictSame(client.initial, initial)
  const final = await client.step(
    b64(
      'cj1NeGNkaVZtWjFMMytram9jbm9sc1hYSTRBZU42ZjVrS0lva01MNW85WWxBc1hSa09UQ1dhNmo0OGpLVE1oV25ZLHM9S3RLWTVGOUxPS3VnaXo2eUd0SHNDcFNnUno2bTEvZDZxeG44SE5aVFA3ST0saT00MDk2',
    ),
  )
  t.equal(
    final.toString('base64'),
    'Yz1iaXdzLHI9TXhjZGlWbVoxTDMra2pvY25vbHNYWEk0QWVONmY1a0tJb2tNTDVvOVlsQXNYUmtPVENXYTZqNDhqS1RNaFduWSxwPSs3SktpVzRVU1FWdWxoTTRMMlRpTk1MdGZwbG9wUXRZODJWR0ZPWkhsbXM9',
  )
  t.strictSame(
    await client.step(b64('dj1nZytyZ3g4MDlMVnZiZ2c3QWRGMGQvNS92NEZPUUtRN3B3cGJVcFp4QkNJPQ==')),
    Buffer.alloc(0),
  )
  t.ok(client.complete)
})

t.test('CRAM-MD5 (capture 61-auth-cram-md5) and DIGEST-MD5 (RFC 2831 §4)', async (t) => {
  const cram = startCramMd5(credentials('repl', 'replpw'))
  t.strictSame(
    await cram.step(b64('PDIyNTM0OTI1MDguMjcxNDA4QGIuZXhhbXBsZS5vcmc+')),
    b64('cmVwbCA4ZDMwZWM3Y2JlMGEyNGNiNGZmNzA0MjgxZDk3MjgyNw=='),
  )
  const chris = {
    user: 'chris',
    password: 'secret',
    realm: 'elwood.innosoft.com',
    service: 'imap',
    host: 'elwood.innosoft.com',
  }
  const digest = startDigestMd5(chris, 'OA6MHXh6VqTrRk')
  const response = await digest.step(
    Buffer.from('realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'),
  )
  t.match(response.toString(), 'response=d388dad90d4bbd760a152321f2143af7')
  t.match(response.toString(), 'digest-uri="imap/elwood.innosoft.com"')
  t.strictSame(await digest.step(Buffer.from('rspauth=ea40f60335c427b5527b84dbabcdfffd')), Buffer.alloc(0))
  t.ok(digest.complete)
  await t.rejects(
    startDigestMd5(chris).step(Buffer.from('realm="x",nonce="y",qop="auth-conf",algorithm=md5-sess')),
    /security layer/,
  )
})

t.test('the strongest common mechanism is chosen', async (t) => {
  const choose = (offered: string, wanted: string[] = []): string | undefined =>
    startClientMechanism(offered.split(' '), credentials('repl', 'replpw'), wanted)?.name
  t.equal(choose('DIGEST-MD5 CRAM-MD5 PLAIN SCRAM-SHA-256'), 'SCRAM-SHA-256')
  t.equal(choose('plain digest-md5'), 'DIGEST-MD5')
  t.equal(choose('LOGIN PLAIN'), 'PLAIN')
  t.equal(choose('PLAIN SCRAM-SHA-256', ['plain']), 'PLAIN')
  t.equal(choose('GSSAPI OTP'), undefined)
})
