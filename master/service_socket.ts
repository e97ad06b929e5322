/**
 * One listening socket of a service with its own processes, counters and status pipe: what master calls a service. An entry whose
 * `listen=` stands for several addresses has several, numbered from 0 (CYRUS_ID). A daemon has one without a socket.
 */
import { closeSync } from 'node:fs'
import { type Address, boundPort, listenSocket, SystemError, shutdownSocket } from '../lib/os/socket.js'
import type { Counters } from './child_table.js'
import { CrashGuard } from './crash_guard.js'
import { CrowdGuard } from './crowding.js'
import type { DaemonEntry, ServiceEntry } from './entries.js'
import { ForkRate } from './fork_rate.js'
import type { StatusPipe } from './status_pipe.js'

export class ServiceSocket implements Counters {
  ready = 0
  active = 0
  connections = 0
  forks = 0
  /** most children alive at once */
  greatest = 0
  /** children that failed in READY state */
  failures = 0
  /** times that a connection waited with nobody ready for it */
  acceptWaits = 0
  readonly forkRate: ForkRate
  readonly crashGuard = new CrashGuard()
  /** the same for SIGKILL, for which no service is given up */
  readonly killGuard = new CrashGuard()
  readonly crowdGuard = new CrowdGuard()
  /** false once the entry is gone, or has failed too often: no process is started any more */
  enabled = true
  /** true once a reload has taken the entry out of cyrus.conf: forgotten when the last process is gone */
  dropped = false
  /** no process is started before this moment (ms, monotonic), after failures */
  heldUntil = Number.NEGATIVE_INFINITY

  /**
   * @param entry replaced at a reload
   * @param number CYRUS_ID
   * @param family `ipv4`, `ipv6`, `unix` or `daemon`, for messages
   * @param fd the listening socket, undefined for daemons
   */
  constructor(
    public entry: ServiceEntry | DaemonEntry,
    readonly number: number,
    readonly family: string,
    public fd: number | undefined,
    readonly status: StatusPipe | undefined,
    now: number,
  ) {
    this.forkRate = new ForkRate(now)
  }

  get label(): string {
    return `${this.entry.name}/${this.family}`
  }

  /** The port it is bound to, for log lines; 0 for a UNIX socket. */
  get port(): number {
    return this.fd === undefined ? 0 : boundPort(this.fd)
  }

  /** Stops listening, for the children too if `everywhere`. */
  closeSocket(everywhere: boolean): void {
    if (this.fd === undefined) return
    if (everywhere) shutdownSocket(this.fd)
    closeSync(this.fd)
    this.fd = undefined
  }
}

/** A socket for an address, or why not. */
export function openListener(
  address: Address,
  datagram: boolean,
  backlog: number,
  tos: number,
): { fd: number; problem?: undefined } | { problem: string } {
  try {
    return { fd: listenSocket(address, { datagram, backlog, tos }) }
  } catch (error) {
    return { problem: error instanceof SystemError ? error.reason : (error as Error).message }
  }
}
