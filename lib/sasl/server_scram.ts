/**
 * SCRAM-SHA-1 and SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), with and without channel binding (-PLUS). An unknown user gets a
 * made-up salt that is the same each time, and fails only at the end, so that names cannot be probed.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { BINDING_TYPES } from '../net/channel.js'
import { authorized, failedLoginPause, passwordStore } from './check_password.js'
import { canonicalUser, mayLogIn, storeKey } from './identity.js'
import { attributes, decodeName, digest, HASH_LENGTH, hmac, type ScramHash, type ScramKeys, xor } from './scram.js'
import type { ServerMechanism, ServerMechanismContext, ServerStep } from './server_mechanism.js'

const LONGEST_RESPONSE = 4096
/** Key of made-up salts; lasts as long as the process. */
const pretence = randomBytes(32)

function pretendedKeys(hash: ScramHash, user: string): ScramKeys {
  return {
    salt: createHmac('sha256', pretence).update(user).digest().subarray(0, 16),
    iterations: 10_000,
    storedKey: randomBytes(HASH_LENGTH[hash]),
    serverKey: randomBytes(HASH_LENGTH[hash]),
  }
}

interface Opening {
  readonly user: string
  readonly authorization: string
  readonly keys: ScramKeys
  readonly nonce: string
  /** base64 of the GS2 header and the channel's bytes, which the client must give */
  readonly channelBinding: string
  /** client-first-bare "," server-first */
  readonly authMessage: string
  readonly known: boolean
}

/**
 * One exchange: client-first → server-first → client-final → server-final → (empty) → done.
 * @param plus with channel binding (RFC 5802 §6)
 * @param offersPlus whether -PLUS was offered beside this: a client that believes it was not has been lied to
 */
export function startScram(
  { config, channel, mayActAs }: ServerMechanismContext,
  hash: ScramHash,
  plus: boolean,
  offersPlus: boolean,
): ServerMechanism {
  let opening: Opening | undefined
  let accepted: ServerStep | undefined

  const failed = async (reason: string, claimed?: string): Promise<ServerStep> => {
    await failedLoginPause(config, channel.remote)
    return { state: 'failed', reason, claimed }
  }

  const bindingOf = (type: string): Buffer | undefined => {
    const known = BINDING_TYPES.find((each) => each === type)
    return known === undefined ? undefined : channel.binding(known)
  }

  const first = async (text: string): Promise<ServerStep> => {
    // gs2-header = gs2-cbind-flag "," [ "a=" saslname ] ","
    const match = /^(n|y|p=([\w.-]{1,40})),(a=[^,]*)?,(n=([^,]*),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(text)
    if (match === null) return failed('malformed SCRAM message')
    const [, flag, type, authzid, bare, name, clientNonce] = match as string[] & { length: 7 }
    if (plus !== (type !== undefined)) return failed(plus ? 'no channel binding' : 'channel binding without -PLUS')
    if (flag === 'y' && offersPlus) return failed('the client was not shown that -PLUS is offered')
    const bound = type === undefined ? Buffer.alloc(0) : bindingOf(type)
    if (bound === undefined) return failed(`no channel binding of type ${type}`)
    const login = decodeName(name!)
    const authorization = decodeName(authzid?.slice(2) ?? '')
    if (login === undefined || authorization === undefined) return failed('malformed SCRAM name')
    const user = canonicalUser(config, login)
    const allowed = user !== undefined && mayLogIn(config, user)
    let keys: ScramKeys | undefined
    try {
      keys = allowed ? (await passwordStore(config).find(storeKey(config, user)))?.[hash] : undefined
    } catch (error) {
      return failed((error as Error).message, login)
    }
    const shown = keys ?? pretendedKeys(hash, login)
    const nonce = clientNonce! + randomBytes(18).toString('base64')
    const challenge = `r=${nonce},s=${shown.salt.toString('base64')},i=${shown.iterations}`
    opening = {
      user: user ?? login,
      authorization,
      keys: shown,
      nonce,
      channelBinding: Buffer.concat([Buffer.from(text.slice(0, text.length - bare!.length)), bound]).toString('base64'),
      authMessage: `${bare},${challenge}`,
      known: keys !== undefined,
    }
    return { state: 'challenge', challenge: Buffer.from(challenge) }
  }

  const final = async (text: string, { user, keys, ...opened }: Opening): Promise<ServerStep> => {
    const split = text.lastIndexOf(',p=')
    const list = attributes(text)
    if (split < 0 || list === undefined) return failed('malformed SCRAM message', user)
    if (list[0]?.[0] !== 'c' || list[0][1] !== opened.channelBinding) return failed('channel binding differs', user)
    if (list[1]?.[0] !== 'r' || list[1][1] !== opened.nonce) return failed('nonce differs', user)
    const authMessage = `${opened.authMessage},${text.slice(0, split)}`
    const proof = Buffer.from(text.slice(split + 3), 'base64')
    const clientSignature = hmac(hash, keys.storedKey, authMessage)
    if (proof.length !== clientSignature.length) return failed('malformed SCRAM proof', user)
    const storedKey = digest(hash, xor(proof, clientSignature))
    if (!timingSafeEqual(storedKey, keys.storedKey) || !opened.known) return failed('wrong user or password', user)
    const acting = authorized({ config, mayActAs }, user, opened.authorization)
    if (!acting.ok) return failed(acting.reason, user)
    accepted = { state: 'done', user: acting.user, authenticated: user }
    return {
      state: 'challenge',
      challenge: Buffer.from(`v=${hmac(hash, keys.serverKey, authMessage).toString('base64')}`),
    }
  }

  return {
    name: `${hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1'}${plus ? '-PLUS' : ''}`,
    async step(response) {
      if (response === undefined) return { state: 'challenge', challenge: Buffer.alloc(0) }
      if (accepted !== undefined) {
        return response.length === 0 ? accepted : failed('data after the end of the SCRAM exchange', opening?.user)
      }
      if (response.length > LONGEST_RESPONSE) return failed('overlong SCRAM message')
      const text = response.toString('utf8')
      return opening === undefined ? first(text) : final(text, opening)
    },
  }
}
