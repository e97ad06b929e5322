/**
 * The server's side of a SASL exchange (RFC 4422), independent of the protocol that carries it: which mechanisms are offered, and a step
 * function that takes decoded responses and returns challenges until it is done or has failed.
 */
import { existsSync } from 'node:fs'
import type { Config } from '../config/config.js'
import { passwordFile, passwordMethods } from './check_password.js'
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
}

interface Offer {
  readonly name: string
  /** sends the password itself, so needs TLS unless `allowplaintext` */
  readonly plaintext: boolean
  /** works on the password file only */
  readonly needsStore: boolean
  readonly start: (context: ServerMechanismContext) => ServerMechanism
}

const OFFERS: readonly Offer[] = [
  { name: 'SCRAM-SHA-256', plaintext: false, needsStore: true, start: (context) => startScram(context, 'sha256') },
  { name: 'SCRAM-SHA-1', plaintext: false, needsStore: true, start: (context) => startScram(context, 'sha1') },
  { name: 'PLAIN', plaintext: true, needsStore: false, start: startPlain },
  { name: 'LOGIN', plaintext: true, needsStore: false, start: startLogin },
]

function usable(config: Config, encrypted: boolean): Offer[] {
  const listed = config.list('sasl_mech_list').map((name) => name.toUpperCase())
  const withStore = passwordMethods(config).includes('auxprop') && existsSync(passwordFile(config))
  const withPlaintext = encrypted || config.switch('allowplaintext')
  return OFFERS.filter(
    ({ name, plaintext, needsStore }) =>
      (listed.length === 0 || listed.includes(name)) && (withPlaintext || !plaintext) && (withStore || !needsStore),
  )
}

/**
 * Mechanisms to offer on a connection now, strongest first: those of `sasl_mech_list` that work.
 * @param encrypted whether TLS (or a layer declared with -p) protects the connection
 */
export function serverMechanisms(config: Config, encrypted: boolean): string[] {
  return usable(config, encrypted).map(({ name }) => name)
}

/** Why a mechanism cannot be started. */
export type MechanismRefusal = 'unknown' | 'encryption needed'

/** Starts a mechanism by its name, in any case of letters. */
export function startServerMechanism(
  context: ServerMechanismContext,
  name: string,
  encrypted: boolean,
): ServerMechanism | MechanismRefusal {
  const wanted = name.toUpperCase()
  const offer = usable(context.config, encrypted).find((candidate) => candidate.name === wanted)
  if (offer !== undefined) return offer.start(context)
  return !encrypted && usable(context.config, true).some((candidate) => candidate.name === wanted)
    ? 'encryption needed'
    : 'unknown'
}
