/**
 * Who a login name is: its canonical user id, the entry of the password file it means, and whether it may act as somebody else.
 * Mirrors Cyrus 3.6 (`virtdomains`, `defaultdomain`, `loginrealms`, `username_tolower`, `admins`). Pure.
 */
import { hostname } from 'node:os'
import type { Config } from '../config/config.js'
import { hasVirtualDomains } from '../config/virtual_domains.js'
import { saslprep } from './saslprep.js'

/** Longest login name, in bytes; Cyrus allows 80 with a domain, mailbox names more. */
const LONGEST_NAME = 512

/** `servername`, else the host's name: the realm of users who give none. */
export function defaultRealm(config: Config): string {
  return config.string('servername') || hostname()
}

/**
 * The user id that Cyrus makes of a login name: lower case (`username_tolower`), without the default domain.
 * @returns undefined for a name that nobody can have
 */
export function canonicalUser(config: Config, login: string): string | undefined {
  const name = saslprep(login)
  if (name === undefined || name === '' || Buffer.byteLength(name) > LONGEST_NAME) return undefined
  // These would leave the user's place in the mailbox tree, or are Cyrus' groups and pseudo-users.
  if (/[/%*\s"\\]|^[.@]|@$|\.\.|^group:/i.test(name) || /^(anyone|anybody|anonymous)$/i.test(name)) return undefined
  let user = config.switch('username_tolower') ? name.toLowerCase() : name
  if (hasVirtualDomains(config)) {
    const at = user.lastIndexOf('@')
    const domain = config.string('defaultdomain')
    if (at > 0 && domain !== undefined && user.slice(at + 1).toLowerCase() === domain.toLowerCase())
      user = user.slice(0, at)
  }
  return user
}

/** Whether a user of that realm may log in at all: without virtual domains only realms of `loginrealms`, and users without a realm. */
export function mayLogIn(config: Config, user: string): boolean {
  const at = user.indexOf('@')
  if (at < 0) return true
  const realms = config.list('loginrealms')
  if (hasVirtualDomains(config) && realms.length === 0) return true
  return realms.some((realm) => realm.toLowerCase() === user.slice(at + 1).toLowerCase())
}

/** The password file's key of a user id: `alice` → `alice@SERVERNAME`, `zoe@other.test` as it is. */
export function storeKey(config: Config, user: string): string {
  return user.includes('@') ? user : `${user}@${defaultRealm(config)}`
}

/** Whether a user id stands in `admins`. */
export function isAdmin(config: Config, user: string): boolean {
  return config.list('admins').some((admin) => canonicalUser(config, admin) === user)
}

/** Whether a user may act as anybody else: stands in `admins` or `proxyservers`. */
export function mayProxy(config: Config, user: string): boolean {
  return isAdmin(config, user) || config.list('proxyservers').some((name) => canonicalUser(config, name) === user)
}

/**
 * Whom an authenticated user acts as (RFC 4422 §3.4.1): himself, or anybody if he is an administrator or a proxy.
 * @param authorization the authorization id asked for; empty for none
 * @returns undefined if he may not
 */
export function authorize(config: Config, authenticated: string, authorization: string): string | undefined {
  if (authorization === '') return authenticated
  const wanted = canonicalUser(config, authorization)
  if (wanted === undefined) return undefined
  return wanted === authenticated || mayProxy(config, authenticated) ? wanted : undefined
}
