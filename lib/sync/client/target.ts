/** Where a sync_client connects to, and how it proves itself: `-S`, and the sync_* options with their per-channel forms (csync.md §11.1, §13). */
import { readFileSync } from 'node:fs'
import type { Config } from '../../config/config.js'
import { parseDuration, parseInteger, parseSwitch } from '../../config/values.js'
import { type Protocol, protocolOf } from '../v23/release.js'

/** A replica and the credentials for it. */
export interface Target {
  /** host name or address, or the path of a UNIX socket */
  readonly host: string
  /** where its csync service listens, or what listens at the port that was named */
  readonly port: number
  /** where its IMAP service is to be tried first; undefined: nowhere */
  readonly imapPort: number | undefined
  /** whether replication inside IMAP is wanted, should an IMAP server answer (`sync_try_imap`) */
  readonly tryImap: boolean
  readonly unix: boolean
  /** TLS from the first byte (`host:port/tls`) */
  readonly tls: boolean
  /** no authentication (`host:port/noauth`) */
  readonly noauth: boolean
  readonly user: string | undefined
  readonly password: string | undefined
  readonly realm: string | undefined
  /** mechanisms to use only, empty for any */
  readonly mechanisms: readonly string[]
  /** what is spoken (`sync_protocol`) */
  readonly protocol: Protocol
  /** seconds */
  readonly connectTimeout: number
  readonly timeout: number
}

/** An option that may be given for a channel alone: `CHANNEL_option`, else `option`. */
export function channelOption(config: Config, channel: string, name: string): string | undefined {
  return (channel === '' ? undefined : config.overflow(`${channel}_${name}`)) ?? config.overflow(name)
}

/** As `channelOption`, a duration in seconds. @throws {ConfigError} */
export function channelDuration(config: Config, channel: string, name: string): number | undefined {
  const text = channelOption(config, channel, name)
  if (text === undefined) return undefined
  const seconds = parseDuration(text, 's')
  if (seconds === undefined) throw config.error(name, `${name} must be a duration such as 10s or 5m, not "${text}"`)
  return seconds
}

/** As `channelOption`, a switch. */
export function channelSwitch(config: Config, channel: string, name: string): boolean | undefined {
  const text = channelOption(config, channel, name)
  return text === undefined ? undefined : parseSwitch(text)
}

/** The ports' numbers unless the services file knows better. */
const CSYNC_PORT = 2005
const IMAP_PORT = 143

/** @throws {ConfigError} on a name that is no service */
function portOf(config: Config, text: string | undefined): number {
  if (text === undefined || text === '') return servicePort('csync') ?? CSYNC_PORT
  const number = parseInteger(text) ?? servicePort(text)
  if (number === undefined || number < 1 || number > 65535)
    throw config.error('sync_port', `sync_port: "${text}" is no port and no service in /etc/services`)
  return number
}

function servicePort(name: string): number | undefined {
  try {
    for (const line of readFileSync('/etc/services', 'utf8').split('\n')) {
      const match = /^(\S+)\s+(\d+)\/tcp((?:\s+[^\s#]+)*)/.exec(line)
      if (match !== null && (match[1] === name || match[3]!.split(/\s+/).includes(name))) return Number(match[2])
    }
  } catch {
    // no such file: numbers only
  }
  return undefined
}

/**
 * @param server what `-S` says, undefined without it
 * @returns undefined if no replica is named anywhere
 * @throws {ConfigError}
 */
export function targetOf(config: Config, channel: string, server: string | undefined): Target | undefined {
  const named = server ?? channelOption(config, channel, 'sync_host')
  if (named === undefined || named === '') return undefined
  const unix = named.startsWith('/')
  const [address = '', ...words] = unix ? [named] : named.split('/')
  const match = /^(?:\[([^\]]+)\]|([^:]+|[^:]*:[^:]*:.*?))(?::([^:]+))?$/.exec(address)
  const host = unix ? named : (match?.[1] ?? match?.[2] ?? address)
  const label = host.split('.')[0]!
  const port = match?.[3] ?? channelOption(config, channel, 'sync_port')
  const protocol = protocolOf(config, channelOption(config, channel, 'sync_protocol'))
  // the 2.3 generation has no other transport
  const tryImap = typeof protocol === 'string' && (channelSwitch(config, channel, 'sync_try_imap') ?? true)
  const mechanisms = config.overflow(`${label}_mechs`) ?? config.string('force_sasl_client_mech') ?? ''
  return {
    host,
    port: unix ? 0 : portOf(config, port),
    imapPort: unix || port || !tryImap ? undefined : (servicePort('imap') ?? IMAP_PORT),
    tryImap,
    unix,
    tls: words.includes('tls'),
    noauth: unix || words.includes('noauth'),
    user: channelOption(config, channel, 'sync_authname'),
    password: channelOption(config, channel, 'sync_password'),
    realm: channelOption(config, channel, 'sync_realm'),
    mechanisms: mechanisms.split(/\s+/).filter((word) => word !== ''),
    protocol,
    connectTimeout: config.duration('client_timeout'),
    timeout: Math.max(3, config.duration('sync_timeout')),
  }
}
