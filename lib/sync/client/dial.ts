/** A connection to a replica's port or UNIX socket, in plain or TLS from the first byte, in bounded time. */
import net from 'node:net'
import tls from 'node:tls'
import { PeerGoneError } from './peer_errors.js'
import type { Target } from './target.js'

/** @param port instead of the target's @throws {PeerGoneError} naming where and why */
export function dial(target: Target, port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const where = target.unix ? target.host : `${target.host}:${port}`
    const socket = target.unix
      ? net.connect({ path: target.host })
      : target.tls
        ? tls.connect({ host: target.host, port, rejectUnauthorized: false })
        : net.connect({ host: target.host, port })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new PeerGoneError(`${where}: no connection within ${target.connectTimeout} s`))
    }, target.connectTimeout * 1000)
    const fail = (error: NodeJS.ErrnoException): void => {
      clearTimeout(timer)
      reject(new PeerGoneError(`${where}: ${error.code ?? error.message}`))
    }
    socket.once('error', fail)
    socket.once(target.tls && !target.unix ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      if (!target.unix) {
        socket.setNoDelay(true)
        socket.setKeepAlive(true, 60_000)
      }
      resolve(socket)
    })
  })
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:127\.|::1$|::ffff:127\.)/.test(address)
}
