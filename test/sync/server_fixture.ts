/** A replication server in this process over a store of its own, and a plain client to drive it. Not a test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Config } from '../../lib/config/config.js'
import { Connection } from '../../lib/net/connection.js'
import { ServerTls } from '../../lib/net/server_tls.js'
import type { Logger } from '../../lib/process/log.js'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { MailStore } from '../../lib/store/store.js'
import { serveReplication } from '../../lib/sync/server/session.js'

export interface Fixture {
  readonly config: Config
  readonly store: MailStore
  readonly folder: string
  readonly port: number
  /** what was logged */
  readonly logged: string[]
  readonly stopping: AbortController
  close(): Promise<void>
}

export function collectingLog(into: string[]): Logger {
  const add = (message: string): void => void into.push(message)
  return { debug: () => {}, info: add, notice: add, warning: add, error: add }
}

/** A configuration and an empty store in a temporary folder; partitions default and other. */
export async function openStore(
  extra = '',
  replica = false,
): Promise<{ folder: string; config: Config; store: MailStore; logged: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'csync-'))
  const path = join(folder, 'imapd.conf')
  writeFileSync(
    path,
    `configdirectory: ${folder}/conf\npartition-default: ${folder}/default\npartition-other: ${folder}/other\ndefaultpartition: default\nservername: b.example.org\nadmins: repl cyrus\n${/^allowplaintext:/m.test(extra) ? '' : 'allowplaintext: yes\n'}failedloginpause: 0\n${extra}`,
  )
  const config = Config.load(path)
  const logged: string[] = []
  const store = await MailStore.open(config, collectingLog(logged), { replica })
  return { folder, config, store, logged }
}

/** A server on a port of the kernel's choice; user repl, password replpw. */
export async function startServer(extra = ''): Promise<Fixture> {
  const { folder, config, store, logged } = await openStore(extra, true)
  await passwordStore(config).set('repl@b.example.org', 'replpw')
  await passwordStore(config).set('alice@b.example.org', 'alicepw')
  const stopping = new AbortController()
  const sessions = new Set<Promise<void>>()
  const server = net.createServer((socket) => {
    const session = serveReplication(new Connection(socket, { idleTimeout: 60 }), {
      config,
      store,
      log: collectingLog(logged),
      protectedOutside: 0,
      tls: ServerTls.from(config, collectingLog(logged)),
      setUser: () => {},
      stopping: stopping.signal,
    })
    sessions.add(session)
    session.finally(() => sessions.delete(session)).catch((error) => logged.push(`UNCAUGHT ${error}`))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  return {
    config,
    store,
    folder,
    port,
    logged,
    stopping,
    async close() {
      stopping.abort()
      server.close()
      await Promise.all(sessions)
      await store.settled()
      await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A connection that says bytes and collects answers. */
export class RawClient {
  #text = ''
  #wake: (() => void) | undefined
  ended = false
  constructor(readonly socket: net.Socket) {
    socket.setNoDelay(true)
    socket.on('data', (data) => {
      this.#text += data.toString('latin1')
      this.#wake?.()
    })
    socket.on('close', () => {
      this.ended = true
      this.#wake?.()
    })
    socket.on('error', () => {})
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new RawClient(socket)
  }

  say(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'))
  }

  /** Everything up to and with a match, which must come within ten seconds; what is behind it stays. */
  async until(pattern: RegExp): Promise<string> {
    const deadline = Date.now() + 10_000
    for (;;) {
      const match = pattern.exec(this.#text)
      if (match !== null) {
        const end = match.index + match[0].length
        const taken = this.#text.slice(0, end)
        this.#text = this.#text.slice(end)
        return taken
      }
      if (this.ended || Date.now() > deadline) {
        const taken = this.#text
        this.#text = ''
        return `${taken}<${this.ended ? 'closed' : 'nothing more'}>`
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(
          resolve,
          10_100 - (deadline - Date.now() > 10_000 ? 0 : 10_000 - (deadline - Date.now())),
        )
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** One command and its answer, to the final line. */
  async ask(text: string): Promise<string> {
    this.say(text)
    return this.until(/^(?:OK|NO|BAD|BYE|\* Fatal)[^\n]*\n/m)
  }

  /** Greeting and login as repl. */
  async login(user = 'repl', password = 'replpw'): Promise<void> {
    await this.until(/^\* OK [^\n]*\n/m)
    await this.ask(`AUTHENTICATE PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}\r\n`)
  }

  close(): void {
    this.socket.destroy()
  }
}
