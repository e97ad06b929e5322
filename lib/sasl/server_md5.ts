/**
 * CRAM-MD5 (RFC 2195) and DIGEST-MD5 with qop=auth (RFC 2831, in whose manner Cyrus SASL speaks it), the server's side: for replication
 * peers and clients that know nothing newer. Offered only if `sasl_mech_list` names them.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { authorized, failedLoginPause, passwordStore } from './check_password.js'
import { parseDigestChallenge } from './client_md5.js'
import { canonicalUser, defaultRealm, mayLogIn, storeKey } from './identity.js'
import { hmacMd5, type Md5Keys } from './md5_keys.js'
import type { ServerMechanism, ServerMechanismContext, ServerStep } from './server_mechanism.js'

const LONGEST_RESPONSE = 4096

interface Found {
  /** canonical; as sent if that is none */
  readonly user: string
  readonly keys: Md5Keys
  readonly known: boolean
}

/** A user's keys; made-up ones for a user who has none, who then fails at the end like everybody. */
async function find({ config }: ServerMechanismContext, login: string): Promise<Found> {
  const user = canonicalUser(config, login)
  const entry =
    user !== undefined && mayLogIn(config, user) ? await passwordStore(config).find(storeKey(config, user)) : undefined
  const keys = entry?.md5 ?? { cram: randomBytes(32), digest: randomBytes(16) }
  return { user: user ?? login, keys, known: entry?.md5 !== undefined }
}

async function failed(
  { config, channel }: ServerMechanismContext,
  reason: string,
  claimed?: string,
): Promise<ServerStep> {
  await failedLoginPause(config, channel.remote)
  return { state: 'failed', reason, claimed }
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** CRAM-MD5. */
export function startCramMd5Server(context: ServerMechanismContext): ServerMechanism {
  let challenge: Buffer | undefined
  return {
    name: 'CRAM-MD5',
    async step(response) {
      if (challenge === undefined) {
        if (response !== undefined && response.length > 0) return failed(context, 'CRAM-MD5: the server speaks first')
        challenge = Buffer.from(
          `<${randomBytes(9).toString('hex')}.${Math.floor(Date.now() / 1000)}@${defaultRealm(context.config)}>`,
        )
        return { state: 'challenge', challenge }
      }
      const text = response!.length > LONGEST_RESPONSE ? '' : response!.toString('utf8')
      const match = /^(.+) ([0-9a-fA-F]{32})$/s.exec(text)
      if (match === null) return failed(context, 'malformed CRAM-MD5 response')
      const login = match[1]!
      try {
        const { user, keys, known } = await find(context, login)
        const right = equal(hmacMd5(keys.cram, challenge), Buffer.from(match[2]!, 'hex'))
        if (!right || !known) return failed(context, 'wrong user or password', login)
        return { state: 'done', user, authenticated: user }
      } catch (error) {
        return failed(context, (error as Error).message, login)
      }
    },
  }
}

const md5 = (...parts: (string | Buffer)[]): Buffer => {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** DIGEST-MD5. */
export function startDigestMd5Server(context: ServerMechanismContext): ServerMechanism {
  const { config, service } = context
  const nonce = randomBytes(24).toString('base64')
  const realm = defaultRealm(config)
  let begun = false
  let accepted: ServerStep | undefined

  const check = async (text: string): Promise<ServerStep> => {
    const values = new Map<string, string>()
    for (const [name, value] of parseDigestChallenge(text)) {
      if (values.has(name)) return failed(context, `DIGEST-MD5: ${name} given twice`)
      values.set(name, value)
    }
    const login = values.get('username') ?? ''
    const wrong = (what: string) => failed(context, `DIGEST-MD5: ${what}`, login)
    const cnonce = values.get('cnonce')
    const uri = values.get('digest-uri') ?? ''
    const qop = values.get('qop') ?? 'auth'
    if (login === '' || !cnonce) return wrong('malformed response')
    if (values.get('nonce') !== nonce || values.get('nc') !== '00000001')
      return wrong('not an answer to this challenge')
    if (qop !== 'auth') return wrong('a security layer was not offered')
    if (!uri.toLowerCase().startsWith(`${service}/`)) return wrong(`meant for ${uri.slice(0, 80)}`)
    const theirs = values.get('realm') ?? ''
    const named = login.includes('@') || theirs === '' || theirs === realm ? login : `${login}@${theirs}`
    let found: Found
    try {
      found = await find(context, named)
    } catch (error) {
      return failed(context, (error as Error).message, login)
    }
    const authorization = values.get('authzid') ?? ''
    const a1 = md5(found.keys.digest, `:${nonce}:${cnonce}${authorization === '' ? '' : `:${authorization}`}`)
    const proof = (method: string): string =>
      md5(`${a1.toString('hex')}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`).toString('hex')}`).toString(
        'hex',
      )
    const right = equal(Buffer.from(proof('AUTHENTICATE')), Buffer.from(values.get('response') ?? ''))
    if (!right || !found.known) return failed(context, 'wrong user or password', login)
    const acting = authorized(context, found.user, authorization)
    if (!acting.ok) return failed(context, acting.reason, login)
    accepted = { state: 'done', user: acting.user, authenticated: found.user }
    return { state: 'challenge', challenge: Buffer.from(`rspauth=${proof('')}`) }
  }

  return {
    name: 'DIGEST-MD5',
    async step(response) {
      if (!begun) {
        // an initial response would be for a session that is taken up again, which is not offered (RFC 2831 §2.2)
        begun = true
        return {
          state: 'challenge',
          challenge: Buffer.from(
            `nonce="${nonce}",realm="${realm}",qop="auth",maxbuf=4096,charset=utf-8,algorithm=md5-sess`,
          ),
        }
      }
      if (accepted !== undefined)
        return response!.length === 0 ? accepted : failed(context, 'data after the end of the DIGEST-MD5 exchange')
      if (response!.length > LONGEST_RESPONSE) return failed(context, 'overlong DIGEST-MD5 response')
      return check(response!.toString('utf8'))
    },
  }
}
