/**
 * TLS put over an open socket (STARTTLS of every protocol here, and the services that begin with TLS). The caller has
 * taken its listeners off the plain socket and thrown away what was buffered (no plain text may be taken for
 * protected text).
 */
import type net from 'node:net'
import tls from 'node:tls'

/** A ready context, or what makes one: key, cert, ca …; a client also gives the server's name. */
export type TlsSettings = tls.SecureContext | (tls.SecureContextOptions & tls.ConnectionOptions)

function isContext(settings: TlsSettings): settings is tls.SecureContext {
  return 'context' in settings
}

const HANDSHAKE_MS = 60_000

/** @returns the protected socket, the handshake done. @throws the handshake's error (a minute's silence too), the socket destroyed */
export function secureSocket(
  socket: net.Socket,
  settings: TlsSettings,
  role: 'server' | 'client',
): Promise<tls.TLSSocket> {
  const secureContext = isContext(settings) ? settings : tls.createSecureContext(settings)
  const options = isContext(settings) ? {} : settings
  const secured =
    role === 'server'
      ? new tls.TLSSocket(socket, { ...options, isServer: true, secureContext })
      : tls.connect({ ...options, socket, secureContext })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(new Error('no TLS handshake within a minute')), HANDSHAKE_MS)
    const fail = (error: Error) => {
      clearTimeout(timer)
      secured.destroy()
      socket.destroy()
      reject(error)
    }
    const closed = () => fail(new Error('connection closed during the TLS handshake'))
    secured.once('error', fail)
    secured.once('close', closed)
    secured.once('end', closed) // the plain socket may be half-open: its end alone closes nothing
    secured.once(role === 'server' ? 'secure' : 'secureConnect', () => {
      clearTimeout(timer)
      secured.off('error', fail)
      secured.off('close', closed)
      secured.off('end', closed)
      resolve(secured)
    })
  })
}
