/** OAUTHBEARER (RFC 7628), and XOAUTH2, which it grew out of: a bearer token instead of a password; oauth.ts knows whose it is. */
import { authorized, failedLoginPause } from './check_password.js'
import { canonicalUser, mayLogIn } from './identity.js'
import { hasOauth, tokenUser } from './oauth.js'
import { decodeName } from './scram.js'
import type { ServerMechanism, ServerMechanismContext, ServerStep } from './server_mechanism.js'

export { hasOauth }

const LONGEST_RESPONSE = 32 * 1024

/** `gs2-header kvsep *kvpair kvsep` (RFC 7628 §3.1). @returns undefined on anything else */
export function parseOauthBearer(response: Buffer): { authorization: string; token: string } | undefined {
  const text = response.toString('utf8')
  const match = /^[ny],(?:a=([^,]*))?,\x01((?:[A-Za-z]+=[^\x01]*\x01)*)\x01$/.exec(text)
  if (response.length > LONGEST_RESPONSE || match === null) return undefined
  const authorization = decodeName(match[1] ?? '')
  const auth = match[2]!.split('\x01').find((pair) => pair.startsWith('auth='))
  const token = /^auth=Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(auth ?? '')?.[1]
  return authorization === undefined || token === undefined ? undefined : { authorization, token }
}

/** `user=NAME kvsep auth=Bearer TOKEN kvsep kvsep`. @returns undefined on anything else */
function parseXoauth2(response: Buffer): { authorization: string; token: string } | undefined {
  const match = /^user=([^\x01]*)\x01auth=Bearer +([A-Za-z0-9._~+/-]+=*)\x01\x01$/i.exec(response.toString('utf8'))
  if (response.length > LONGEST_RESPONSE || match === null) return undefined
  return { authorization: match[1]!, token: match[2]! }
}

export const startOauthBearer = (context: ServerMechanismContext): ServerMechanism =>
  start('OAUTHBEARER', parseOauthBearer, context)
export const startXoauth2 = (context: ServerMechanismContext): ServerMechanism =>
  start('XOAUTH2', parseXoauth2, context)

function start(
  name: string,
  parse: typeof parseOauthBearer,
  { config, channel, mayActAs }: ServerMechanismContext,
): ServerMechanism {
  let refusal: ServerStep | undefined

  const refused = async (status: string, reason: string, claimed?: string): Promise<ServerStep> => {
    await failedLoginPause(config, channel.remote)
    refusal = { state: 'failed', reason, claimed }
    const scope = config.string('oauth_scope')
    const discovery = config.string('oauth_discovery_url')
    const error = { status, ...(scope && { scope }), ...(discovery && { 'openid-configuration': discovery }) }
    return { state: 'challenge', challenge: Buffer.from(JSON.stringify(error)) }
  }

  return {
    name,
    async step(response) {
      // the client answers the error with one octet 1, and only then is told that it failed (§3.2.3)
      if (refusal !== undefined) return refusal
      if (response === undefined) return { state: 'challenge', challenge: Buffer.alloc(0) }
      const parsed = parse(response)
      if (parsed === undefined) return refused('invalid_request', `malformed ${name} message`)
      let login: string
      try {
        login = await tokenUser(config, parsed.token)
      } catch (error) {
        return refused('invalid_token', (error as Error).message, parsed.authorization)
      }
      const user = canonicalUser(config, login)
      if (user === undefined || !mayLogIn(config, user))
        return refused('invalid_token', 'the token names no user', login)
      const acting = authorized({ config, mayActAs }, user, parsed.authorization)
      if (!acting.ok) return refused('insufficient_scope', acting.reason, login)
      return { state: 'done', user: acting.user, authenticated: user }
    },
  }
}
