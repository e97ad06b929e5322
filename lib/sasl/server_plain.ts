/**
 * PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), the server's side: both hand a password to `checkPassword`.
 */
import { authorized, checkPassword, failedLoginPause } from './check_password.js'
import type { ServerMechanism, ServerMechanismContext, ServerStep } from './server_mechanism.js'

const LONGEST_RESPONSE = 4096

async function finish(
  { config, service, channel, mayActAs }: ServerMechanismContext,
  login: string,
  password: string,
  authorization: string,
): Promise<ServerStep> {
  const checked = await checkPassword(config, service, login, password, channel.remote)
  if (!checked.ok) return { state: 'failed', reason: checked.reason, claimed: login }
  const acting = authorized({ config, mayActAs }, checked.user, authorization)
  if (acting.ok) return { state: 'done', user: acting.user, authenticated: checked.user }
  await failedLoginPause(config, channel.remote)
  return { state: 'failed', reason: acting.reason, claimed: login }
}

/** PLAIN: `[authzid] NUL authcid NUL password`. */
export function startPlain(context: ServerMechanismContext): ServerMechanism {
  return {
    name: 'PLAIN',
    async step(response) {
      if (response === undefined) return { state: 'challenge', challenge: Buffer.alloc(0) }
      const parts = response.length > LONGEST_RESPONSE ? [] : response.toString('utf8').split('\0')
      if (parts.length !== 3 || parts[1] === '') return { state: 'failed', reason: 'malformed PLAIN response' }
      return finish(context, parts[1]!, parts[2]!, parts[0]!)
    },
  }
}

/** LOGIN: two questions, `Username:` and `Password:`; an initial response is the user name. */
export function startLogin(context: ServerMechanismContext): ServerMechanism {
  let login: string | undefined
  return {
    name: 'LOGIN',
    async step(response) {
      if (response === undefined) return { state: 'challenge', challenge: Buffer.from('Username:') }
      if (response.length > LONGEST_RESPONSE) return { state: 'failed', reason: 'overlong LOGIN response' }
      const text = response.toString('utf8')
      if (login === undefined) {
        login = text
        return { state: 'challenge', challenge: Buffer.from('Password:') }
      }
      return finish(context, login, text, '')
    },
  }
}
