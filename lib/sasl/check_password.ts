/**
 * Plaintext passwords, checked as `sasl_pwcheck_method` says: against our password file (`auxprop`) or by saslauthd, one after the other if
 * both are named. What was verified is remembered for `sasl_password_cache`. A failure is answered only after a pause (failed_logins.ts).
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../config/config.js'
import { FailedLogins } from './failed_logins.js'
import { authorize, canonicalUser, mayLogIn, storeKey } from './identity.js'
import { PasswordCache } from './password_cache.js'
import { PasswordStore } from './password_store.js'
import { askSaslauthd } from './saslauthd.js'
import { saslprep } from './saslprep.js'

/** Outcome of a password check. `reason` is for the log, not for the client, who learns only that it failed. */
export type PasswordCheck =
  | { readonly ok: true /** canonical user id */; readonly user: string }
  | { readonly ok: false; readonly reason: string }

/** Ways to check a plaintext password. */
export type PasswordMethod = 'auxprop' | 'saslauthd'

const LONGEST_PASSWORD = 1024
const DEFAULT_SASLAUTHD = '/var/run/saslauthd/mux'

interface Checkers {
  readonly store: PasswordStore
  readonly cache: PasswordCache
  readonly failures: FailedLogins
}

/** One store and one cache for each configuration of the process. */
const checkers = new WeakMap<Config, Checkers>()

function checkersOf(config: Config): Checkers {
  let known = checkers.get(config)
  if (known === undefined) {
    known = {
      store: new PasswordStore(passwordFile(config)),
      cache: new PasswordCache(config.duration('sasl_password_cache')),
      failures: new FailedLogins(join(config.directory, 'failed_logins')),
    }
    checkers.set(config, known)
  }
  return known
}

/** The password file's path: `sasl_sasldb_path`, else `sasldb.json` in `configdirectory`. */
export function passwordFile(config: Config): string {
  return config.string('sasl_sasldb_path') || join(config.directory, 'sasldb.json')
}

/** The password file of a configuration, shared by everything in the process. */
export function passwordStore(config: Config): PasswordStore {
  return checkersOf(config).store
}

/** `sasl_pwcheck_method`, in order; `auxprop` if unset. @throws {ConfigError} on a method that does not exist here */
export function passwordMethods(config: Config): PasswordMethod[] {
  const words = config.list('sasl_pwcheck_method')
  if (words.length === 0) return ['auxprop']
  return words.map((word) => {
    const method = word.toLowerCase()
    if (method === 'auxprop' || method === 'saslauthd') return method
    throw config.error('sasl_pwcheck_method', `sasl_pwcheck_method must be auxprop or saslauthd, not "${word}"`)
  })
}

async function saslauthdSocket(config: Config): Promise<string> {
  const path = config.string('sasl_saslauthd_path') || DEFAULT_SASLAUTHD
  const found = await stat(path).catch(() => undefined)
  return found?.isDirectory() ? join(path, 'mux') : path
}

/** Waits, so that guessing is slow: the longer, the more often this address has failed. */
export async function failedLoginPause(config: Config, remote: string): Promise<void> {
  const least = config.duration('failedloginpause')
  const { failures } = checkersOf(config)
  const seconds = failures.failed(remote, least, config.duration('failedloginpause_max'), Date.now() / 1000)
  if (seconds > 0) await pause(seconds * 1000)
}

/** With `sasl_auto_transition` a password just verified leaves the keys that other mechanisms need. Failing that is no reason to turn its owner away. */
async function completeKeys(config: Config, store: PasswordStore, key: string, password: string): Promise<void> {
  if (!config.switch('sasl_auto_transition')) return
  await store.complete(key, password, { md5: wantsMd5(config) }).catch(() => undefined)
}

/** Whether a mechanism is offered that needs the keys of md5_keys.ts. */
export function wantsMd5(config: Config): boolean {
  return config.list('sasl_mech_list').some((name) => /^(?:CRAM|DIGEST)-MD5$/i.test(name))
}

/** As `checkPassword`, but answers at once on failure. */
export async function verifyPassword(
  config: Config,
  service: string,
  login: string,
  password: string,
): Promise<PasswordCheck> {
  const user = canonicalUser(config, login)
  if (user === undefined) return { ok: false, reason: 'bad user name' }
  if (!mayLogIn(config, user)) return { ok: false, reason: 'cross-realm login denied' }
  const prepared = saslprep(password)
  if (prepared === undefined || prepared === '' || Buffer.byteLength(prepared) > LONGEST_PASSWORD) {
    return { ok: false, reason: 'bad password' }
  }
  const { store, cache } = checkersOf(config)
  const problems: string[] = []
  for (const method of passwordMethods(config)) {
    try {
      if (method === 'auxprop') {
        const key = storeKey(config, user)
        const entry = await store.find(key)
        const version = (entry?.sha256 ?? entry?.sha1)?.storedKey.toString('base64') ?? ''
        if (entry !== undefined && cache.knows(key, prepared, version)) return { ok: true, user }
        if (await store.verify(key, prepared)) {
          cache.remember(key, prepared, version)
          await completeKeys(config, store, key, prepared)
          return { ok: true, user }
        }
      } else {
        const cacheKey = `saslauthd ${service} ${user}`
        if (cache.knows(cacheKey, prepared, '')) return { ok: true, user }
        const at = user.lastIndexOf('@')
        const [name, realm] = at < 0 ? [user, ''] : [user.slice(0, at), user.slice(at + 1)]
        if (await askSaslauthd(await saslauthdSocket(config), name, prepared, service, realm)) {
          cache.remember(cacheKey, prepared, '')
          await completeKeys(config, store, storeKey(config, user), prepared)
          return { ok: true, user }
        }
      }
    } catch (error) {
      problems.push((error as Error).message)
    }
  }
  return { ok: false, reason: problems.length > 0 ? problems.join('; ') : 'wrong user or password' }
}

/**
 * Checks a user's plaintext password. Never throws for a bad name, a bad password, or a checker that is out of order: that is a failure
 * whose reason says so.
 * @param service the protocol's name as saslauthd and PAM shall see it: `imap`, `lmtp`, `csync`
 * @param user as the client sent it, with or without `@realm`
 * @param remote the peer's address, whose failures are counted
 * @throws {ConfigError} if `sasl_pwcheck_method` is none
 */
export async function checkPassword(
  config: Config,
  service: string,
  user: string,
  password: string,
  remote: string,
): Promise<PasswordCheck> {
  const result = await verifyPassword(config, service, user, password)
  if (!result.ok) await failedLoginPause(config, remote)
  return result
}

/** A checked login that wants to act as another user; see `authorize`. @param mayActAs asked where that does not allow it */
export function authorized(
  { config, mayActAs }: { config: Config; mayActAs?: ((authenticated: string, wanted: string) => boolean) | undefined },
  user: string,
  authorization: string,
): PasswordCheck {
  let acting = authorize(config, user, authorization)
  if (acting === undefined && mayActAs !== undefined) {
    const wanted = canonicalUser(config, authorization)
    if (wanted !== undefined && mayActAs(user, wanted)) acting = wanted
  }
  return acting === undefined
    ? { ok: false, reason: `${user} is not an admin and may not act as "${authorization}"` }
    : { ok: true, user: acting }
}
