/**
 * imapd's sessions in this process, on a socket, over a store in a temporary directory: what conversation tests talk to.
 * Also runs alone (`node server.js DIRECTORY [LINES]`) for trying programs against it.
 */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { Config } from '../../lib/config/config.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { Connection } from '../../lib/net/connection.js'
import type { Logger } from '../../lib/process/log.js'
import { MessageUuids } from '../../lib/process/message_uuid.js'
import { newSessionId } from '../../lib/process/session_id.js'
import { passwordStore, wantsMd5 } from '../../lib/sasl/check_password.js'
import { MailStore } from '../../lib/store/store.js'
import { Imapd } from '../../services/imapd/imapd.js'
import { Session } from '../../services/imapd/session.js'

export interface TestServer {
  readonly port: number
  readonly store: MailStore
  readonly config: Config
  /** lines that were logged as errors */
  readonly errors: string[]
  /** as SIGTERM does */
  stop(): void
  close(): Promise<void>
}

/** Users alice, bob and the administrator cyrus, password `testpw`. @param extra lines of imapd.conf */
export async function startServer(directory: string, extra = ''): Promise<TestServer> {
  const file = path.join(directory, 'imapd.conf')
  fs.mkdirSync(path.join(directory, 'conf'), { recursive: true })
  fs.writeFileSync(
    file,
    `configdirectory: ${directory}/conf
partition-default: ${directory}/spool
servername: localhost
admins: cyrus
${extra.includes('allowplaintext') ? '' : 'allowplaintext: yes\n'}failedloginpause: 0
${extra.includes('altnamespace') ? '' : 'unixhierarchysep: no\naltnamespace: no\n'}${extra.includes('sasl_mech_list') ? '' : 'sasl_mech_list: PLAIN LOGIN\n'}
${extra}`,
  )
  const config = Config.load(file)
  const errors: string[] = []
  const quiet = () => undefined
  const log: Logger = {
    debug: quiet,
    info: quiet,
    notice: quiet,
    warning: quiet,
    error: (text) => void errors.push(text),
  }
  const store = await MailStore.open(config, log)
  for (const user of ['alice', 'bob', 'cyrus']) {
    await passwordStore(config).set(`${user}@localhost`, 'testpw', { md5: wantsMd5(config) })
    if (user !== 'cyrus' && !store.mailbox(`user.${user}`)) await createMailbox(store, `user.${user}`)
  }
  const imapd = new Imapd(config, log, store, new MessageUuids(undefined))
  const stopping = new AbortController()
  const sessions = new Set<Promise<void>>()
  const listener = net.createServer((socket) => {
    const session = new Session(imapd, new Connection(socket, { idleTimeout: 60 }), {
      id: newSessionId('test'),
      setUser: quiet,
      setMailbox: quiet,
      setCommand: quiet,
      log,
      stopping: stopping.signal,
    })
    const run = session.run().catch((error: Error) => void errors.push(error.stack ?? error.message))
    sessions.add(run)
    void run.finally(() => sessions.delete(run))
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    port: (listener.address() as net.AddressInfo).port,
    store,
    config,
    errors,
    stop: () => stopping.abort(),
    async close() {
      stopping.abort()
      listener.close()
      await Promise.all(sessions)
      await store.close()
    },
  }
}

/** A directory for a test's server. */
export function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'imapd-test-'))
}

const [, program, directory, extra = ''] = process.argv
if (directory && program?.endsWith('/test/imapd/server.js')) {
  const server = await startServer(directory, extra)
  fs.writeFileSync(path.join(directory, 'port'), String(server.port))
  process.stdout.write(`${server.port}\n`)
  process.on('SIGTERM', () => void server.close().then(() => process.exit(0)))
}
