/**
 * The heart of master: keeps every service staffed as spawn_policy.ts says, reads what children report, reaps them, runs events, reloads
 * and shuts down. It never accepts a connection and knows nothing about mail.
 *
 * Everything that changes a counter ends in #attend(), which brings staffing up to strength and tells the poller which sockets to
 * watch: those that a connection may wait on and nobody is ready to take it. So an idle master sleeps.
 */
import type { ChildProcess } from 'node:child_process'
import { rm } from 'node:fs'
import type { Config } from '../lib/config/config.js'
import { Poller } from '../lib/os/poll.js'
import { leadsProcessGroup } from '../lib/os/user.js'
import { Exit } from '../lib/process/exit_status.js'
import type { Logger } from '../lib/process/log.js'
import { UUID_VARIABLE } from '../lib/process/message_uuid.js'
import { procDirectory } from '../lib/process/proc_entry.js'
import { ChildTable } from './child_table.js'
import { CrowdWatch } from './crowd_watch.js'
import type { DaemonEntry, EventEntry, MasterConf, ServiceEntry } from './entries.js'
import { EventSchedule } from './event_schedule.js'
import { processFailed, processKilled } from './failures.js'
import { HOLD_BACK } from './fork_rate.js'
import { type ChildOutput, launch } from './launch.js'
import { openService } from './open_service.js'
import { planReload } from './reload_plan.js'
import { ServiceSocket } from './service_socket.js'
import { missing, wantsConnections } from './spawn_policy.js'
import { UuidSource } from './uuid_prefixes.js'
import { startWaitDaemon, stopWaitDaemons } from './wait_daemons.js'

/** How long children may take to heed SIGHUP before the log mentions them, in ms. */
const RELOAD_PATIENCE = 30_000

