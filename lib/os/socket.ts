/**
 * Sockets that Node cannot make or handle: listening ones that nobody here accepts from (master's), accepting from an inherited one,
 * and pairs. Addresses are the kernel's: IPv4, IPv6 and UNIX, Linux layouts.
 */
import { closeSync, lstatSync, readSync, unlinkSync } from 'node:fs'
import koffi from 'koffi'
import { check, native, SystemError } from './libc.js'

export { SystemError } from './libc.js'

const AF = { unix: 1, ipv4: 2, ipv6: 10 } as const
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOCK_NONBLOCK = 0o4000
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_TYPE = 3
const SO_DOMAIN = 39
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPPROTO_IP = 0
const IP_TOS = 1
const IPV6_TCLASS = 67

/** Longest path of a UNIX socket in bytes: 108 with the final zero. */
export const LONGEST_UNIX_PATH = 107

export type Family = keyof typeof AF

/** Where to listen. */
export type Address =
  | { readonly family: 'ipv4' | 'ipv6'; readonly host: string; readonly port: number; readonly scope?: number }
  | { readonly family: 'unix'; readonly path: string }

/** The four bytes of a dotted IPv4 address. */
function ipv4Bytes(host: string): Buffer {
  return Buffer.from(host.split('.').map(Number))
}

/** The sixteen bytes of an IPv6 address in any of RFC 4291 §2.2's forms. */
function ipv6Bytes(host: string): Buffer {
  const words = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((part) => {
          if (!part.includes('.')) return [Number.parseInt(part, 16)]
          const b = ipv4Bytes(part)
          return [b.readUInt16BE(0), b.readUInt16BE(2)]
        })
  const [head = '', tail] = host.split('::')
  const front = words(head)
  const back = tail === undefined ? [] : words(tail)
  const out = Buffer.alloc(16)
  for (const [i, w] of front.entries()) out.writeUInt16BE(w, i * 2)
  for (const [i, w] of back.entries()) out.writeUInt16BE(w, 16 - (back.length - i) * 2)
  return out
}

/**
 * @returns the `struct sockaddr_in`, `sockaddr_in6` or `sockaddr_un`
 * @throws {SystemError} ENAMETOOLONG for a UNIX path over 107 bytes
 */
export function encodeAddress(address: Address): Buffer {
  if (address.family === 'unix') {
    const path = Buffer.from(address.path)
    if (path.length > LONGEST_UNIX_PATH) throw new SystemError('bind', koffi.os.errno.ENAMETOOLONG!, address.path)
    const out = Buffer.alloc(2 + path.length + 1)
    out.writeUInt16LE(AF.unix, 0)
    path.copy(out, 2)
    return out
  }
  const out = Buffer.alloc(address.family === 'ipv4' ? 16 : 28)
  out.writeUInt16LE(AF[address.family], 0)
  out.writeUInt16BE(address.port, 2)
  if (address.family === 'ipv4') ipv4Bytes(address.host).copy(out, 4)
  else {
    const [host = ''] = address.host.split('%')
    ipv6Bytes(host).copy(out, 8)
    out.writeUInt32LE(address.scope ?? 0, 24)
  }
  return out
}

function setOption(fd: number, level: number, option: number, value: number): void {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  check(native.setsockopt()(fd, level, option, bytes, 4), 'setsockopt')
}

function getOption(fd: number, option: number): number {
  const value = Buffer.alloc(4)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(4)
  check(native.getsockopt()(fd, SOL_SOCKET, option, value, length), 'getsockopt', `descriptor ${fd}`)
  return value.readInt32LE(0)
}

/**
 * Binds a blocking, close-on-exec socket and, for streams, listens: SO_REUSEADDR, IPv6 only for IPv6. Accepts nothing.
 * @param options.datagram SOCK_DGRAM instead of SOCK_STREAM
 * @param options.backlog of listen(2)
 * @param options.tos IP_TOS or IPV6_TCLASS, 0 to leave it
 * @returns the descriptor
 * @throws {SystemError} what socket, bind or listen answered (EADDRINUSE, EACCES, …)
 */
