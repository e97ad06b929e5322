/** Master's figures for the world outside: the file, and the HTTP server if one is wanted. */
import type { Server } from 'node:http'
import type { Config } from '../lib/config/config.js'
import type { Logger } from '../lib/process/log.js'
import { readStatistics, statisticsDirectory } from '../lib/process/statistics_directory.js'
import { type ListenPoint, listenPoint, servePrometheus } from './prometheus_server.js'
import type { ServiceSocket } from './service_socket.js'
import { statisticsText } from './statistics.js'
import { StatisticsFile } from './statistics_file.js'

export class Reporting {
  readonly #directory: string
  readonly #where: ListenPoint | undefined
  readonly #file: StatisticsFile | undefined
  #server: Server | undefined

  /** @throws {ConfigError} for a `prometheus_listen` that cannot be understood */
  constructor(
    config: Config,
    private readonly services: () => readonly ServiceSocket[],
    private readonly log: Logger,
  ) {
    this.#directory = statisticsDirectory(config)
    const listen = config.string('prometheus_listen')
    if (listen) {
      this.#where = listenPoint(listen)
      if (this.#where === undefined)
        throw config.error('prometheus_listen', `prometheus_listen must be [host:]port or /path, not "${listen}"`)
    }
    if (!config.switch('prometheus_enabled')) return
    this.#file = new StatisticsFile(
      this.#directory,
      Math.max(1, config.duration('prometheus_update_freq')),
      () => statisticsText(services(), performance.now()),
      log,
    )
  }

  /** Never fails: what cannot be had is logged. */
  async start(): Promise<void> {
    this.#file?.start()
    if (this.#where === undefined) return
    try {
      this.#server = await servePrometheus(this.#where, this.services, () =>
        readStatistics(this.#directory, 'master.txt'),
      )
      const address = this.#server.address()
      const shown = typeof address === 'string' ? address : `${address?.address} port ${address?.port}`
      this.log.notice(`metrics are served on ${shown}`)
    } catch (error) {
      this.log.error(`prometheus_listen: ${(error as Error).message}`)
    }
  }

  stop(): void {
    this.#file?.stop()
    this.#server?.close()
    this.#server?.closeAllConnections()
  }
}
