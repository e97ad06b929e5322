/** The sockets of a SERVICES entry: one for each address, numbered from 0, each with its status pipe (reference: master.md §3). */
import type { Config } from '../lib/config/config.js'
import { LONGEST_UNIX_PATH } from '../lib/os/socket.js'
import type { Logger } from '../lib/process/log.js'
import type { ServiceEntry } from './entries.js'
import { resolveListen } from './listen_address.js'
import { typeOfService } from './qos_marking.js'
import { openListener, ServiceSocket } from './service_socket.js'
import { StatusPipe } from './status_pipe.js'

/** A listener that cannot be bound, with `master_bind_errors_fatal`. Exit status 69. */
export class BindError extends Error {}

/** What sockets are made with. */
export interface Opening {
  readonly config: Config
  readonly log: Logger
  readonly backlog: number
  /** whether `master_bind_errors_fatal` counts */
  readonly atStart: boolean
  /** a process has reported on the socket's status pipe */
  onRecord(socket: ServiceSocket, message: number, pid: number): void
}

/**
 * @returns the sockets; none, with a line in the log, disables the service
 * @throws {BindError}
 */
export async function openService(entry: ServiceEntry, opening: Opening): Promise<ServiceSocket[]> {
  const { config, log, backlog, atStart } = opening
  const resolved = await resolveListen(entry.listen, entry.proto)
  if (resolved.problem !== undefined) {
    log.error(`${resolved.problem}, disabling ${entry.name}`)
    return []
  }
  const sockets: ServiceSocket[] = []
  let lastProblem = ''
  for (const address of resolved.addresses) {
    const where = address.family === 'unix' ? address.path : `${address.host} port ${address.port}`
    const opened = openListener(address, resolved.datagram, backlog, typeOfService(config))
    if (opened.problem !== undefined) {
      lastProblem =
        address.family === 'unix' && Buffer.byteLength(address.path) > LONGEST_UNIX_PATH
          ? `invalid listen '${address.path}' (too long)`
          : opened.problem
      if (address.family !== 'ipv6' || resolved.addresses.length === 1) {
        log.error(`unable to open ${entry.name}/${address.family} socket on ${where}: ${opened.problem}`)
      } else log.debug(`${entry.name}: no socket on ${where}: ${opened.problem}`)
      if (atStart && config.switch('master_bind_errors_fatal')) {
        throw new BindError(`cannot open ${entry.name}/${address.family} socket on ${where}: ${opened.problem}`)
      }
      continue
    }
    const status = new StatusPipe(
      (message, pid) => opening.onRecord(socket, message, pid),
      (error) => log.error(`status pipe of ${entry.name}: ${error.message}`),
    )
    const socket = new ServiceSocket(entry, sockets.length, address.family, opened.fd, status, performance.now())
    sockets.push(socket)
  }
  if (sockets.length === 0) log.error(`unable to create ${entry.name} listener socket: ${lastProblem}, disabling it`)
  return sockets
}
