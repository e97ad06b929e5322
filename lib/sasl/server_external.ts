/** EXTERNAL (RFC 4422 appendix A): the user is whom the client's certificate names; an authorization id may ask for another. */
import { authorized, failedLoginPause } from './check_password.js'
import { canonicalUser, mayLogIn } from './identity.js'
import type { ServerMechanism, ServerMechanismContext } from './server_mechanism.js'

export function startExternal({ config, channel, mayActAs }: ServerMechanismContext): ServerMechanism {
  return {
    name: 'EXTERNAL',
    async step(response) {
      if (response === undefined) return { state: 'challenge', challenge: Buffer.alloc(0) }
      const name = channel.certificateUser ?? ''
      const user = canonicalUser(config, name)
      const acting =
        user === undefined || !mayLogIn(config, user)
          ? ({ ok: false, reason: `a certificate for "${name}" lets nobody log in` } as const)
          : authorized({ config, mayActAs }, user, response.toString('utf8'))
      if (acting.ok) return { state: 'done', user: acting.user, authenticated: user! }
      await failedLoginPause(config, channel.remote)
      return { state: 'failed', reason: acting.reason, claimed: name }
    },
  }
}
