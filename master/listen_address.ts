/**
 * `listen=` of a service: its text, and the addresses that it stands for (reference: master.md §3).
 */
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import type { Address } from '../lib/os/socket.js'
import { PROTOCOLS } from './entries.js'

/** What stands in `listen=`; `host` undefined for every address. */
export type Listen =
  | { readonly path: string }
  | { readonly path?: undefined; readonly host: string | undefined; readonly port: string }

/** The ports of mail services, for machines without /etc/services. */
const WELL_KNOWN: Readonly<Record<string, number>> = {
  smtp: 25,
  http: 80,
  pop3: 110,
  nntp: 119,
  imap: 143,
  imap2: 143,
  https: 443,
  nntps: 563,
  imaps: 993,
  pop3s: 995,
  lmtp: 2003,
  csync: 2005,
  mupdate: 3905,
  sieve: 4190,
}

/**
 * @param text `/path`, `port`, `host:port`, `[address]:port`; `[address]` alone is a port that the system chooses, as for Cyrus 3.6.1
 * @returns undefined for a text that is none of these
 */
export function parseListen(text: string): Listen | undefined {
  if (text.startsWith('/')) return { path: text }
  const bracketed = /^\[([^\]]*)\](?::(.+))?$/.exec(text)
  if (bracketed !== null) {
    const [, host = '', port = ''] = bracketed
    return { host: host || undefined, port: port || '0' }
  }
  if (text.startsWith('[')) return undefined
  const colon = text.lastIndexOf(':')
  const port = text.slice(colon + 1)
  if (port === '') return undefined
  return { host: (colon < 0 ? '' : text.slice(0, colon)) || undefined, port }
}

/**
 * @param port a number from 0 to 65535 or a service's name
 * @param proto 'tcp' or 'udp'
 * @returns undefined for a name that /etc/services does not have
 */
export function portNumber(port: string, proto: 'tcp' | 'udp', services = '/etc/services'): number | undefined {
  if (/^\d{1,5}$/.test(port)) return Number(port) <= 65535 ? Number(port) : undefined
  let text = ''
  try {
    text = readFileSync(services, 'utf8')
  } catch {
    // Many containers have none.
  }
  for (const line of text.split('\n')) {
    const [name, value = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/)
    const [number, of] = value.split('/')
    if (of === proto && (name === port || aliases.includes(port))) return Number(number)
  }
  return WELL_KNOWN[port]
}

/**
 * Every address of an entry, in the order in which they are numbered (CYRUS_ID).
 * @returns the addresses, or `problem`, for which the service is switched off
 */
export async function resolveListen(
  listen: string,
  proto: string,
): Promise<{ datagram: boolean; addresses: Address[]; problem?: undefined } | { problem: string }> {
  if (!(PROTOCOLS as readonly string[]).includes(proto)) {
    return { problem: `invalid proto '${proto}' (${PROTOCOLS.join(', ')})` }
  }
  const parsed = parseListen(listen)
  if (parsed === undefined) return { problem: `invalid listen '${listen}'` }
  if (parsed.path !== undefined) {
    return { datagram: proto !== 'tcp', addresses: [{ family: 'unix', path: parsed.path }] }
  }
  const { host } = parsed
  const transport = proto.startsWith('udp') ? 'udp' : 'tcp'
  const port = portNumber(parsed.port, transport)
  if (port === undefined) {
    return {
      problem: `listen='${listen}': "${parsed.port}" is no port number and no ${transport} service of /etc/services`,
    }
  }
  const family = proto.endsWith('4') ? 4 : proto.endsWith('6') ? 6 : 0
  if (host === undefined || host === '*') {
    const addresses: Address[] = []
    if (family !== 6) addresses.push({ family: 'ipv4', host: '0.0.0.0', port })
    if (family !== 4) addresses.push({ family: 'ipv6', host: '::', port })
    return { datagram: transport === 'udp', addresses }
  }
  try {
    const found = await lookup(host, { all: true, family, verbatim: true })
    const seen = new Set<string>()
    const addresses = found
      .filter(({ address }) => !seen.has(address) && seen.add(address))
      .map(({ address, family: of }): Address => ({ family: of === 6 ? 'ipv6' : 'ipv4', host: address, port }))
    return { datagram: transport === 'udp', addresses }
  } catch (error) {
    return { problem: `listen='${listen}': "${host}" does not resolve (${(error as NodeJS.ErrnoException).code})` }
  }
}
