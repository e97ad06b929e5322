/** One throw-away instance: its directory, configuration, passwords, master process. Same face for ours and for the real Cyrus. */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { execa, execaSync } from 'execa'
import { type Account, program, runAs } from './software.js'
import type { InstancePlan, Service } from './topology.js'
import { isListening, waitFor } from './wait.js'

/** The replication account, an administrator of every instance. */
export const REPL = { user: 'repl', password: 'replpw' }
/** The administrator. */
export const ADMIN = { user: 'cyrus', password: 'adminpw' }
/** Everybody else's password. */
export const PASSWORD = 'testpw'

export interface Ports {
  imap: number
  lmtp: number
  sync: number
}

export class Instance {
  readonly account: Account | undefined
  readonly imapdConf: string
  readonly cyrusConf: string
  readonly pidFile: string
  readonly lmtpSocket: string
  #process: ChildProcess | undefined
  /** the session of the master started last: its pid */
  #session = -1

  constructor(
    readonly plan: InstancePlan,
    readonly directory: string,
    readonly ports: Ports,
    /** where its sync_client goes */
    readonly replica: Ports | undefined,
    readonly users: readonly string[],
    /** directory of our programs, if not dist/bin */
    readonly programs?: string,
  ) {
    this.account = runAs(plan.software)
    this.imapdConf = join(directory, 'imapd.conf')
    this.cyrusConf = join(directory, 'cyrus.conf')
    this.pidFile = join(directory, 'master.pid')
    this.lmtpSocket = join(directory, 'run/lmtp')
  }

  get name(): string {
    return this.plan.name
  }

  program(name: string): string {
    if (this.programs !== undefined && this.plan.software === 'ours') return join(this.programs, name)
    return program(this.plan.software, name)
  }

  /** Makes directories, configuration and passwords. */
  prepare(): void {
    const { directory } = this
    const places = ['', 'conf', 'run', 'spool', 'other', 'sieve', 'cores', 'lock']
    const inConf = ['db', 'log', 'msg', 'proc', 'lock', 'socket', 'sync', 'user', 'quota', 'stats', 'ptclient']
    for (const place of [...places, ...inConf.map((name) => join('conf', name))]) {
      mkdirSync(join(directory, place), { recursive: true, mode: 0o755 })
    }
    writeFileSync(this.imapdConf, this.#imapdConf())
    writeFileSync(this.cyrusConf, this.#cyrusConf())
    this.setPassword(ADMIN.user, ADMIN.password)
    this.setPassword(REPL.user, REPL.password)
    for (const user of this.users) this.setPassword(user, PASSWORD)
    this.#own(directory)
  }

  setPassword(user: string, password: string): void {
    const file = join(this.directory, 'sasldb2')
    execaSync(this.program('saslpasswd2'), ['-p', '-c', '-f', file, '-u', 'localhost', user], { input: password })
    if (this.account !== undefined) chownSync(file, this.account.uid, this.account.gid)
    chmodSync(file, 0o600)
  }

  #imapdConf(): string {
    const { directory, plan } = this
    const options: Record<string, string | number> = {
      configdirectory: join(directory, 'conf'),
      'partition-default': join(directory, 'spool'),
      'partition-other': join(directory, 'other'),
      defaultpartition: 'default',
      servername: 'localhost',
      admins: `${ADMIN.user} ${REPL.user}`,
      allowplaintext: 'yes',
      altnamespace: 'no',
      unixhierarchysep: 'yes',
      sasl_pwcheck_method: 'auxprop',
      sasl_mech_list: 'PLAIN LOGIN',
      sasl_sasldb_path: join(directory, 'sasldb2'),
      syslog_prefix: `lab-${plan.name}`,
      lmtpsocket: this.lmtpSocket,
      idlesocket: join(directory, 'run/idle'),
      notifysocket: join(directory, 'run/notify'),
      proc_path: join(directory, 'conf/proc'),
      mboxname_lockpath: join(directory, 'lock'),
      sievedir: join(directory, 'sieve'),
      sync_try_imap: 'no',
    }
    if (plan.software === 'ours') options.store_map_size = '8g'
    if (this.account !== undefined) options.cyrus_user = this.account.name
    if (plan.replicateTo !== undefined) {
      Object.assign(options, {
        sync_log: 'yes',
        sync_host: '127.0.0.1',
        sync_port: this.replica!.sync,
        sync_authname: REPL.user,
        sync_password: REPL.password,
        sync_realm: 'localhost',
      })
    }
    Object.assign(options, plan.imapd)
    return Object.entries(options)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join('')
  }

  #cyrusConf(): string {
    const { plan, ports } = this
    const command = (name: string, rest = '') => `cmd="${this.program(name)} -C ${this.imapdConf}${rest}"`
    // message UUIDs are of 2.3 and ours
    const uuids = plan.supervisor === 'ours' && plan.imapd.sync_machineid !== undefined ? ' provide_uuid=1' : ''
    const services: Record<Service, string> = {
      imap: `imap ${command('imapd')} listen="127.0.0.1:${ports.imap}" prefork=${plan.prefork}${uuids}`,
      lmtp: `lmtp ${command('lmtpd', ' -a')} listen="127.0.0.1:${ports.lmtp}" prefork=1${uuids}`,
      lmtpunix: `lmtpunix ${command('lmtpd')} listen="${this.lmtpSocket}" prefork=0`,
      syncserver: `syncserver ${command('sync_server')} listen="127.0.0.1:${ports.sync}" prefork=1`,
    }
    const rolling = plan.replicateTo === undefined ? '' : `  syncclient ${command('sync_client', ' -r')}\n`
    // Cyrus 3.6 knows START only; ours takes the spelling of 2007 too
    const start = plan.supervisor === 'ours' ? 'STARTUP' : 'START'
    const daemons = `  idled ${command('idled', ' -d')}\n`
    return [
      `${start} {\n  recover ${command('ctl_cyrusdb', ' -r')}\n${plan.syncclient === 'startup' ? rolling : ''}}\n`,
      `SERVICES {\n${plan.services.map((service) => `  ${services[service]}\n`).join('')}}\n`,
      `EVENTS {\n  checkpoint ${command('ctl_cyrusdb', ' -c')} period=30\n}\n`,
      `DAEMON {\n${daemons}${plan.syncclient === 'daemon' ? rolling : ''}}\n`,
    ].join('\n')
  }

