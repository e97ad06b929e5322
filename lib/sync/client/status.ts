/**
 * How a rolling client stands, as a record that it keeps in a file of `prometheus_stats_dir`, for `sync_client --status` and, in
 * Prometheus' text format beside it, for monitoring. Written at most once a second; a file that cannot be written stops nothing.
 */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '../../process/log.js'
import { exposition } from './status_metrics.js'

/** Times are unix seconds with fractions; null is never, or none. */
export interface SyncStatus {
  readonly pid: number
  readonly channel: string
  /** the replica, `host:port` or a socket's path */
  readonly server: string
  readonly started: number
  connectedSince: number | null
  connections: number
  /** why there is no connection */
  connectError: string | null
  /** end of the last round in which everything was done or deferred */
  lastRound: number | null
  /** rounds since the start */
  rounds: number
  /** when the oldest change was made that may not be on the replica */
  oldest: number | null
  /** log lines under way and deferred */
  waiting: number
  messages: number
  bytes: number
  /** a second, over the last minute or so */
  messageRate: number
  byteRate: number
  failing: FailingLine[]
  /** semisync: since when changes are acknowledged without the replica */
  semisyncLost: number | null
}

export interface FailingLine {
  readonly line: string
  readonly reason: string
  readonly since: number
  /** when it is tried again */
  readonly next: number
}

/** That of a client that has just begun. @param server `host:port` or a socket's path */
export function freshStatus(channel: string, server: string): SyncStatus {
  return {
    pid: process.pid,
    channel,
    server,
    started: Date.now() / 1000,
    connectedSince: null,
    connections: 0,
    connectError: null,
    lastRound: null,
    rounds: 0,
    oldest: null,
    waiting: 0,
    messages: 0,
    bytes: 0,
    messageRate: 0,
    byteRate: 0,
    failing: [],
    semisyncLost: null,
  }
}

const LEAST_BETWEEN = 1000
/** The rates' time constant, s. */
const RATE_OVER = 60

/** @param directory statisticsDirectory(config) */
export function statusPath(directory: string, channel: string): string {
  return join(directory, channel === '' ? 'sync_client.json' : `sync_client.${channel}.json`)
}

/** @returns undefined if no rolling client has worked on the channel yet, or what it left is not readable */
export async function readStatus(directory: string, channel: string): Promise<SyncStatus | undefined> {
  try {
    return JSON.parse(await readFile(statusPath(directory, channel), 'utf8')) as SyncStatus
  } catch {
    return undefined
  }
}

export class StatusFile {
  readonly #path: string
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #writtenAt = 0
  #broken = false
  #sampled = { at: performance.now(), messages: 0, bytes: 0 }

  constructor(
    directory: string,
    readonly status: SyncStatus,
    log: Logger,
  ) {
    this.#path = statusPath(directory, status.channel)
    this.#log = log
  }

  /** The status has changed: it is written now, or a little later if it was written just before. */
  touch(): void {
    if (this.#timer !== undefined) return
    const wait = this.#writtenAt + LEAST_BETWEEN - performance.now()
    if (this.#writtenAt === 0 || wait <= 0) this.write()
    else this.#timer = setTimeout(() => this.write(), wait).unref()
  }

  write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writtenAt = performance.now()
    this.#sample()
    try {
      mkdirSync(join(this.#path, '..'), { recursive: true, mode: 0o755 })
      this.#replace(this.#path, `${JSON.stringify(this.status)}\n`)
      this.#replace(this.#path.replace(/json$/, 'txt'), exposition(this.status))
      this.#broken = false
    } catch (error) {
      if (!this.#broken) this.#log.warning(`${this.#path}: ${(error as Error).message}`)
      this.#broken = true
    }
  }

  #replace(path: string, text: string): void {
    writeFileSync(`${path}.NEW`, text, { mode: 0o644 })
    renameSync(`${path}.NEW`, path)
  }

  #sample(): void {
    const now = performance.now()
    const seconds = (now - this.#sampled.at) / 1000
    if (seconds <= 0) return
    const { status } = this
    const weight = Math.exp(-seconds / RATE_OVER)
    const mixed = (old: number, amount: number): number => old * weight + (amount / seconds) * (1 - weight)
    status.messageRate = mixed(status.messageRate, status.messages - this.#sampled.messages)
    status.byteRate = mixed(status.byteRate, status.bytes - this.#sampled.bytes)
    this.#sampled = { at: now, messages: status.messages, bytes: status.bytes }
  }
}
