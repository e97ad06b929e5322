/**
 * TLS put over an open socket (STARTTLS of every protocol here, and the services that begin with TLS). The caller has
 * taken its listeners off the plain socket and thrown away what was buffered (no plain text may be taken for
 * protected text).
 */
import type net from 'node:net'
import tls from 'node:tls'
import { noteVerified } from './channel.js'

/** A server's settings; see server_tls.ts. */
export interface ServerTlsSettings {
  readonly secureContext: tls.SecureContext
  /** the client is asked for a certificate */
  readonly requestCert: boolean
  /** without a good one there is no connection */
  readonly requireCert: boolean
}

/** A ready context, a server's settings, or what makes a context: key, cert, ca …; a client also gives the server's name. */
export type TlsSettings = tls.SecureContext | ServerTlsSettings | (tls.SecureContextOptions & tls.ConnectionOptions)

function isContext(settings: TlsSettings): settings is tls.SecureContext {
  return 'context' in settings
}

function isServer(settings: TlsSettings): settings is ServerTlsSettings {
  return 'requireCert' in settings
}

const HANDSHAKE_MS = 60_000

/** @returns the protected socket, the handshake done. @throws the handshake's error (a minute's silence too), the socket destroyed */
export function secureSocket(
  socket: net.Socket,
  settings: TlsSettings,
  role: 'server' | 'client',
): Promise<tls.TLSSocket> {
  const secureContext = isContext(settings)
    ? settings
    : isServer(settings)
      ? settings.secureContext
      : tls.createSecureContext(settings)
  // what a certificate that is not good leads to is decided below
  const options = isContext(settings)
    ? {}
    : isServer(settings)
      ? { requestCert: settings.requestCert, rejectUnauthorized: false }
      : settings
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
      if (role === 'server' && isServer(settings) && settings.requestCert) {
        const problem = clientProblem(secured)
        if (problem === undefined) noteVerified(secured)
        else if (settings.requireCert) {
          fail(new Error(`client certificate: ${problem}`))
          return
        }
      }
      resolve(secured)
    })
  })
}

/** What is wrong with a client's certificate, undefined if it is good. */
function clientProblem(secured: tls.TLSSocket): string | undefined {
  if (Object.keys(secured.getPeerCertificate()).length === 0) return 'none was given'
  // only tls.Server fills in `authorized`; this is what it asks
  const handle = (secured as unknown as { _handle: { verifyError(): NodeJS.ErrnoException | null } | null })._handle
  return handle === null ? 'connection closed' : (handle.verifyError()?.code ?? undefined)
}
