/**
 * The life of a service process, from its environment to its exit status: what Cyrus' master/service.c is to Cyrus' services, for
 * services that may serve many connections at once on the event loop.
 *
 * Promises: the process says nothing at start; reports connections to master as slots.ts says; takes connections as accept_gate.ts says;
 * leaves with 0 when idle, worn out (`-U`), replaced on disk or told by SIGHUP, each after the connections it has; with 75 on SIGTERM,
 * SIGINT or SIGQUIT, within 10 s; with 70 on a bug or without its environment, 78 on a configuration error, 64 on a bad command line. One
 * connection's failure is logged and ends that connection only.
 */
import { spawnSync } from 'node:child_process'
import { setMaxListeners } from 'node:events'
import { closeSync, existsSync, fstatSync } from 'node:fs'
import net from 'node:net'
import { hostname } from 'node:os'
import { Config, ConfigError } from '../config/config.js'
import { exitWithoutThreads, isOpen, setCloseOnExec } from '../os/fd.js'
import { socketKind, socketPair } from '../os/socket.js'
import { setProcessTitle } from '../os/title.js'
import { AcceptGate, openAcceptLock } from './accept_gate.js'
import { Exit } from './exit_status.js'
import { UsageError } from './getopt.js'
import { type Logger, openLog, sessionLog } from './log.js'
import { MessageUuids, UUID_VARIABLE } from './message_uuid.js'
import { ProcEntry, procDirectory } from './proc_entry.js'
import { parseServiceOptions, reuseLimitFor, type ServiceOptions } from './service_options.js'
import { newSessionId } from './session_id.js'
import { Slots } from './slots.js'
import { LISTEN_FD, STATUS_FD, type Status, tellMaster } from './status.js'

/** How long connections may take to leave after SIGTERM, and the service's own stop functions after that, in ms. */
const STOP_LIMIT = 10_000

/** How long a finished connection's last bytes may take to reach the kernel of a peer that does not read, in ms. */
const LINGER_LIMIT = 5_000

/** What a service is. */
export interface ServiceDefinition {
  /** the program's name, 'imapd' */
  readonly program: string
  /** printed by --help */
  readonly usage: string
  /** the service's own getopt letters besides `-C -U -T -D -X`, e.g. 'sp:' */
  readonly options?: string
  /** connections of one process at once when `service_connections` is 0; 100 if absent */
  readonly connections?: number
  /**
   * Initialises the process, once, before the first connection.
   * @returns the connection handler: its promise settles when the conversation has ended; a rejection is logged as a bug
   */
  start(context: ServiceContext): Promise<ConnectionHandler>
}

export type ConnectionHandler = (socket: net.Socket, session: ServiceSession) => Promise<void>

/** What a service knows of its process. */
export interface ServiceContext {
  readonly config: Config
  readonly log: Logger
  /** the entry's name in cyrus.conf (CYRUS_SERVICE) */
  readonly service: string
  /** which of the entry's sockets (CYRUS_ID) */
  readonly id: number
  /** the service's own options */
  readonly options: Map<string, string | true>
  /** UUIDs for new messages, if master gave the process a prefix (provide_uuid) */
  readonly uuids: MessageUuids
  /** Registers what is to be done before the process ends; the functions run in reverse order. */
  onStop(fn: () => Promise<void>): void
}

/** What a conversation knows of itself. */
export interface ServiceSession {
  /** the text of SESSIONID=<…> */
  readonly id: string
  /** shown in proc/ */
  setUser(user: string): void
  /** shown in proc/ */
  setMailbox(name: string): void
  /** shown in proc/: what the client has asked for, in a word or two */
  setCommand(command: string): void
  /** the process's log; its lines end with the session's id */
  readonly log: Logger
  /** aborted on SIGTERM: say goodbye and leave at the next safe point */
  readonly stopping: AbortSignal
}

