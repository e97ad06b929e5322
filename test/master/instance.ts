/**
 * A master of its own for a test: a temporary directory, configuration files, the real program started as a process, connections to its
 * services. The services do as they are told: `testd` (test/process/program) stands on lib/process, `tiny` (test/master/tiny) on nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { launcher } from '../../lib/os/link_programs.js'
import { freePorts } from '../lab/wait.js'

const DIST = fileURLToPath(new URL('../..', import.meta.url))

/** Waits for a condition, looking again every few milliseconds. @throws {Error} naming it when it is not met within 15 s */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** A port that is free now, and that no other test is given. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port!
}

/** Whether a process is there and no zombie. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** A conversation with the test service. */
export class Client {
  readonly #lines: string[] = []
  #waiting: (() => void) | undefined
  ended = false

  private constructor(readonly socket: net.Socket) {
    const lines = createInterface({ input: socket })
    lines.on('line', (line) => {
      this.#lines.push(line)
      this.#waiting?.()
    })
    // readline hands the socket's errors on
    lines.on('error', () => undefined)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.ended = true
      this.#waiting?.()
    })
  }

  static async connect(where: string | number, host = '127.0.0.1'): Promise<Client> {
    const socket = typeof where === 'string' ? net.connect(where) : net.connect(where, host)
    await once(socket, 'connect')
    return new Client(socket)
  }

  /** The next line; undefined at the end. @throws {Error} after 15 s */
  async line(): Promise<string | undefined> {
    const limit = setTimeout(() => this.socket.destroy(new Error('no line for 15 s')), 15_000)
    while (this.#lines.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
    clearTimeout(limit)
    return this.#lines.shift()
  }

  /** Lines that are here but not taken. */
  get waiting(): number {
    return this.#lines.length
  }

  /** Pid of the serving process, from its greeting. */
  async pid(): Promise<number> {
    const greeting = await this.line()
    return Number(/^hello (\d+)/.exec(greeting ?? '')?.[1])
  }

  say(line: string): void {
    this.socket.write(`${line}\n`)
  }

  async ask(line: string): Promise<string | undefined> {
    this.say(line)
    return this.line()
  }

  async close(): Promise<void> {
    if (!this.ended) {
      this.socket.destroy()
      await once(this.socket, 'close')
    }
  }
}

export interface StartOptions {
  /** -d instead of -D */
  readonly daemon?: boolean
  readonly args?: readonly string[]
  /** do not wait for readiness */
  readonly noWait?: boolean
  /** added to the environment */
  readonly environment?: Readonly<Record<string, string>>
  /** for node, before the program */
  readonly nodeArgs?: readonly string[]
  /** without what a test runner has every node process load (it puts that into the environment of whatever is spawned) */
  readonly bare?: boolean
}

export class Instance {
  readonly dir = mkdtempSync(join(tmpdir(), 'master-'))
  log = ''
  child: ChildProcess | undefined
  exit: Promise<{ code: number | null; signal: string | null }> | undefined
  pid = 0

  constructor(imapdConf = '') {
    for (const name of ['bin', 'conf', 'conf/socket', 'conf/proc']) mkdirSync(join(this.dir, name))
    for (const [name, main] of [
      ['testd', 'test/process/program/main.js'],
      ['tiny', 'test/master/tiny/main.js'],
    ] as const) {
      writeFileSync(this.path(`bin/${name}`), launcher(relative(this.path('bin'), join(DIST, main)), process.execPath))
      chmodSync(this.path(`bin/${name}`), 0o755)
    }
    writeFileSync(
      this.path('imapd.conf'),
      `configdirectory: ${this.path('conf')}\npartition-default: ${this.path('spool')}\n` +
        `cyrus_user: ${userInfo().username}\n${imapdConf}`,
    )
  }

  path(name: string): string {
    return join(this.dir, name)
  }

  /** Writes cyrus.conf; `testd` stands for the test service with its -C. */
  configure(text: string): void {
    writeFileSync(this.path('cyrus.conf'), text.replaceAll('"testd', `"testd -C ${this.path('imapd.conf')}`))
  }

  /** Starts master and waits until it is ready for work. */
  async start({
    daemon = false,
    args = [],
    noWait = false,
    environment = {},
    nodeArgs = [],
    bare = false,
  }: StartOptions = {}): Promise<void> {
    const words = ['-C', this.path('imapd.conf'), '-M', this.path('cyrus.conf'), '-p', this.path('pid')]
    const program = [...nodeArgs, join(DIST, 'master/main.js'), ...words, daemon ? '-d' : '-D', ...args]
    const command = bare ? ['/usr/bin/env', '-u', 'NODE_OPTIONS', process.execPath] : [process.execPath]
    this.child = spawn(command[0]!, [...command.slice(1), ...program], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CYRUS_BINDIR: this.path('bin'), CYRUS_SERVICE: '', CYRUS_ID: '', ...environment },
    })
    this.child.stderr!.on('data', (bytes: Buffer) => {
      this.log += bytes.toString()
    })
    this.exit = once(this.child, 'exit').then(([code, signal]) => ({ code, signal }))
    if (noWait) return
    if (daemon) {
      const { code } = await this.exit
      if (code !== 0) throw new Error(`master -d left with ${code}: ${this.log}`)
      this.pid = Number(readFileSync(this.path('pid'), 'utf8'))
      return
    }
    this.pid = this.child.pid!
    await until(`master to be ready for work; it said: ${this.log}`, () => {
      if (this.child!.exitCode !== null) throw new Error(`master left: ${this.log}`)
      return this.log.includes('ready for work')
    })
  }

  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** Waits until the log has a text. */
  async logged(text: string | RegExp): Promise<void> {
    await until(`log line ${String(text)}`, () =>
      typeof text === 'string' ? this.log.includes(text) : text.test(this.log),
    )
  }

  connect(name = 'sock'): Promise<Client> {
    return Client.connect(this.path(name))
  }

  /** SIGTERM, and the directory away. */
  async close(): Promise<void> {
    if (this.pid !== 0 && isAlive(this.pid)) {
      this.kill('SIGTERM')
      await until('master to leave', () => !isAlive(this.pid))
    }
    if (existsSync(this.dir)) rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Pids of a process's living children. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number).filter(isAlive)
}
