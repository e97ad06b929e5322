/**
 * Master's figures for each service, in Prometheus' terms. Names, types and labels are those of Cyrus 3.6.1's report where it has them, so that
 * dashboards made for it go on; what Cyrus has not is marked. Reads counters only.
 */
import type { ServiceSocket } from './service_socket.js'

/** A figure of a service. */
export interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  /** @param now milliseconds, monotonic */
  value(service: ServiceSocket, now: number): number
}

/** What Cyrus reports where there is no limit. */
const NO_LIMIT = 2147483647

export const METRICS: readonly Metric[] = [
  {
    name: 'cyrus_master_ready_workers',
    type: 'gauge',
    help: 'Processes that can take a connection',
    value: ({ ready }) => ready,
  },
  {
    name: 'cyrus_master_forks_total',
    type: 'counter',
    help: 'Processes started',
    value: ({ forks }) => forks,
  },
  {
    name: 'cyrus_master_active_children',
    type: 'gauge',
    help: 'Processes alive',
    value: ({ active }) => active,
  },
  {
    name: 'cyrus_master_max_children',
    type: 'gauge',
    help: 'Most processes allowed at once (maxchild)',
    value: ({ entry }) => Math.min(entry.maxchild, NO_LIMIT),
  },
  {
    name: 'cyrus_master_greatest_children', // ours
    type: 'gauge',
    help: 'Most processes that were alive at once since the start',
    value: ({ greatest }) => greatest,
  },
  {
    name: 'cyrus_master_forks_per_second',
    type: 'gauge',
    help: 'Processes started a second, lately',
    value: ({ forkRate }, now) => forkRate.perSecond(now),
  },
  {
    name: 'cyrus_master_max_forks_per_second',
    type: 'gauge',
    help: 'Most processes started a second (maxforkrate), 0 for no limit',
    value: ({ entry }) => entry.maxforkrate,
  },
  {
    name: 'cyrus_master_ready_fails_total',
    type: 'counter',
    help: 'Processes that failed in READY state',
    value: ({ failures }) => failures,
  },
  {
    name: 'cyrus_master_connections_total', // ours
    type: 'counter',
    help: 'Connections that processes have reported',
    value: ({ connections }) => connections,
  },
  {
    name: 'cyrus_master_accept_waits_total', // ours
    type: 'counter',
    help: 'Times that a connection waited because no process was ready for it',
    value: ({ acceptWaits }) => acceptWaits,
  },
]

/** A metric's value for one service and family. */
export interface Sample {
  readonly labels: { readonly service: string; readonly family: string }
  readonly value: number
}

/** Values of a metric, one for each service and family: several sockets of one family (two addresses of a host) add up. */
export function samplesOf(metric: Metric, services: readonly ServiceSocket[], now: number): Sample[] {
  const samples = new Map<string, Sample>()
  for (const service of services) {
    const labels = { service: service.entry.name, family: service.family }
    const earlier = samples.get(service.label)?.value ?? 0
    samples.set(service.label, { labels, value: earlier + metric.value(service, now) })
  }
  return [...samples.values()]
}

/** The whole report in Prometheus' text format. Names of services are letters, digits and `_`: nothing needs escaping. */
export function statisticsText(services: readonly ServiceSocket[], now: number): string {
  const lines: string[] = []
  for (const metric of METRICS) {
    lines.push(`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`)
    for (const { labels, value } of samplesOf(metric, services, now)) {
      const shown = Number.isInteger(value) ? value : Number(value.toPrecision(6))
      lines.push(`${metric.name}{service="${labels.service}",family="${labels.family}"} ${shown}`)
    }
  }
  return `${lines.join('\n')}\n`
}