  #own(path: string): void {
    if (this.account === undefined) return
    lchownSync(path, this.account.uid, this.account.gid)
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name)
      if (entry.isDirectory()) this.#own(child)
      else lchownSync(child, this.account.uid, this.account.gid)
    }
  }

  #masterProgram(): string {
    const { supervisor, software } = this.plan
    return supervisor === software ? this.program('master') : program(supervisor, 'master')
  }

  /** Starts master and waits until every service answers. */
  async start(): Promise<void> {
    const log = openSync(join(this.directory, 'master.log'), 'a')
    const args = [
      '-C',
      this.imapdConf,
      '-M',
      this.cyrusConf,
      '-p',
      this.pidFile,
      '-L',
      join(this.directory, 'console.log'),
    ]
    // a process group of its own: master signals its whole group when it ends
    const child = spawn(this.#masterProgram(), args, {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: join(this.directory, 'cores'),
    })
    closeSync(log)
    this.#process = child
    this.#session = child.pid ?? -1
    let ended: string | undefined
    child.once('error', (error) => (ended = error.message))
    child.once('exit', (code, signal) => (ended = `ended with ${signal ?? code}`))
    const listeners = this.plan.services.map((service) => this.#where(service))
    for (const where of listeners) {
      await waitFor(`${this.name} at ${JSON.stringify(where)}`, async () => {
        if (ended !== undefined)
          throw new Error(`${this.name}: master ${ended}; see ${this.directory}\n${this.console()}`)
        return isListening(where)
      })
    }
  }

  #where(service: Service): { port: number; host: string } | { path: string } {
    const { ports } = this
    const port = { imap: ports.imap, lmtp: ports.lmtp, syncserver: ports.sync, lmtpunix: 0 }[service]
    return service === 'lmtpunix' ? { path: this.lmtpSocket } : { port, host: '127.0.0.1' }
  }

  /** What master and its children wrote to their terminal. */
  console(): string {
    let text = ''
    for (const name of ['master.log', 'console.log']) {
      try {
        text += readFileSync(join(this.directory, name), 'utf8')
      } catch {
        // none was written
      }
    }
    return text.slice(-4000)
  }

  /** master's process id, 0 when it does not run */
  get pid(): number {
    return this.#process?.pid ?? 0
  }

  /** Processes that this instance runs, or has left behind, master excepted, whose name or command line holds a text: `sync_client`. */
  processes(text: string): number[] {
    const pid = this.#session
    return readdirSync('/proc')
      .map(Number)
      .filter((each) => Number.isInteger(each) && each !== pid)
      .filter((each) => {
        try {
          const stat = readFileSync(`/proc/${each}/stat`, 'latin1')
          // master began a session; all it starts, and what they leave in the background, is in it
          const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
          const [state, session, threads] = [fields[0], Number(fields[3]), Number(fields[17])]
          // a zombie whose other threads still end keeps its sockets: who connects then is not served by the next master
          const gone = state === 'Z' && threads <= 1
          const name = (): string =>
            readFileSync(`/proc/${each}/comm`, 'utf8') + readFileSync(`/proc/${each}/cmdline`, 'utf8')
          return !gone && session === pid && name().includes(text)
        } catch {
          return false
        }
      })
  }

  /** Runs one of the instance's programs to its end, as its user. @returns its output @throws with its stderr unless it exits with 0 */
  async run(name: string, ...args: string[]): Promise<string> {
    const { account } = this
    const { stdout } = await execa(this.program(name), ['-C', this.imapdConf, ...args], {
      stdin: 'ignore',
      cwd: this.directory,
      ...(account && { uid: account.uid, gid: account.gid, env: { USER: account.name, HOME: this.directory } }),
    })
    return stdout
  }

  /** Clean shutdown; resolves when master is gone. */
  async stop(): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.#process = undefined
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      const late = setTimeout(() => {
        try {
          process.kill(-child.pid!, 'SIGKILL')
        } catch {
          child.kill('SIGKILL')
        }
      }, 15_000)
      await ended
      clearTimeout(late)
    }
  }

  /** Lets the instance run on after this process. */
  release(): void {
    this.#process?.unref()
  }

  /** kill -9 of everything this instance runs: the machine loses its power. */
  async crash(): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    const ended = new Promise((resolve) =>
      child.exitCode !== null || child.signalCode !== null ? resolve(0) : child.once('exit', resolve),
    )
    child.kill('SIGKILL')
    await ended
    // a killed process keeps its sockets until it is gone altogether
    await waitFor(`the processes of ${this.name} to be gone`, () => {
      const left = this.processes('')
      for (const pid of left) killQuietly(pid)
      return left.length === 0
    })
    this.#process = undefined
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // gone already
  }
}
