/** The program itself: --help, one conversation over standard input, configuration errors. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { startServer, temporaryDirectory } from './server.js'

const main = new URL('../../services/imapd/main.js', import.meta.url).pathname
const imapd = (args: string[], input = '') =>
  spawnSync(process.execPath, [main, ...args], { input, encoding: 'latin1' })

t.test('imapd -X, --help, and what it says when it cannot start', async (t) => {
  const directory = temporaryDirectory()
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
  await (await startServer(directory)).close()
  const file = path.join(directory, 'imapd.conf')

  const help = imapd(['--help'])
  t.equal(help.status, 0)
  t.match(help.stdout, /^usage: imapd /)

  const talk = imapd(['-C', file, '-X'], '1 LOGIN alice testpw\r\n2 STATUS INBOX (MESSAGES)\r\n3 LOGOUT\r\n')
  t.equal(talk.status, 0)
  t.match(
    talk.stdout,
    /^\* OK \[CAPABILITY .*\r\n1 OK .* SESSIONID=<localhost-\d+-\d+-1-\d+>\r\n\* STATUS INBOX \(MESSAGES 0\)\r\n2 OK Completed\r\n\* BYE .*\r\n3 OK Completed\r\n$/,
  )

  const without = imapd(['-C', file, '-X', '-s'])
  t.equal(without.status, 78)
  t.match(without.stderr, /^imapd: .*imapd\.conf.*: imapd -s needs tls_server_cert and tls_server_key\n$/)

  fs.appendFileSync(file, `tls_server_cert: ${directory}/none.pem\n`)
  const missing = imapd(['-C', file, '-X'])
  t.equal(missing.status, 78)
  t.match(missing.stderr, /^imapd: .*imapd\.conf:\d+: TLS cannot be offered: .*none\.pem'?\n$/)

  fs.writeFileSync(file, `${fs.readFileSync(file, 'utf8').replace(/^tls.*\n/m, '')}sasl_pwcheck_method: pam\n`)
  const method = imapd(['-C', file, '-X'], '1 NOOP\r\n')
  t.equal(method.status, 78)
  t.match(
    method.stderr,
    /^imapd: .*imapd\.conf:\d+: sasl_pwcheck_method must be auxprop or saslauthd, not "pam"\n$/,
    'told at the start, not at each connection',
  )

  t.equal(imapd([]).status, 70)
  t.equal(imapd(['-q']).status, 64)
})
