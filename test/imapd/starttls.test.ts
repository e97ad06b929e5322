/** STARTTLS (RFC 3501 §6.2.1), and logins only under TLS. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import t from 'tap'
import { Connection } from '../../lib/net/connection.js'
import { fixture } from './fixture.js'
import { temporaryDirectory } from './server.js'

t.test('nobody logs in with a password in the clear; with TLS they do', async (t) => {
  const directory = temporaryDirectory()
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
  const [key, cert] = [path.join(directory, 'key.pem'), path.join(directory, 'cert.pem')]
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  execFileSync(
    'openssl',
    [...request.split(' '), '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  )
  const { server } = await fixture(t, `allowplaintext: no\ntls_server_cert: ${cert}\ntls_server_key: ${key}`)
  const socket = net.connect({ port: server.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const client = new Connection(socket)
  const line = async () => (await client.readLine())?.toString() ?? 'EOF'
  t.match(await line(), /^\* OK \[CAPABILITY [^\]]*STARTTLS LOGINDISABLED/)
  client.write('1 LOGIN alice testpw\r\n')
  t.match(await line(), /^1 NO \[PRIVACYREQUIRED\]/)
  client.write('2 AUTHENTICATE PLAIN\r\n')
  t.match(await line(), /^2 NO \[PRIVACYREQUIRED\]/)
  client.write('3 STARTTLS\r\nX LOGOUT\r\n')
  t.match(await line(), /^3 OK/)
  await client.startTls({ ca: fs.readFileSync(cert), servername: 'localhost' }, 'client')
  client.write('4 CAPABILITY\r\n')
  const capabilities = await line()
  t.notMatch(capabilities, /STARTTLS|LOGINDISABLED/)
  t.match(capabilities, /AUTH=PLAIN/)
  t.equal(await line(), '4 OK Completed', 'what was sent in the clear behind STARTTLS was dropped')
  client.write('5 STARTTLS\r\n6 LOGIN alice testpw\r\n')
  t.equal(await line(), '5 BAD Unrecognized command')
  t.match(await line(), /^6 OK \[CAPABILITY [^\]]*COMPRESS=DEFLATE[^\]]*\] User logged in SESSIONID=</)
  client.close()
})