export interface SupervisorOptions {
  readonly config: Config
  readonly log: Logger
  readonly backlog: number
  readonly output: ChildOutput
  readonly sweepsPerSecond: number
  /** reads cyrus.conf again; throws ConfigError */
  readonly reread: () => MasterConf
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #log: Logger
  readonly #children: ChildTable<ServiceSocket>
  readonly #processes = new Map<number, ChildProcess>()
  /** children told by a reload to go; one that was too young to heed SIGHUP dies of it, which is no fault of its own */
  readonly #recycled = new Set<number>()
  readonly #procDirectory: string
  readonly #poller = new Poller()
  readonly #crowds: CrowdWatch
  readonly #events = new EventSchedule()
  readonly #uuids: UuidSource
  #services: ServiceSocket[] = []
  #waitDaemons: ServiceSocket[] = []
  #watched = new Set<number>()
  #attending = false
  #running = false
  #stopping: Promise<void> | undefined
  #servicesGone: (() => void) | undefined
  #reloading: Promise<void> = Promise.resolve()
  #holdTimer: NodeJS.Timeout | undefined
  #eventTimer: NodeJS.Timeout | undefined
  #sweepTimer: NodeJS.Timeout | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
    this.#log = options.log
    this.#procDirectory = procDirectory(options.config)
    this.#uuids = new UuidSource(options.config, options.log)
    this.#crowds = new CrowdWatch(() => this.#services, options.log)
    this.#children = new ChildTable((severity, message) => this.#log[severity](message))
  }

  /**
   * Opens all sockets. START has been run.
   * @throws {BindError}; {UuidStateError}
   */
  async open(conf: MasterConf): Promise<void> {
    await this.#uuids.prepare(conf)
    for (const entry of conf.services) this.#services.push(...(await this.#openService(entry, true)))
    for (const entry of conf.daemons) this.#addDaemon(entry)
  }

  /**
   * Starts the waiting daemons.
   * @throws {WaitDaemonError} after those already started were told to go
   */
  async startWaiting(): Promise<void> {
    for (const daemon of this.#waitDaemons) {
      const started = (child: ChildProcess): void => this.#adopt(child, daemon)
      try {
        await startWaitDaemon(daemon, this.#environment(daemon), this.#options.output, started)
      } catch (error) {
        for (const child of this.#processes.values()) child.kill('SIGTERM')
        throw error
      }
    }
  }

  /** Begins to staff services and to run events. */
  run(events: readonly EventEntry[]): void {
    this.#running = true
    this.#events.load(events, Date.now())
    this.#runEvents()
    this.#attend()
    void this.#watchSockets()
  }

  /** Every service and daemon with its counters. */
  services(): readonly ServiceSocket[] {
    return [...this.#services, ...this.#waitDaemons]
  }

  /** SIGHUP: reads cyrus.conf again. An error in it is logged, and everything stays as it was. */
  reload(): Promise<void> {
    this.#log.notice('got SIGHUP')
    this.#reloading = this.#reloading
      .then(() => this.#reload())
      .catch((error: unknown) => {
        this.#log.error(`reload refused, nothing has changed: ${(error as Error).message}`)
      })
    return this.#reloading
  }

  /** Clean shutdown: resolves when all children are gone. */
  shutdown(signal: string): Promise<void> {
    this.#stopping ??= this.#shutdown(signal)
    return this.#stopping
  }

  // Sockets

  #openService(entry: ServiceEntry, atStart: boolean): Promise<ServiceSocket[]> {
    const { config, log, backlog } = this.#options
    return openService(entry, {
      config,
      log,
      backlog,
      atStart,
      onRecord: (socket, message, pid) => {
        this.#children.record(socket, message, pid, performance.now())
        this.#sweepLater()
        this.#attend()
      },
    })
  }

  /**
   * Stops listening. The poller must look anew: another socket may get the descriptor's number, and a poll(2) that has begun waits for the old one
   * (also when it believes to see the new one).
   */
  #closeSocket(service: ServiceSocket, everywhere: boolean): void {
    service.closeSocket(everywhere)
    this.#watched = new Set()
    this.#poller.wake()
  }

  #addDaemon(entry: DaemonEntry): void {
    const daemon = new ServiceSocket(entry, 0, 'daemon', undefined, undefined, performance.now())
    if (entry.wait) this.#waitDaemons.push(daemon)
    else this.#services.push(daemon)
  }

  /** Spawns for connections that wait where nobody is ready. */
  async #watchSockets(): Promise<void> {
    while (this.#running) {
      const fds = [...this.#watched]
      let readable: number[]
      try {
        readable = await this.#poller.wait(fds)
      } catch (error) {
        this.#log.error(`waiting for connections: ${(error as Error).message}`)
        readable = []
        await new Promise((resolve) => setTimeout(resolve, HOLD_BACK))
      }
      if (!this.#running) return
      for (const fd of readable) {
        const service = this.#services.find((candidate) => candidate.fd === fd)
        if (service !== undefined && wantsConnections(service) && this.#mayFork(service)) {
          service.acceptWaits++
          this.#spawn(service)
        }
      }
      this.#attendNow()
    }
  }

  // Staffing

  /** Soon, once for all that happens in this turn of the event loop. */
  #attend(): void {
    if (this.#attending || !this.#running) return
    this.#attending = true
    setImmediate(() => this.#attendNow())
  }

  #attendNow(): void {
    this.#attending = false
    if (!this.#running) return
    for (const service of [...this.#waitDaemons, ...this.#services]) {
      for (let count = missing(service); count > 0 && this.#mayFork(service); count--) {
        if (service.entry.babysit && service.active === 0 && service.forks > 0) {
          this.#log.warning(`lost all children for service: ${service.label}.  Applying babysitter.`)
        }
        this.#spawn(service)
      }
    }
    this.#forgetGone()
    this.#crowds.attend()
    const watch = this.#services.filter((service) => service.fd !== undefined && wantsConnections(service))
    const fds = new Set(watch.filter((service) => this.#mayFork(service)).map((service) => service.fd!))
    if (fds.size !== this.#watched.size || [...fds].some((fd) => !this.#watched.has(fd))) {
      this.#watched = fds
      this.#poller.wake()
    }
  }

  /** Whether the fork rate allows another process; if not, we look again soon. */
  #mayFork(service: ServiceSocket): boolean {
    const now = performance.now()
    if (now >= service.heldUntil && service.forkRate.allows(service.entry.maxforkrate, now)) return true
    this.#holdTimer ??= setTimeout(() => {
      this.#holdTimer = undefined
      this.#attend()
    }, HOLD_BACK)
    return false
  }

  #environment({ entry, number }: ServiceSocket): Record<string, string> {
    const environment: Record<string, string> = { CYRUS_SERVICE: entry.name, CYRUS_ID: String(number) }
    if (entry.kind === 'daemon') environment.CYRUS_ISDAEMON = '1'
    else if (entry.provideUuid) environment[UUID_VARIABLE] = this.#uuids.next()
    return environment
  }

  #spawn(service: ServiceSocket): void {
    const child = launch({
      command: service.entry.command,
      environment: this.#environment(service),
      statusFd: service.status?.writeEnd,
      listenFd: service.fd,
      maxfds: service.entry.maxfds,
      output: this.#options.output,
      ownGroup: service.entry.kind === 'daemon' && service.entry.wait,
    })
    service.forkRate.forked()
    this.#adopt(child, service)
  }

  /** Enters a new process into the tables and waits for its end. */
  #adopt(child: ChildProcess, service: ServiceSocket | undefined, what = service?.label ?? 'event'): void {
    const { pid } = child
    if (pid === undefined) {
      child.on('error', (error) => {
        this.#log.error(`can't start a process for ${what}: ${error.message}`)
        if (service !== undefined) {
          service.heldUntil = performance.now() + 1000
          this.#countFailure(service, `could not be started (${error.message})`)
        }
        this.#attend()
      })
      return
    }
    child.on('error', (error) => this.#log.error(`${what} pid ${pid}: ${error.message}`))
    child.on('exit', (code, signal) => this.#ended(pid, code, signal))
    if (service !== undefined) service.forks++
    this.#processes.set(pid, child)
    this.#children.forked(pid, service, what)
    if (service !== undefined) service.greatest = Math.max(service.greatest, service.active)
    this.#log.debug(`started ${what} pid ${pid}`)
  }

  #ended(pid: number, code: number | null, signal: NodeJS.Signals | null): void {
    this.#processes.delete(pid)
    const ended = this.#children.ended(pid, performance.now())
    this.#sweepLater()
    if (ended === undefined) return
    const { child, was } = ended
    const recycled = this.#recycled.delete(pid) && signal === 'SIGHUP'
    // one that did not end by itself has left its line in proc/
    if (signal !== null && child.service !== undefined)
      rm(`${this.#procDirectory}/${pid}`, { force: true }, () => undefined)
    const asTold = recycled || (signal === 'SIGTERM' && this.#stopping !== undefined)
    const killed = signal !== null || code === Exit.TempFail
    if (asTold) this.#log.debug(`process ${child.what} pid ${pid} ended by ${signal}`)
    else if (signal !== null) this.#log.error(`process ${child.what} pid ${pid} was ended by ${signal}`)
    else if (code !== 0 && code !== Exit.TempFail) {
      this.#log.warning(`process ${child.what} pid ${pid} exited, status ${code}`)
    }
    const failed = !asTold && (signal !== null || (code !== 0 && !killed))
    if (failed && was === 'ready' && child.service !== undefined && this.#stopping === undefined) {
      this.#log.warning(`service ${child.what} pid ${pid} in READY state: terminated abnormally`)
      // A process with several slots is ready while it serves: for Cyrus it would be BUSY, which is no failure to start.
      if (child.served) child.service.failures++
      else this.#countFailure(child.service, signal ? `died of ${signal}` : `exited with ${code}`, signal === 'SIGKILL')
    }
    if (this.#stopping !== undefined) {
      if (this.#services.every(({ active }) => active === 0)) this.#servicesGone?.()
    } else this.#attend()
  }

  /** A process died before it served anyone, of SIGKILL or otherwise. @param how it ended */
  #countFailure(service: ServiceSocket, how: string, byKill = false): void {
    service.failures++
    const now = performance.now()
    const verdict = byKill ? processKilled(service, now) : processFailed(service, how, now, this.#log)
    if (verdict === 'give up') {
      service.enabled = false
      this.#closeSocket(service, false)
    } else if (verdict === 'pause') setTimeout(() => this.#attend(), service.heldUntil - now + 1).unref()
  }

  /** Drops services that are no longer configured once their last process is gone. */
  #forgetGone(): void {
    for (const service of this.#services) if (service.dropped && service.active === 0) service.status?.close()
    this.#services = this.#services.filter(({ dropped, active }) => !dropped || active > 0)
    this.#waitDaemons = this.#waitDaemons.filter(({ dropped, active }) => !dropped || active > 0)
  }

  /** Clears the table of the dead, as long as there are any. */
  #sweepLater(): void {
    this.#sweepTimer ??= setTimeout(() => {
      this.#sweepTimer = undefined
      if (this.#children.sweep(performance.now()) > 0) this.#sweepLater()
    }, 1000 / this.#options.sweepsPerSecond)
    this.#sweepTimer.unref()
  }

  // Events

  #runEvents(): void {
    if (!this.#running) return
    for (const { name, command } of this.#events.take(Date.now())) {
      const child = launch({ command, environment: {}, maxfds: 0, output: this.#options.output })
      this.#adopt(child, undefined, `event ${name}`)
    }
    clearTimeout(this.#eventTimer)
    const { next } = this.#events
    // Look at the clock at least once a minute: it may be set, and timers stop at 2^31 ms.
    if (next !== undefined) {
      const pause = Math.min(60_000, Math.max(0, next - Date.now()))
      this.#eventTimer = setTimeout(() => this.#runEvents(), pause)
    }
  }

  // Reload

  async #reload(): Promise<void> {
    if (this.#stopping !== undefined) return
    const conf = this.#options.reread()
    await this.#uuids.prepare(conf)
    const plan = planReload([...this.#services, ...this.#waitDaemons], conf)
    for (const [service, entry] of plan.kept) {
      service.entry = entry
      service.enabled = true
      service.crashGuard.reset()
      service.crowdGuard.reset()
      service.heldUntil = Number.NEGATIVE_INFINITY
    }
    // Old sockets go first: a new one may want their address.
    for (const service of plan.dropped) {
      service.enabled = false
      service.dropped = true
      this.#closeSocket(service, true)
    }
    for (const entry of plan.newServices) this.#services.push(...(await this.#openService(entry, false)))
    for (const entry of plan.newDaemons) this.#addDaemon(entry)
    const told = [...this.#children.values()]
      .filter(({ state, service }) => state !== 'dead' && service !== undefined)
      .map(({ pid }) => pid)
    for (const pid of told) {
      this.#recycled.add(pid)
      this.#processes.get(pid)?.kill('SIGHUP')
    }
    setTimeout(() => {
      const left = told.filter((pid) => this.#processes.has(pid))
      if (left.length > 0) this.#log.notice(`still there 30 s after SIGHUP, busy: ${left.join(' ')}`)
    }, RELOAD_PATIENCE).unref()
    this.#events.load(conf.events, Date.now())
    this.#runEvents()
    this.#attendNow()
    const sockets = this.#services.filter(({ dropped }) => !dropped).length
    this.#log.notice(
      `Services reconfigured. ${sockets} sockets and ${this.#waitDaemons.length} waiting daemons are now in use`,
    )
  }

  // Shutdown

  async #shutdown(signal: string): Promise<void> {
    this.#log.notice(`attempting clean shutdown on ${signal}`)
    this.#running = false
    for (const timer of [this.#holdTimer, this.#eventTimer]) clearTimeout(timer)
    this.#crowds.stop()
    this.#poller.close()
    const gone = new Promise<void>((resolve) => {
      this.#servicesGone = resolve
    })
    if (leadsProcessGroup()) process.kill(-process.pid, 'SIGTERM')
    else {
      for (const child of this.#children.values()) {
        const waiting = child.service?.entry.kind === 'daemon' && child.service.entry.wait
        if (child.state !== 'dead' && !waiting) this.#processes.get(child.pid)?.kill('SIGTERM')
      }
    }
    if (this.#services.some(({ active }) => active > 0)) await gone
    const daemons = this.#waitDaemons.flatMap((daemon) =>
      this.#children.alive(daemon).flatMap(({ pid }) => this.#processes.get(pid) ?? []),
    )
    await stopWaitDaemons(daemons, this.#log)
    this.#log.notice('All children have exited, closing down')
  }
}
