/**
 * Our master with the real Cyrus' programs on a cyrus.conf as an administrator has it, moved aside: ports become free ones, /run/cyrus a
 * temporary directory, each command gets its -C. Programs that are not installed are left out.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { fileURLToPath } from 'node:url'
import { freePort, isAlive, until } from '../master/instance.js'
import { CYRUS_BIN, type CyrusDirectory, cyrusDirectory } from './cyrus_config.js'

const MASTER = fileURLToPath(new URL('../../master/main.js', import.meta.url))

/** A service of the file, where it is now. */
export interface SampleService {
  readonly name: string
  /** the program without its directory */
  readonly program: string
  readonly secure: boolean
  readonly datagram: boolean
  readonly where: number | string
}

export class SampleMaster {
  readonly services: SampleService[] = []
  /** programs of the file that are not here */
  readonly absent: string[] = []
  log = ''
  #child: ChildProcess | undefined

  private constructor(readonly directory: CyrusDirectory) {}

  /** @param settings more lines of imapd.conf */
  static async start(cyrusConf: string, settings = ''): Promise<SampleMaster> {
    const master = new SampleMaster(cyrusDirectory('secret'))
    const { dir, imapdConf } = master.directory
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
    const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
    execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert], { stdio: 'ignore' })
    appendFileSync(
      imapdConf,
      `tls_server_cert: ${cert}\ntls_server_key: ${key}\ntls_sessions_db_path: ${dir}/conf/tls_sessions.db\n` +
        `sievedir: ${dir}/sieve\npartition-news: ${dir}/news\nprometheus_update_freq: 1s\n${settings}`,
    )
    writeFileSync(master.directory.cyrusConf, await master.#adapt(readFileSync(cyrusConf, 'utf8')))
    execFileSync('chown', ['-R', 'cyrus:mail', dir])
    chmodSync(dir, 0o755)
    await master.#start()
    return master
  }

  get pid(): number {
    return this.#child!.pid!
  }

  async #start(): Promise<void> {
    const { dir, imapdConf, cyrusConf, pidFile } = this.directory
    this.#child = spawn(process.execPath, [MASTER, '-C', imapdConf, '-M', cyrusConf, '-p', pidFile, '-D'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CYRUS_BINDIR: CYRUS_BIN },
      cwd: dir,
    })
    this.#child.stderr!.on('data', (bytes: Buffer) => {
      this.log += bytes.toString()
    })
    await until(`readiness: ${this.log}`, () => {
      if (this.#child!.exitCode !== null) throw new Error(`master left: ${this.log}`)
      return this.log.includes('ready for work')
    })
  }

  async #adapt(text: string): Promise<string> {
    const { dir, imapdConf } = this.directory
    const lines: string[] = []
    for (const line of text.replaceAll('/run/cyrus/', `${dir}/conf/`).split('\n')) {
      const cmd = /cmd="([^"]*)"/.exec(line.replace(/#.*/, ''))?.[1]
      if (cmd === undefined) {
        lines.push(line)
        continue
      }
      // Debian's entries run /usr/sbin/cyrus, which runs the program named by its first argument
      const words = cmd.split(/\s+/)
      const own = words[0] === '/usr/sbin/cyrus' ? 2 : 1
      const program = words[own - 1]!
      if (own === 1 && !existsSync(join(CYRUS_BIN, program))) {
        this.absent.push(program)
        continue
      }
      words.splice(own, 0, '-C', imapdConf)
      let adapted = line.replace(`"${cmd}"`, `"${words.join(' ')}"`)
      const listen = /listen="?([^"\s]*)"?/.exec(line)?.[1]
      if (listen !== undefined) {
        const datagram = /proto="?udp/.test(line)
        const where = listen.startsWith('/') ? listen.replace('/run/cyrus/', `${dir}/conf/`) : await freePort()
        const host = listen.includes(':') ? listen.slice(0, listen.lastIndexOf(':') + 1) : ''
        adapted = adapted.replace(/listen="?[^"\s]*"?/, `listen="${typeof where === 'string' ? where : host + where}"`)
        this.services.push({
          name: /^\s*(\w+)/.exec(line)![1]!,
          program,
          secure: words.includes('-s'),
          datagram,
          where,
        })
      }
      lines.push(adapted)
    }
    return lines.join('\n')
  }

  service(name: string): SampleService {
    return this.services.find((service) => service.name === name)!
  }

  async close(): Promise<number | null> {
    const child = this.#child!
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await until('the whole group to be gone', () => !isAlive(this.pid))
    rmSync(this.directory.dir, { recursive: true, force: true })
    return child.exitCode
  }
}

/** Connects, says something if need be, and gives the first line that the service says. */
export async function firstLine({ where, secure }: SampleService, say = ''): Promise<string> {
  const plain = typeof where === 'string' ? net.connect(where) : net.connect(where, '127.0.0.1')
  const socket = secure ? tls.connect({ socket: plain, rejectUnauthorized: false }) : plain
  const limit = setTimeout(() => socket.destroy(new Error('no answer for 20 s')), 20_000)
  try {
    if (say !== '') socket.write(say)
    let text = ''
    for await (const chunk of socket) {
      text += (chunk as Buffer).toString('latin1')
      if (text.includes('\n')) break
    }
    return text.split('\r\n')[0]!
  } finally {
    clearTimeout(limit)
    socket.destroy()
  }
}
