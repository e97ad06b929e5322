/**
 * The client's side of a SASL exchange (RFC 4422): picks the strongest mechanism that both know and answers its challenges.
 * Knows what a Cyrus may offer: SCRAM, DIGEST-MD5 (qop=auth), CRAM-MD5, PLAIN, LOGIN.
 */
import { type ClientCredentials, type ClientMechanism, ClientMechanismError } from './client_exchange.js'
import { startCramMd5, startDigestMd5 } from './client_md5.js'
import { startScramClient } from './client_scram.js'

export { type ClientCredentials, type ClientMechanism, ClientMechanismError } from './client_exchange.js'

const STRONGEST_FIRST: ReadonlyArray<readonly [string, (credentials: ClientCredentials) => ClientMechanism]> = [
  ['SCRAM-SHA-256', (credentials) => startScramClient(credentials, 'sha256')],
  ['SCRAM-SHA-1', (credentials) => startScramClient(credentials, 'sha1')],
  ['DIGEST-MD5', startDigestMd5],
  ['CRAM-MD5', startCramMd5],
  ['PLAIN', startPlainClient],
  ['LOGIN', startLoginClient],
]

/**
 * @param offered as the server listed them
 * @param wanted if not empty, only these (`force_sasl_client_mech`, `HOST_mechs`)
 * @returns undefined if none suits
 */
export function startClientMechanism(
  offered: readonly string[],
  credentials: ClientCredentials,
  wanted: readonly string[] = [],
): ClientMechanism | undefined {
  const names = new Set(offered.map((name) => name.toUpperCase()))
  const only = new Set(wanted.map((name) => name.toUpperCase()))
  const choice = STRONGEST_FIRST.find(([name]) => names.has(name) && (only.size === 0 || only.has(name)))
  return choice?.[1](credentials)
}

/** PLAIN (RFC 4616), without authorization id. */
function startPlainClient({ user, password }: ClientCredentials): ClientMechanism {
  const message = Buffer.from(`\0${user}\0${password}`)
  return { name: 'PLAIN', initial: message, complete: true, step: async () => message }
}

/** LOGIN: answers the first challenge with the name, the second with the password, whatever they ask. */
function startLoginClient({ user, password }: ClientCredentials): ClientMechanism {
  const answers = [user, password]
  return {
    name: 'LOGIN',
    initial: undefined,
    complete: true,
    async step() {
      const answer = answers.shift()
      if (answer === undefined) throw new ClientMechanismError('LOGIN: the server asked a third question')
      return Buffer.from(answer)
    },
  }
}