export function listenSocket(
  address: Address,
  options: { datagram?: boolean; backlog?: number; tos?: number } = {},
): number {
  const { datagram = false, backlog = 1024, tos = 0 } = options
  const sockaddr = encodeAddress(address)
  const type = (datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC
  const fd = check(native.socket()(AF[address.family], type, 0), 'socket')
  try {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (address.family === 'ipv6') setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    if (tos !== 0 && address.family === 'ipv4') setOption(fd, IPPROTO_IP, IP_TOS, tos)
    if (tos !== 0 && address.family === 'ipv6') setOption(fd, IPPROTO_IPV6, IPV6_TCLASS, tos)
    const where = address.family === 'unix' ? address.path : `${address.host} port ${address.port}`
    if (address.family === 'unix') bindPath(fd, sockaddr, address.path)
    else check(native.bind()(fd, sockaddr, sockaddr.length), 'bind', where)
    if (!datagram) check(native.listen()(fd, backlog), 'listen', where)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** Binds a UNIX socket in place of whatever socket is there, open to every local user (mode 0777, as Cyrus makes them). */
function bindPath(fd: number, sockaddr: Buffer, path: string): void {
  const old = lstatSync(path, { throwIfNoEntry: false })
  if (old?.isSocket()) unlinkSync(path)
  const umask = process.umask(0)
  try {
    check(native.bind()(fd, sockaddr, sockaddr.length), 'bind', path)
  } finally {
    process.umask(umask)
  }
}

/** Stops a listening socket for all processes that hold it: accept fails there from now on. An already dead one is fine. */
export function shutdownSocket(fd: number): void {
  native.shutdown()(fd, 2)
}

/** @returns the port that a TCP or UDP socket is bound to (asked of the kernel), 0 for a UNIX socket */
export function boundPort(fd: number): number {
  const address = Buffer.alloc(128)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(address.length)
  check(native.getsockname()(fd, address, length), 'getsockname')
  return address.readUInt16LE(0) === AF.unix ? 0 : address.readUInt16BE(2)
}

/** @returns what an inherited descriptor is, or undefined for something that is no socket */
export function socketKind(fd: number): { datagram: boolean; unix: boolean } | undefined {
  try {
    return { datagram: getOption(fd, SO_TYPE) === SOCK_DGRAM, unix: getOption(fd, SO_DOMAIN) === AF.unix }
  } catch (error) {
    if (error instanceof SystemError && (error.code === 'ENOTSOCK' || error.code === 'EBADF')) return undefined
    throw error
  }
}

/** The errors of accept(2) after which one waits for the next connection: reference/master.md §11, and those of Linux' manual. */
const ACCEPT_AGAIN = new Set([
  'EAGAIN',
  'EINTR',
  'ECONNABORTED',
  'ENETDOWN',
  'EPROTO',
  'ENOPROTOOPT',
  'EHOSTDOWN',
  'ENONET',
  'EHOSTUNREACH',
  'EOPNOTSUPP',
  'ENETUNREACH',
])

/**
 * Accepts a connection. On a blocking socket it waits for one, so poll first.
 * @returns a non-blocking, close-on-exec descriptor, or undefined if the connection was lost meanwhile and one should wait for another
 * @throws {SystemError} EINVAL when the listener was shut down, EMFILE when descriptors are used up, …
 */
export function accept(fd: number): number | undefined {
  const connection = native.accept4()(fd, null, null, SOCK_CLOEXEC | SOCK_NONBLOCK)
  if (connection >= 0) return connection
  const error = new SystemError('accept4', koffi.errno())
  if (ACCEPT_AGAIN.has(error.code)) return undefined
  throw error
}

/** @returns two connected UNIX stream sockets, close-on-exec */
export function socketPair(): [number, number] {
  const fds = Buffer.alloc(8)
  check(native.socketpair()(AF.unix, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 'socketpair')
  return [fds.readInt32LE(0), fds.readInt32LE(4)]
}

/** Reads and drops what waits on a non-blocking datagram socket. */
export function drainDatagrams(fd: number): void {
  const room = Buffer.alloc(4096)
  try {
    for (;;) readSync(fd, room)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  }
}