/** Runs a service program; called at the bottom of services/NAME/main.ts. Never throws: it ends the process. */
export function runService(definition: ServiceDefinition): void {
  new Service(definition).run().catch((error: unknown) => {
    if (error instanceof ConfigError) {
      process.stderr.write(`${definition.program}: ${error.message}\n`)
      process.exit(Exit.Config)
    }
    process.stderr.write(`${definition.program}: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(Exit.Software)
  })
}

class Service {
  readonly #definition: ServiceDefinition
  readonly #stopping = new AbortController()
  readonly #stops: (() => Promise<void>)[] = []
  readonly #sockets = new Set<net.Socket>()
  #log: Logger
  #slots = new Slots(1, 0)
  #gate: AcceptGate | undefined
  #handler: ConnectionHandler | undefined
  #proc: ProcEntry | undefined
  #sessionName = ''
  #underMaster = false
  #idle: { seconds: number; timer: NodeJS.Timeout | undefined } = { seconds: 0, timer: undefined }
  #leaving: number | undefined
  #exiting = false

  constructor(definition: ServiceDefinition) {
    this.#definition = definition
    this.#log = openLog({ service: definition.program })
    // one for each connection is no leak
    setMaxListeners(0, this.#stopping.signal)
  }

  async run(): Promise<void> {
    const { program, usage, options: letters = '' } = this.#definition
    process.on('uncaughtException', (error) => this.#crash(error))
    process.on('unhandledRejection', (reason) => this.#crash(reason))
    exitWithoutThreads()
    let options: ServiceOptions
    try {
      options = parseServiceOptions(letters, process.argv.slice(2))
    } catch (error) {
      if (error instanceof UsageError) return this.#fail(Exit.Usage, `${error.message}; try ${program} --help`)
      throw error
    }
    if (options.help) {
      process.stdout.write(usage.endsWith('\n') ? usage : `${usage}\n`)
      process.exit(Exit.Ok)
    }
    const service = process.env.CYRUS_SERVICE || (options.stdio ? program : undefined)
    const id = process.env.CYRUS_ID || (options.stdio ? '0' : undefined)
    if (service === undefined || id === undefined) {
      return this.#fail(
        Exit.Software,
        `CYRUS_SERVICE and CYRUS_ID are not in the environment: ${program} is started by master (or with -X)`,
      )
    }
    const config = this.#configure(options, service)
    if (config === undefined) return
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, () => this.#stop(signal))
    process.on('SIGHUP', () => this.#retire('told by SIGHUP'))
    process.on('SIGPIPE', () => undefined)
    if (options.debug) this.#debug(config)

    this.#handler = await this.#definition.start({
      config,
      log: this.#log,
      service,
      id: Number(id),
      options: options.own,
      uuids: new MessageUuids(process.env[UUID_VARIABLE]),
      onStop: (fn) => this.#stops.push(fn),
    })
    this.#proc = new ProcEntry(procDirectory(config), service, this.#log, (title) =>
      setProcessTitle(title, this.#definition.program),
    )
    this.#sessionName = config.string('syslog_prefix') || config.string('servername') || hostname()
    if (options.stdio) this.#serveStdio()
    else if (this.#leaving === undefined) await this.#serve(config, service, id, options)
    else await this.#leaveIfDone()
  }

  /** Reads imapd.conf and sets up what depends on it. Ends the process when that cannot be. */
  #configure(options: ServiceOptions, service: string): Config | undefined {
    const warnings: string[] = []
    const foreground = process.stderr.isTTY === true || process.env.CYRUS_LOG_STDERR === '1'
    try {
      const config = Config.load(options.configPath, { service, warn: (message) => warnings.push(message) })
      this.#log = openLog({ config, service, foreground })
      for (const warning of warnings) this.#log.warning(warning)
      setProcessTitle([this.#definition.program, ...process.argv.slice(2)].join(' '), this.#definition.program)
      process.umask(Number.parseInt(config.string('umask') ?? '077', 8) & 0o777)
      const slots = config.int('service_connections') || (this.#definition.connections ?? 100)
      this.#slots = new Slots(slots, options.stdio ? 1 : reuseLimitFor(options, slots))
      this.#idle.seconds = options.idleSeconds
      return config
    } catch (error) {
      if (error instanceof ConfigError) this.#fail(Exit.Config, error.message)
      else this.#fail(Exit.Config, `${options.configPath}: ${(error as Error).message}`)
      return undefined
    }
  }

  /** Serves the listening socket on descriptor 4 until the process is to end. */
  async #serve(config: Config, service: string, id: string, options: ServiceOptions): Promise<void> {
    const kind = socketKind(LISTEN_FD)
    if (kind === undefined || kind.datagram) {
      return this.#fail(Exit.Software, `descriptor ${LISTEN_FD} is no stream socket: ${service} is started by master`)
    }
    setCloseOnExec(LISTEN_FD, true)
    this.#underMaster = isOpen(STATUS_FD)
    if (this.#underMaster) setCloseOnExec(STATUS_FD, true)
    const lockPath = `${config.directory}/socket/${service.replaceAll('/', '_')}-${id}.lock`
    const program = process.argv[1]
    this.#gate = new AcceptGate(
      LISTEN_FD,
      openAcceptLock(lockPath, this.#log),
      {
        free: () => this.#slots.free,
        busy: () => this.#slots.busy,
        accepted: (fd) => this.#accepted(fd, kind.unix),
      },
      this.#log,
      program !== undefined && existsSync(program) ? program : undefined,
    )
    this.#log.debug(`ready: ${this.#slots.size} connections at once, ${options.reuseLimit ?? 'default'} reuse limit`)
    try {
      const why = await this.#gate.run()
      if (why === 'changed') this.#retire('program file has changed')
    } catch (error) {
      // master shuts the socket down when the service is taken out of cyrus.conf
      if ((error as NodeJS.ErrnoException).code === 'EINVAL') this.#retire('listening socket was shut down')
      else {
        this.#log.error(`cannot take connections: ${(error as Error).message}`)
        this.#leave(Exit.OsError)
      }
    }
  }

  #accepted(fd: number, unix: boolean): void {
    this.#tell(this.#slots.taken())
    clearTimeout(this.#idle.timer)
    let socket: net.Socket
    try {
      socket = new net.Socket({ fd, readable: true, writable: true })
    } catch (error) {
      this.#log.error(`cannot use an accepted connection: ${(error as Error).message}`)
      closeSync(fd)
      this.#released()
      return
    }
    if (!unix) {
      socket.setNoDelay(true)
      socket.setKeepAlive(true, 60_000)
    }
    void this.#converse(socket).finally(() => this.#released())
  }

  /** One conversation, to the last byte. Never rejects. */
  async #converse(socket: net.Socket): Promise<void> {
    this.#sockets.add(socket)
    // A peer may vanish at any time; the handler sees the end of the stream.
    socket.on('error', (error) => this.#log.debug(`connection: ${error.message}`))
    const client = socket.remoteAddress === undefined ? '[unix socket]' : `[${socket.remoteAddress}]`
    const id = newSessionId(this.#sessionName)
    const proc = this.#proc!
    proc.add(socket, client)
    const session: ServiceSession = {
      id,
      setUser: (user) => proc.update(socket, { user }),
      setMailbox: (mailbox) => proc.update(socket, { mailbox }),
      setCommand: (command) => proc.update(socket, { command }),
      log: sessionLog(this.#log, id),
      stopping: this.#stopping.signal,
    }
    session.log.debug(`accepted connection from ${client}`)
    try {
      await this.#handler!(socket, session)
    } catch (error) {
      session.log.error(`connection from ${client}: ${error instanceof Error ? error.stack : String(error)}`)
    }
    if (!socket.destroyed) {
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      const limit = setTimeout(() => socket.destroy(), LINGER_LIMIT)
      socket.destroySoon()
      socket.resume()
      await closed
      clearTimeout(limit)
    }
    proc.remove(socket)
    this.#sockets.delete(socket)
  }

  #released(): void {
    this.#tell(this.#slots.released())
    if (this.#slots.finished && this.#leaving === undefined && this.#slots.busy === 0)
      this.#retire('reuse limit reached')
    else if (this.#leaving !== undefined) void this.#leaveIfDone()
    else {
      this.#gate?.slotFreed()
      this.#armIdleTimer()
    }
  }

  /** The idle alarm: between s and 2s seconds without a connection, and only after the first one, so that preforked processes stay. */
  #armIdleTimer(): void {
    const { seconds } = this.#idle
    if (seconds === 0 || this.#slots.busy > 0) return
    clearTimeout(this.#idle.timer)
    const pause = seconds * 1000 * (1 + Math.random())
    this.#idle.timer = setTimeout(() => this.#retire('idle'), pause)
  }

  /** Takes no more connections and leaves with 0 after those that are there. */
  #retire(why: string): void {
    this.#log.debug(`leaving: ${why}`)
    this.#leave(Exit.Ok)
  }

  /** SIGTERM and its like: asks the conversations to end, for 10 s at most, and leaves with 75. */
  #stop(signal: string): void {
    this.#log.debug(`leaving on ${signal}, ${this.#slots.busy} connections`)
    this.#leave(Exit.TempFail)
    this.#stopping.abort()
    setTimeout(() => {
      this.#log.warning(`${this.#slots.busy} connections did not end within ${STOP_LIMIT / 1000} s of ${signal}`)
      for (const socket of this.#sockets) socket.destroy()
      void this.#exit(Exit.TempFail)
    }, STOP_LIMIT).unref()
  }

  #leave(status: number): void {
    this.#leaving = Math.max(this.#leaving ?? 0, status)
    clearTimeout(this.#idle.timer)
    this.#tell(this.#slots.close())
    this.#gate?.close()
    if (this.#handler !== undefined || status !== Exit.Ok) void this.#leaveIfDone()
  }

  async #leaveIfDone(): Promise<void> {
    if (this.#leaving !== undefined && this.#slots.busy === 0) await this.#exit(this.#leaving)
  }

  async #exit(status: number): Promise<void> {
    if (this.#exiting) return
    this.#exiting = true
    const limit = setTimeout(() => process.exit(status), STOP_LIMIT)
    for (const stop of this.#stops.reverse()) {
      await stop().catch((error: unknown) => this.#log.error(`at the end: ${String(error)}`))
    }
    clearTimeout(limit)
    this.#proc?.clear()
    process.exit(status)
  }

  #tell(messages: readonly Status[]): void {
    if (this.#underMaster && !tellMaster(messages)) {
      this.#underMaster = false
      this.#log.warning('master is gone; going on without it')
    }
  }

  /** `-X`: one conversation over stdin and stdout. */
  #serveStdio(): void {
    // One socket for both, as inetd gives it; two that differ are used as pipes are.
    if (socketKind(0)?.datagram === false && fstatSync(0).ino === fstatSync(1).ino) {
      this.#slots.taken()
      void this.#converse(new net.Socket({ fd: 0, readable: true, writable: true })).finally(() => this.#released())
      return
    }
    // Pipes or a terminal: the handler wants a socket, so it gets one end of a pair, and we carry the bytes.
    const [inner, outer] = socketPair()
    const far = new net.Socket({ fd: outer, readable: true, writable: true, allowHalfOpen: true })
    far.on('error', () => undefined)
    process.stdin.pipe(far)
    far.pipe(process.stdout, { end: false })
    this.#slots.taken()
    const carried = new Promise<void>((resolve) => far.once('end', resolve).once('close', resolve))
    const ours = new net.Socket({ fd: inner, readable: true, writable: true })
    void this.#converse(ours)
      .then(() => carried)
      .finally(() => this.#released())
  }

  /** `-D`: runs `debug_command`, `%s` standing for the program and `%d` for the process id, and goes on when it has ended. */
  #debug(config: Config): void {
    const command = config.string('debug_command')
    if (!command) return
    const text = command.replace('%s', this.#definition.program).replace('%d', String(process.pid))
    const { status, error } = spawnSync('/bin/sh', ['-c', text], { stdio: 'ignore' })
    if (error || status !== 0) this.#log.warning(`debug_command ended with ${error?.message ?? status}`)
  }

  #crash(error: unknown): void {
    try {
      this.#log.error(`fatal: ${error instanceof Error ? error.stack : String(error)}`)
    } finally {
      this.#proc?.clear()
      process.exit(Exit.Software)
    }
  }

  /** Says why and ends, before there is anything to serve. */
  #fail(status: number, message: string): void {
    this.#log.error(message)
    process.stderr.write(`${this.#definition.program}: ${message}\n`)
    process.exit(status)
  }
}
