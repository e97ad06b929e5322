/**
 * The arithmetic of SCRAM (RFC 5802, RFC 7677), for client and server alike: salted keys, proofs, signatures, and the attribute
 * grammar of its messages. Key derivation runs on Node's thread pool, never on the event loop.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(pbkdf2)

/** Hash functions that SCRAM is used with here, by Node's names. */
export type ScramHash = 'sha1' | 'sha256'

/** What a server keeps of a password for one hash; the password cannot be computed from it (RFC 5802 §2.2). */
export interface ScramKeys {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** Bytes of a hash's output. */
export const HASH_LENGTH: Readonly<Record<ScramHash, number>> = { sha1: 20, sha256: 32 }

/** PBKDF2 of a prepared password: the costly step, off the event loop. */
export function saltPassword(hash: ScramHash, password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  return derive(Buffer.from(password, 'utf8'), salt, iterations, HASH_LENGTH[hash], hash)
}

/** HMAC. */
export function hmac(hash: ScramHash, key: Buffer, data: Buffer | string): Buffer {
  return createHmac(hash, key).update(data).digest()
}

/** H(). */
export function digest(hash: ScramHash, data: Buffer): Buffer {
  return createHash(hash).update(data).digest()
}

/** Client key and server key of a salted password. */
export function keysOf(hash: ScramHash, salted: Buffer): { clientKey: Buffer; storedKey: Buffer; serverKey: Buffer } {
  const clientKey = hmac(hash, salted, 'Client Key')
  return { clientKey, storedKey: digest(hash, clientKey), serverKey: hmac(hash, salted, 'Server Key') }
}

/** Derives what a server keeps. */
export async function makeKeys(
  hash: ScramHash,
  password: string,
  salt: Buffer,
  iterations: number,
): Promise<ScramKeys> {
  const { storedKey, serverKey } = keysOf(hash, await saltPassword(hash, password, salt, iterations))
  return { salt, iterations, storedKey, serverKey }
}

/** Whether a plaintext password is the one these keys were made from. */
export async function passwordMatches(hash: ScramHash, password: string, keys: ScramKeys): Promise<boolean> {
  const { storedKey } = keysOf(hash, await saltPassword(hash, password, keys.salt, keys.iterations))
  return storedKey.length === keys.storedKey.length && timingSafeEqual(storedKey, keys.storedKey)
}

/** Byte-wise XOR of two buffers of one length. */
export function xor(a: Buffer, b: Buffer): Buffer {
  const out = Buffer.allocUnsafe(a.length)
  for (let i = 0; i < a.length; i++) out[i] = a[i]! ^ b[i]!
  return out
}

/** `saslname` of RFC 5802 §5.1: `=` and `,` are escaped. */
export function encodeName(name: string): string {
  return name.replace(/=/g, '=3D').replace(/,/g, '=2C')
}

/** @returns the name, or undefined on an escape that is neither =2C nor =3D */
export function decodeName(text: string): string | undefined {
  return /=(?!2C|3D)/.test(text) ? undefined : text.replace(/=2C/g, ',').replace(/=3D/g, '=')
}

/** @returns the comma-separated `x=value` attributes in order, or undefined on anything else (RFC 5802 §7 `attr-val`) */
export function attributes(text: string): Array<readonly [name: string, value: string]> | undefined {
  const list: Array<readonly [string, string]> = []
  for (const item of text.split(',')) {
    if (!/^[A-Za-z]=/.test(item)) return undefined
    list.push([item[0]!, item.slice(2)])
  }
  return list
}
