import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import t from 'tap'
import { Connection } from '../../lib/net/connection.js'
import { socketPair } from './socket_pair.js'

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'net-tls-'))
t.teardown(() => fs.rmSync(dir, { recursive: true }))
const keyFile = path.join(dir, 'key.pem')
const certFile = path.join(dir, 'cert.pem')
execFileSync(
  'openssl',
  [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ].concat(['-addext', 'subjectAltName=DNS:localhost', '-keyout', keyFile, '-out', certFile]),
  { stdio: 'ignore' },
)
const key = fs.readFileSync(keyFile)
const cert = fs.readFileSync(certFile)

t.test('STARTTLS in the middle of a conversation, injected plain text dropped', async (t) => {
  const { server, client } = await socketPair(t)
  const a = new Connection(server)
  const b = new Connection(client)
  b.write('STARTTLS\r\nINJECTED\r\n')
  t.equal((await a.readLine())?.toString(), 'STARTTLS')
  a.write('OK\r\n')
  const accepted = a.startTls(tls.createSecureContext({ key, cert }), 'server')
  t.equal((await b.readLine())?.toString(), 'OK')
  await b.startTls({ ca: cert, servername: 'localhost' }, 'client')
  await accepted
  b.write('protected\r\n')
  t.equal((await a.readLine())?.toString(), 'protected', 'not the injected line')
  a.startDeflate()
  b.startDeflate()
  a.write('squeezed and protected\r\n')
  t.equal((await b.readLine())?.toString(), 'squeezed and protected')
  b.close()
  t.equal(await a.readLine(), null)
})

t.test('a handshake that fails closes the connection', async (t) => {
  const { server, client } = await socketPair(t)
  const a = new Connection(server)
  const b = new Connection(client)
  const accepted = a.startTls({ key, cert }, 'server')
  const connecting = b.startTls({ servername: 'localhost' }, 'client')
  await t.rejects(connecting, { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  await accepted.catch(() => undefined)
  t.equal(b.closed, true)
  t.equal(await a.readLine(), null)
})

t.test('rubbish instead of a handshake', async (t) => {
  const { server, client } = await socketPair(t)
  const a = new Connection(server)
  const accepted = a.startTls({ key, cert }, 'server')
  client.write('hello, is this IMAP?\r\n')
  await t.rejects(accepted)
  t.equal(a.closed, true)
})
