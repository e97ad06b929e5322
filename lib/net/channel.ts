/**
 * What protects a conversation, as authentication wants to know it: how strongly it is encrypted, who the client's certificate says it is,
 * and the bytes that tie an exchange to this very TLS connection (RFC 5929, RFC 9266).
 */
import { createHash, X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import type { Connection } from './connection.js'

/** Kinds of channel binding, strongest first. */
export const BINDING_TYPES = ['tls-exporter', 'tls-unique', 'tls-server-end-point'] as const
export type BindingType = (typeof BINDING_TYPES)[number]

/** A conversation's protection at this moment. */
export interface Channel {
  /** the peer's address, `unix` for a local socket */
  readonly remote: string
  /** bits; 0 is none, 1 integrity only */
  readonly strength: number
  /** user named by a client certificate that was verified */
  readonly certificateUser?: string
  /** the bytes for a kind of binding; undefined if this connection has none of that kind */
  binding(type: BindingType): Buffer | undefined
}

/** Whether passwords may be sent as they are. */
export function isEncrypted({ strength }: Channel): boolean {
  return strength > 1
}

/** @param outside strength in bits that something else gives the connection (`-p`) */
export function channelOf(connection: Connection, outside = 0): Channel {
  const { socket, remote } = connection
  if (!(socket instanceof tls.TLSSocket)) return { remote, strength: outside, binding: () => undefined }
  return {
    remote,
    strength: Math.max(outside, cipherStrength(socket.getCipher()?.name)),
    certificateUser: certificateUser(socket),
    binding: (type) => binding(socket, type),
  }
}

/** Bits of a cipher by its OpenSSL name. */
function cipherStrength(name = ''): number {
  if (/256|CHACHA20/.test(name.replace(/SHA\d+/, ''))) return 256
  return /NULL/.test(name) ? 1 : /3DES|CBC3/.test(name) ? 112 : 128
}

const verified = new WeakSet<tls.TLSSocket>()

/** lib/net's own: the client's certificate was found good. */
export function noteVerified(socket: tls.TLSSocket): void {
  verified.add(socket)
}

/** The common name of the subject, as Cyrus takes it. */
function certificateUser(socket: tls.TLSSocket): string | undefined {
  if (!verified.has(socket)) return undefined
  const name: unknown = socket.getPeerCertificate().subject?.CN
  return typeof name === 'string' && name !== '' ? name : undefined
}

function binding(socket: tls.TLSSocket, type: BindingType): Buffer | undefined {
  switch (type) {
    case 'tls-exporter':
      return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
    case 'tls-unique': {
      // The client's Finished message, or in a resumed session the server's (RFC 5929 §3.1). The RFC knows nothing of TLS 1.3; Cyrus and its
      // sync_client do the same there.
      return socket.isSessionReused() ? socket.getFinished() : socket.getPeerFinished()
    }
    case 'tls-server-end-point': {
      const certificate = socket.getCertificate()
      if (certificate === null || !('raw' in certificate) || certificate.raw === undefined) return undefined
      return endPoint((certificate as { raw: Buffer }).raw)
    }
  }
}

/** The certificate's hash, with the hash its signature was made with, SHA-256 for MD5 and SHA-1 (RFC 5929 §4.1). Both sides compute it. */
export function endPoint(raw: Buffer): Buffer | undefined {
  const hash = signatureHash(raw)
  return hash === undefined ? undefined : createHash(hash).update(raw).digest()
}

/** Signature algorithms by the hexadecimal of their object identifiers. */
const SIGNATURE_HASHES: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'sha256', // md5WithRSAEncryption
  '2a864886f70d010105': 'sha256', // sha1WithRSAEncryption
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
}

/** Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { OBJECT IDENTIFIER … } … }. */
function signatureHash(raw: Buffer): string | undefined {
  new X509Certificate(raw) // throws on what is none, so that the offsets below hold
  const outer = element(raw, 0)
  const body = element(raw, outer.start)
  const algorithm = element(raw, body.end)
  const oid = element(raw, algorithm.start)
  return SIGNATURE_HASHES[raw.toString('hex', oid.start, oid.end)]
}

/** A DER element's contents. */
function element(raw: Buffer, at: number): { start: number; end: number } {
  const first = raw[at + 1]!
  if (first < 128) return { start: at + 2, end: at + 2 + first }
  const size = first & 127
  const start = at + 2 + size
  return { start, end: start + raw.readUIntBE(at + 2, size) }
}
