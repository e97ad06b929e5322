/** The real Cyrus' sync_client logs in to our sync_server with every mechanism that it and an older one may insist on. */
import { spawn } from 'node:child_process'
import { appendFileSync, chmodSync, rmSync } from 'node:fs'
import t from 'tap'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { needsCyrus } from '../lab/needs.js'
import { startServer } from '../sync/server_fixture.js'
import { CYRUS_BIN, cyrusDirectory } from './cyrus_config.js'

t.test('sync_client against our server', async (t) => {
  if (!needsCyrus(t)) return
  for (const mechanism of ['CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']) {
    const server = await startServer(`sasl_mech_list: ${mechanism}`)
    await passwordStore(server.config).set('repl@b.example.org', 'replpw', { md5: true })
    const cyrus = cyrusDirectory('adminpw')
    try {
      appendFileSync(
        cyrus.imapdConf,
        `sync_host: 127.0.0.1
sync_port: ${server.port}
sync_authname: repl
sync_password: replpw
sync_realm: b.example.org
sync_try_imap: no
force_sasl_client_mech: ${mechanism}
`,
      )
      chmodSync(cyrus.imapdConf, 0o644)
      const client = spawn(`${CYRUS_BIN}/sync_client`, ['-C', cyrus.imapdConf, '-v', '-u', 'nobody'], {
        stdio: 'ignore',
        timeout: 30_000,
      })
      await new Promise((resolve) => client.once('close', resolve))
      t.ok(
        server.logged.some((line) => line.includes(`repl ${mechanism} User logged in`)),
        `${mechanism}: ${server.logged.join('; ')}`,
      )
    } finally {
      await server.close()
      rmSync(cyrus.dir, { recursive: true, force: true })
    }
  }
})
