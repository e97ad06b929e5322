/**
 * Every child of master by pid: its state and the service it belongs to; and what status records and ends of children do to the counters.
 * Mirrors Cyrus 3.6.1's state table (reference: master.md §7). No I/O: what is odd is told to `report`.
 */
import { Status } from '../lib/process/status.js'

/** A child's state. UNKNOWN does not occur: a record from a pid that is not known makes a dead entry, as in 3.6.1. */
export type ChildState = 'ready' | 'busy' | 'dead'

/** The counters of one service socket (or daemon). */
export interface Counters {
  /** for messages: `imap/ipv4` */
  readonly label: string
  /** children that may take a connection */
  ready: number
  /** children alive */
  active: number
  /** connections reported since the start */
  connections: number
}

/** A child. */
export interface Child<S extends Counters> {
  readonly pid: number
  state: ChildState
  /** undefined for START and EVENTS commands */
  service: S | undefined
  /** what it is, for messages */
  readonly what: string
  /** whether it ever took a connection */
  served: boolean
  /** when it died, ms */
  diedAt: number
}

export type Severity = 'debug' | 'warning' | 'error'

/** How long a dead child's entry stays, so that its last records still find it, in ms. */
export const GRACE = 2_000

export class ChildTable<S extends Counters> {
  readonly #children = new Map<number, Child<S>>()

  constructor(private readonly report: (severity: Severity, message: string) => void) {}

  /** All entries, dead ones too. */
  values(): IterableIterator<Child<S>> {
    return this.#children.values()
  }

  /** The living children of a service, or of none (undefined: START and EVENTS). */
  alive(service: S | undefined): Child<S>[] {
    return [...this.#children.values()].filter((child) => child.state !== 'dead' && child.service === service)
  }

  /** A service's process was forked: it counts as ready from the start, since it says nothing. */
  forked(pid: number, service: S | undefined, what: string): void {
    this.#children.set(pid, { pid, service, what, state: 'ready', served: false, diedAt: 0 })
    if (service !== undefined) {
      service.ready++
      service.active++
    }
  }

  /**
   * A record came in on the pipe of `service`.
   * @param now milliseconds, for the grace of unknown pids
   */
  record(service: S, message: number, pid: number, now: number): void {
    let child = this.#children.get(pid)
    if (child === undefined) {
      child = { pid, service, what: `unknown process of ${service.label}`, state: 'dead', served: true, diedAt: now }
      this.#children.set(pid, child)
    } else if (child.service !== service && child.state !== 'dead') {
      this.report(
        'error',
        `service ${service.label} pid ${pid}: was a child of ${child.service?.label ?? 'no service'}`,
      )
      this.#move(child, service)
    }
    const odd = (severity: Severity, text: string): void =>
      this.report(severity, `service ${service.label} pid ${pid} in ${child.state.toUpperCase()} state: ${text}`)
    switch (message) {
      case Status.Available:
        if (child.state === 'ready') odd('warning', 'now available and in READY state')
        else if (child.state === 'busy') {
          child.state = 'ready'
          service.ready++
        }
        break
      case Status.Unavailable:
        if (child.state === 'busy') odd('warning', 'now unavailable and in BUSY state')
        else if (child.state === 'ready') this.#busy(child, service)
        break
      case Status.Connection:
        if (child.state === 'ready') {
          odd('error', 'now serving connection')
          this.#busy(child, service)
        }
        child.served = true
        service.connections++
        break
      case Status.ConnectionMulti:
        if (child.state === 'busy') {
          odd('error', 'serving one more multi-threaded connection')
          child.state = 'ready'
          service.ready++
        }
        child.served = true
        service.connections++
        break
      default:
        odd('error', `unrecognized message ${message}`)
    }
  }

  /**
   * A child has ended.
   * @returns what it was and the state it was in, or undefined for a pid that is not ours
   */
  ended(pid: number, now: number): { child: Child<S>; was: ChildState } | undefined {
    const child = this.#children.get(pid)
    if (child === undefined || child.state === 'dead') return undefined
    const was = child.state
    if (child.service !== undefined) {
      child.service.active--
      if (was === 'ready') child.service.ready--
    }
    child.state = 'dead'
    child.diedAt = now
    return { child, was }
  }

  /** Forgets those whose grace is over. @returns how many dead ones are left */
  sweep(now: number): number {
    let left = 0
    for (const [pid, child] of this.#children) {
      if (child.state !== 'dead') continue
      if (now - child.diedAt >= GRACE) this.#children.delete(pid)
      else left++
    }
    return left
  }

  #busy(child: Child<S>, service: S): void {
    child.state = 'busy'
    service.ready--
  }

  #move(child: Child<S>, service: S): void {
    if (child.service !== undefined) {
      child.service.active--
      if (child.state === 'ready') child.service.ready--
    }
    child.service = service
    service.active++
    if (child.state === 'ready') service.ready++
  }
}
