/**
 * The server's side of a SASL exchange (RFC 4422), independent of the protocol that carries it: which mechanisms are offered, and a step
 * function that takes decoded responses and returns challenges until it is done or has failed.
 */
import { existsSync } from 'node:fs'
import type { Config } from '../config/config.js'
import { BINDING_TYPES, type Channel, isEncrypted } from '../net/channel.js'
import { passwordFile, passwordMethods } from './check_password.js'
import type { ScramHash } from './scram.js'
import { startExternal } from './server_external.js'
import { startCramMd5Server, startDigestMd5Server } from './server_md5.js'
import { hasOauth, startOauthBearer, startXoauth2 } from './server_oauthbearer.js'
import { startLogin, startPlain } from './server_plain.js'
import { startScram } from './server_scram.js'

/** What a step leads to. Failures have already waited `failedloginpause`. */
export type ServerStep =
  /** send this (base64, after `+ `) and step again with the answer */
  | { readonly state: 'challenge'; readonly challenge: Buffer }
  /** `user` is whom the session acts as, `authenticated` whose password was proved; both canonical */
  | { readonly state: 'done'; readonly user: string; readonly authenticated: string }
  /** `reason` is for the log; the client is told only that authentication failed */
  | {
      readonly state: 'failed'
      readonly reason: string /** whom the client claimed to be, if he got that far */
      readonly claimed?: string
    }

/** One exchange in progress. */
export interface ServerMechanism {
  readonly name: string
  /** @param response the client's decoded answer; undefined at the start if there was no initial response */
  step(response: Buffer | undefined): Promise<ServerStep>
}

/** What a mechanism works with. */
export interface ServerMechanismContext {
  readonly config: Config
  /** `imap`, `csync`, … as saslauthd and PAM shall see it */
  readonly service: string
  readonly channel: Channel
  /** whether somebody who is no proxy may act as another user all the same (`loginuseacl`); absent: never */
  readonly mayActAs?: (authenticated: string, wanted: string) => boolean
}

interface Offer {
  readonly name: string
  /** sends the password itself, so needs TLS unless `allowplaintext` */
  readonly plaintext?: boolean
  /** works on the password file only */
  readonly needsStore?: boolean
  /** offered only if `sasl_mech_list` names it */
  readonly onlyNamed?: boolean
  /** other conditions */
  readonly possible?: (config: Config, channel: Channel) => boolean
  readonly start: (context: ServerMechanismContext, offered: readonly string[]) => ServerMechanism
}

const canBind = (_: Config, channel: Channel): boolean =>
  BINDING_TYPES.some((type) => channel.binding(type) !== undefined)
const scram = (name: string, hash: ScramHash): Offer[] => [
  {
    name: `${name}-PLUS`,
    needsStore: true,
    possible: canBind,
    start: (context) => startScram(context, hash, true, true),
  },
  {
    name,
    needsStore: true,
    start: (context, offered) => startScram(context, hash, false, offered.includes(`${name}-PLUS`)),
  },
]

const OFFERS: readonly Offer[] = [
  { name: 'EXTERNAL', possible: (_, { certificateUser }) => certificateUser !== undefined, start: startExternal },
  ...scram('SCRAM-SHA-256', 'sha256'),
  ...scram('SCRAM-SHA-1', 'sha1'),
  { name: 'OAUTHBEARER', plaintext: true, possible: hasOauth, start: startOauthBearer },
  { name: 'XOAUTH2', plaintext: true, possible: hasOauth, start: startXoauth2 },
  { name: 'DIGEST-MD5', needsStore: true, onlyNamed: true, start: startDigestMd5Server },
  { name: 'CRAM-MD5', needsStore: true, onlyNamed: true, start: startCramMd5Server },
  { name: 'PLAIN', plaintext: true, start: startPlain },
  { name: 'LOGIN', plaintext: true, start: startLogin },
]

/** Whether a connection is protected well enough for anybody to log in: `sasl_minimum_layer`, `tls_required`. */
export function isProtectedEnough(config: Config, channel: Channel): boolean {
  const least = Math.max(config.int('sasl_minimum_layer'), config.switch('tls_required') ? 2 : 0)
  return channel.strength >= least
}

/** Whether passwords may be sent as they are on this connection. */
export function allowsPlaintext(config: Config, channel: Channel): boolean {
  return isProtectedEnough(config, channel) && (isEncrypted(channel) || config.switch('allowplaintext'))
}

function usable(config: Config, channel: Channel): Offer[] {
  if (!isProtectedEnough(config, channel)) return []
  const listed = config.list('sasl_mech_list').map((name) => name.toUpperCase())
  const isListed = (name: string): boolean =>
    // as for Cyrus SASL, the name of a mechanism stands for its -PLUS form too
    listed.includes(name) || (name.endsWith('-PLUS') && listed.includes(name.slice(0, -5)))
  const withStore = passwordMethods(config).includes('auxprop') && existsSync(passwordFile(config))
  const withPlaintext = allowsPlaintext(config, channel)
  return OFFERS.filter(
    ({ name, plaintext = false, needsStore = false, onlyNamed = false, possible }) =>
      (listed.length === 0 ? !onlyNamed : isListed(name)) &&
      (withPlaintext || !plaintext) &&
      (withStore || !needsStore) &&
      (possible?.(config, channel) ?? true),
  )
}

/** Mechanisms to offer on a connection now, strongest first: those of `sasl_mech_list` that work. */
export function serverMechanisms(config: Config, channel: Channel): string[] {
  return usable(config, channel).map(({ name }) => name)
}

/** Why a mechanism cannot be started. */
export type MechanismRefusal = 'unknown' | 'encryption needed'

/** Starts a mechanism by its name, in any case of letters. */
export function startServerMechanism(
  context: ServerMechanismContext,
  name: string,
): ServerMechanism | MechanismRefusal {
  const wanted = name.toUpperCase()
  const { config, channel } = context
  const offers = usable(config, channel)
  const offer = offers.find((candidate) => candidate.name === wanted)
  if (offer !== undefined)
    return offer.start(
      context,
      offers.map((each) => each.name),
    )
  const strong = { ...channel, binding: channel.binding, strength: 256 }
  return !isEncrypted(channel) && usable(config, strong).some((candidate) => candidate.name === wanted)
    ? 'encryption needed'
    : 'unknown'
}
