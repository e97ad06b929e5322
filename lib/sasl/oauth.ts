/**
 * Who a bearer token belongs to: a JWT (RFC 7519) checked against configured keys, or whatever the authorization server says of it
 * (RFC 7662). The signatures are the jose package's, loaded when the first token comes.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import type { JSONWebKeySet, JWTPayload } from 'jose'
import type { Config } from '../config/config.js'

/** A token that lets nobody in, or cannot be checked; the message is for the log. */
export class TokenError extends Error {
  override name = 'TokenError'
}

const LONGEST_ANSWER = 64 * 1024
const INTROSPECTION_MS = 10_000
/** Seconds by which clocks may differ. */
const TOLERANCE = 30

/** Whether tokens can be checked at all. */
export function hasOauth(config: Config): boolean {
  return !!config.string('oauth_keys') || !!config.string('oauth_introspection_url')
}

/**
 * The user named by a token: its claim `oauth_user_claim`.
 * @throws {TokenError}
 */
export async function tokenUser(config: Config, token: string): Promise<string> {
  const claims = config.string('oauth_keys') ? await verified(config, token) : await introspected(config, token)
  const name = config.string('oauth_user_claim')!
  const user = claims[name]
  if (typeof user !== 'string' || user === '') throw new TokenError(`the token has no claim "${name}"`)
  const missing = config.list('oauth_scope').filter((scope) => !scopesOf(claims).includes(scope))
  if (missing.length > 0) throw new TokenError(`the token lacks the scope ${missing.join(' ')}`)
  return user
}

function scopesOf({ scope, scp }: JWTPayload): string[] {
  const value = scope ?? scp
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'string' ? value.split(' ') : []
}

interface Keys {
  readonly stamp: string
  readonly keys: KeyObject | JSONWebKeySet
}

const keysOf = new Map<string, Keys>()

/** A PEM public key or certificate, or a JSON Web Key Set (RFC 7517 §5); read again when the file changes. */
function readKeys(path: string): KeyObject | JSONWebKeySet {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    const stamp = `${ino}.${size}.${mtimeMs}`
    const known = keysOf.get(path)
    if (known?.stamp === stamp) return known.keys
    const text = readFileSync(path, 'utf8')
    const keys = text.trimStart().startsWith('{') ? (JSON.parse(text) as JSONWebKeySet) : createPublicKey(text)
    keysOf.set(path, { stamp, keys })
    return keys
  } catch (error) {
    throw new TokenError(`oauth_keys: ${path}: ${(error as Error).message}`)
  }
}

async function verified(config: Config, token: string): Promise<JWTPayload> {
  const keys = readKeys(config.string('oauth_keys')!)
  const jose = await import('jose')
  const options = {
    issuer: config.string('oauth_issuer'),
    audience: config.string('oauth_audience'),
    clockTolerance: TOLERANCE,
    requiredClaims: ['exp'],
  }
  try {
    const { payload } =
      'keys' in keys
        ? await jose.jwtVerify(token, jose.createLocalJWKSet(keys), options)
        : await jose.jwtVerify(token, keys as KeyObject, options)
    return payload
  } catch (error) {
    throw new TokenError((error as Error).message)
  }
}

async function introspected(config: Config, token: string): Promise<JWTPayload> {
  const url = config.string('oauth_introspection_url')!
  const client = config.string('oauth_client_id')
  const secret = config.string('oauth_client_secret') ?? ''
  const encoded = [client ?? '', secret].map(encodeURIComponent).join(':')
  let claims: JWTPayload
  try {
    const answer = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(INTROSPECTION_MS),
      headers: {
        accept: 'application/json',
        ...(client && { authorization: `Basic ${Buffer.from(encoded).toString('base64')}` }),
      },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
    })
    if (!answer.ok) throw new Error(`HTTP status ${answer.status}`)
    const text = await answer.text()
    if (text.length > LONGEST_ANSWER) throw new Error('the answer is too long')
    claims = JSON.parse(text) as JWTPayload
  } catch (error) {
    throw new TokenError(`oauth_introspection_url: ${(error as Error).message}`)
  }
  const now = Date.now() / 1000
  if (claims.active !== true) throw new TokenError('the token is not active')
  if (typeof claims.exp === 'number' && claims.exp < now - TOLERANCE) throw new TokenError('the token has expired')
  const [issuer, audience] = [config.string('oauth_issuer'), config.string('oauth_audience')]
  if (issuer && claims.iss !== issuer) throw new TokenError('the token is of another issuer')
  if (audience && ![claims.aud].flat().includes(audience)) throw new TokenError('the token is for another audience')
  return claims
}
