/** TLS as imapd.conf sets it, over real connections: clients' certificates and EXTERNAL, channel binding of both sides, certificates replaced on disk. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import type tls from 'node:tls'
import t, { type Test } from 'tap'
import { endPoint } from '../../lib/net/channel.js'
import { Connection } from '../../lib/net/connection.js'
import { attributes, hmac, keysOf, saltPassword, xor } from '../../lib/sasl/scram.js'
import { fixture } from './fixture.js'
import { temporaryDirectory } from './server.js'

const directory = temporaryDirectory()
t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
const file = (name: string) => path.join(directory, name)
const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', cwd: directory })
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
const selfSigned = (name: string, cn: string) =>
  openssl('req', '-x509', ...EC, '-days', '2', '-subj', `/CN=${cn}`, '-keyout', `${name}.key`, '-out', `${name}.pem`)

selfSigned('server', 'localhost')
selfSigned('ca', 'Our CA')
selfSigned('stranger', 'alice')
openssl('req', ...EC, '-subj', '/O=Us/CN=alice', '-keyout', 'alice.key', '-out', 'alice.csr')
openssl('x509', '-req', '-in', 'alice.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '2', '-out', 'alice.pem')

const SETTINGS = `tls_server_cert: ${file('server.pem')}
tls_server_key: ${file('server.key')}
sasl_mech_list: EXTERNAL PLAIN SCRAM-SHA-256`

class Client {
  constructor(readonly connection: Connection) {}

  async line(): Promise<string> {
    return (await this.connection.readLine())?.toString('latin1') ?? 'EOF'
  }

  async ask(text: string): Promise<string> {
    this.connection.write(`${text}\r\n`)
    return this.line()
  }

  get socket(): tls.TLSSocket {
    return this.connection.socket as tls.TLSSocket
  }
}

/** A client that has said STARTTLS. */
async function secured(t: Test, port: number, options: tls.ConnectionOptions = {}): Promise<Client> {
  const socket = net.connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const client = new Client(new Connection(socket, { idleTimeout: 20 }))
  t.teardown(() => client.connection.destroy())
  await client.line()
  await client.ask('1 STARTTLS')
  await client.connection.startTls({ rejectUnauthorized: false, ...options } as tls.ConnectionOptions, 'client')
  return client
}
const pair = (name: string) => ({
  cert: fs.readFileSync(file(`${name}.pem`)),
  key: fs.readFileSync(file(`${name}.key`)),
})

t.test('a certificate logs its owner in', async (t) => {
  const { server } = await fixture(t, `${SETTINGS}\ntls_client_ca_file: ${file('ca.pem')}`)
  const alice = await secured(t, server.port, pair('alice'))
  t.match(await alice.ask('2 CAPABILITY'), /AUTH=EXTERNAL/)
  await alice.line()
  t.match(await alice.ask('3 AUTHENTICATE EXTERNAL ='), /^3 OK .*Success \(tls protection\)/)
  const stranger = await secured(t, server.port, pair('stranger'))
  t.notMatch(await stranger.ask('2 CAPABILITY'), /AUTH=EXTERNAL/, 'signed by somebody else')
  const nobody = await secured(t, server.port)
  t.notMatch(await nobody.ask('2 CAPABILITY'), /AUTH=EXTERNAL/, 'no certificate')
})

t.test('tls_client_certs: require', async (t) => {
  const { server } = await fixture(
    t,
    `${SETTINGS}\ntls_client_ca_file: ${file('ca.pem')}\ntls_client_certs: require\ntls_versions: tls1_2`,
  )
  const alice = await secured(t, server.port, pair('alice'))
  t.equal(alice.socket.getProtocol(), 'TLSv1.2', 'tls_versions')
  t.match(await alice.ask('2 CAPABILITY'), /AUTH=EXTERNAL/)
  const refused = async (options: tls.ConnectionOptions): Promise<string> => {
    try {
      const client = await secured(t, server.port, options)
      return await client.ask('2 CAPABILITY')
    } catch {
      return 'EOF'
    }
  }
  t.equal(await refused({}), 'EOF')
  t.equal(await refused(pair('stranger')), 'EOF')
})

t.test('both ends compute the same channel binding', async (t) => {
  for (const version of ['tls1_2', 'tls1_3']) {
    const { server } = await fixture(t, `${SETTINGS}\ntls_versions: ${version}`)
    for (const type of ['tls-exporter', 'tls-unique', 'tls-server-end-point']) {
      const client = await secured(t, server.port)
      const { socket } = client
      const data =
        type === 'tls-exporter'
          ? socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
          : type === 'tls-unique'
            ? socket.getFinished()!
            : endPoint(socket.getPeerCertificate().raw)!
      t.match(await client.ask('2 CAPABILITY'), /AUTH=SCRAM-SHA-256-PLUS AUTH=SCRAM-SHA-256 /)
      await client.line()
      const gs2 = `p=${type},,`
      const bare = 'n=alice,r=nonce'
      const b64 = (text: string | Buffer): string => Buffer.from(text).toString('base64')
      const first = Buffer.from(
        (await client.ask(`3 AUTHENTICATE SCRAM-SHA-256-PLUS ${b64(gs2 + bare)}`)).slice(2),
        'base64',
      ).toString()
      const values = new Map(attributes(first)!)
      const salt = Buffer.from(values.get('s')!, 'base64')
      const { clientKey, storedKey } = keysOf(
        'sha256',
        await saltPassword('sha256', 'testpw', salt, Number(values.get('i'))),
      )
      const final = `c=${b64(Buffer.concat([Buffer.from(gs2), data]))},r=${values.get('r')}`
      const signature = hmac('sha256', storedKey, `${bare},${first},${final}`)
      await client.ask(b64(`${final},p=${b64(xor(clientKey, signature))}`))
      t.match(await client.ask(''), /^3 OK /, `${type} over ${version}`)
    }
  }
})

t.test('a certificate that is replaced is used for the next handshake; a broken one is not', async (t) => {
  selfSigned('renewed', 'before')
  const { server } = await fixture(t, SETTINGS.replaceAll('server.', 'renewed.'))
  const subject = async () => (await secured(t, server.port)).socket.getPeerCertificate().subject.CN
  t.equal(await subject(), 'before')
  selfSigned('renewed', 'after')
  t.equal(await subject(), 'after')
  fs.writeFileSync(file('renewed.pem'), 'no certificate')
  t.equal(await subject(), 'after')
  t.match(server.errors.splice(0).join(), /TLS: .*the certificates read before stay in use/)
})
