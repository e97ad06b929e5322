/**
 * Master's report over HTTP (`prometheus_listen`), by prom-client, which is loaded only here: it costs some 10 MB. One resource, `/metrics`; a
 * handful of connections, each soon over; nothing that a scraper sends reaches anything else.
 */
import type { Server } from 'node:http'
import { parseListen, portNumber } from './listen_address.js'
import type { ServiceSocket } from './service_socket.js'
import { METRICS, samplesOf } from './statistics.js'

const MOST_CONNECTIONS = 16
const PATIENCE = 10_000

/** Where to listen, for net.Server.listen. */
export type ListenPoint = { path: string } | { host: string; port: number }

/**
 * @param text `[host:]port`, `[address]:port` or `/path`, as in cyrus.conf's listen=; without host only this machine can ask
 * @returns undefined for a text that is none of these
 */
export function listenPoint(text: string): ListenPoint | undefined {
  const parsed = parseListen(text)
  if (parsed === undefined) return undefined
  if (parsed.path !== undefined) return { path: parsed.path }
  const port = portNumber(parsed.port, 'tcp')
  if (port === undefined) return undefined
  return { host: parsed.host === '*' ? '::' : (parsed.host ?? '127.0.0.1'), port }
}

/**
 * Starts serving.
 * @param services asked at each request
 * @param others what other programs report, asked at each request
 * @throws {Error} what listen(2) says
 */
export async function servePrometheus(
  where: ListenPoint,
  services: () => readonly ServiceSocket[],
  others: () => Promise<string> = async () => '',
): Promise<Server> {
  const [{ Registry, Gauge, Counter }, { createServer }] = await Promise.all([
    import('prom-client'),
    import('node:http'),
  ])
  const registry = new Registry()
  for (const metric of METRICS) {
    const common = { name: metric.name, help: metric.help, labelNames: ['service', 'family'], registers: [registry] }
    const collect = (reset: () => void, take: (labels: Record<string, string>, value: number) => void): void => {
      reset()
      for (const { labels, value } of samplesOf(metric, services(), performance.now())) take(labels, value)
    }
    if (metric.type === 'gauge') {
      new Gauge({
        ...common,
        collect() {
          collect(
            () => this.reset(),
            (labels, value) => this.set(labels, value),
          )
        },
      })
    } else {
      new Counter({
        ...common,
        collect() {
          collect(
            () => this.reset(),
            (labels, value) => this.inc(labels, value),
          )
        },
      })
    }
  }
  const server = createServer({ requestTimeout: PATIENCE, headersTimeout: PATIENCE }, (request, response) => {
    const answer = (status: number, text: string, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', ...headers })
      response.end(request.method === 'HEAD' ? '' : text)
    }
    const [path] = (request.url ?? '/').split('?')
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, 'only GET\n', { Allow: 'GET, HEAD' })
    else if (path !== '/metrics') answer(404, 'metrics are at /metrics\n')
    else {
      Promise.all([registry.metrics(), others()]).then(
        ([own, more]) =>
          answer(200, own.endsWith('\n') ? own + more : `${own}\n${more}`, { 'Content-Type': registry.contentType }),
        (error: Error) => answer(500, `${error.message}\n`),
      )
    }
  })
  server.maxConnections = MOST_CONNECTIONS
  server.timeout = PATIENCE
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, () => {
      server.off('error', reject)
      resolve()
    })
  })
  server.on('error', () => undefined)
  // services keep master alive, not this
  server.unref()
  return server
}
