/**
 * The server's side of TLS as imapd.conf sets it: certificates, versions, ciphers, clients' certificates. Certificates that are replaced on
 * disk are used from the next handshake on; ones that cannot be read leave the old ones in use, and the log says so.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import tls from 'node:tls'
import type { Config } from '../config/config.js'
import type { Logger } from '../process/log.js'
import type { ServerTlsSettings } from './secure.js'

const VERSIONS = ['tls1_0', 'tls1_1', 'tls1_2', 'tls1_3'] as const
const NODE_VERSIONS: readonly tls.SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

export class ServerTls {
  #context: tls.SecureContext
  #stamp: string

  private constructor(
    readonly config: Config,
    readonly log: Logger,
  ) {
    this.#stamp = stampOf(config)
    this.#context = contextOf(config)
  }

  /**
   * @returns undefined if no certificate is configured
   * @throws {ConfigError} naming the option whose file or value cannot be used
   */
  static from(config: Config, log: Logger): ServerTls | undefined {
    const cert = config.string('tls_server_cert')
    return !cert || cert === 'disabled' ? undefined : new ServerTls(config, log)
  }

  /** What a handshake that begins now is made with. */
  get settings(): ServerTlsSettings {
    this.#reloadIfReplaced()
    const clients = this.config.string('tls_client_certs')
    const wanted = clients !== 'off' && hasClientCa(this.config)
    return {
      secureContext: this.#context,
      requestCert: wanted,
      requireCert: wanted && clients === 'require',
    }
  }

  #reloadIfReplaced(): void {
    const stamp = stampOf(this.config)
    if (stamp === this.#stamp) return
    this.#stamp = stamp
    try {
      this.#context = contextOf(this.config)
      this.log.notice('TLS: the certificate files have changed and were read again')
    } catch (error) {
      this.log.error(`TLS: ${(error as Error).message}; the certificates read before stay in use`)
    }
  }
}

function hasClientCa(config: Config): boolean {
  return !!config.string('tls_client_ca_file') || !!config.string('tls_client_ca_dir')
}

/** A certificate and its key; two pairs, separated by a comma, for two kinds of key. */
function files(config: Config): { certs: string[]; keys: string[] } {
  const certs = config.string('tls_server_cert')!.split(',')
  const keys = (config.string('tls_server_key') || config.string('tls_server_cert')!).split(',')
  return { certs, keys }
}

/** Changes whenever one of the files does. */
function stampOf(config: Config): string {
  const { certs, keys } = files(config)
  const others = ['tls_client_ca_file', 'tls_client_ca_dir', 'tls_crl_file'].map((name) => config.string(name) ?? '')
  return [...certs, ...keys, ...others]
    .map((path) => {
      const found = path === '' ? undefined : statSync(path, { throwIfNoEntry: false })
      return found === undefined ? '' : `${found.ino}.${found.size}.${found.mtimeMs}`
    })
    .join(' ')
}

/** @throws {ConfigError} */
function contextOf(config: Config): tls.SecureContext {
  const read = (option: string, path: string): Buffer => {
    try {
      return readFileSync(path)
    } catch (error) {
      throw config.error(option, `TLS cannot be offered: ${(error as Error).message}`)
    }
  }
  const { certs, keys } = files(config)
  const optional = (option: string): Buffer | undefined => {
    const path = config.string(option)
    return path ? read(option, path) : undefined
  }
  const versions = config.list('tls_versions').map((name) => {
    const at = VERSIONS.indexOf(name.toLowerCase() as (typeof VERSIONS)[number])
    if (/^ssl/i.test(name)) return -1
    if (at < 0) throw config.error('tls_versions', `tls_versions: "${name}" is none of ${VERSIONS.join(', ')}`)
    return at
  })
  // 1.0 and 1.1 are broken: they are spoken only if asked for by name
  const asked = config.isSet('tls_versions') ? versions.filter((at) => at >= 0) : [2, 3]
  if (asked.length === 0) throw config.error('tls_versions', 'tls_versions leaves no version that is spoken here')
  const ciphers = config.string('tls_ciphers')
  const curve = config.string('tls_eccurve')
  try {
    return tls.createSecureContext({
      cert: certs.map((path) => read('tls_server_cert', path)),
      key: keys.map((path) => read(config.isSet('tls_server_key') ? 'tls_server_key' : 'tls_server_cert', path)),
      ca: clientCas(config, read),
      crl: optional('tls_crl_file'),
      dhparam: optional('tls_server_dhparam'),
      minVersion: NODE_VERSIONS[Math.min(...asked)],
      maxVersion: NODE_VERSIONS[Math.max(...asked)],
      ...(ciphers && ciphers !== 'DEFAULT' && { ciphers }),
      ...(curve && { ecdhCurve: curve }),
      honorCipherOrder: config.switch('tls_prefer_server_ciphers'),
      sessionTimeout: Math.min(86400, Math.max(1, config.duration('tls_session_timeout'))),
    })
  } catch (error) {
    if ((error as Error).name === 'ConfigError') throw error
    throw config.error('tls_server_cert', `TLS cannot be offered: ${(error as Error).message}`)
  }
}

function clientCas(config: Config, read: (option: string, path: string) => Buffer): Buffer[] | undefined {
  const file = config.string('tls_client_ca_file')
  const directory = config.string('tls_client_ca_dir')
  const found: Buffer[] = file ? [read('tls_client_ca_file', file)] : []
  if (directory) {
    let names: string[]
    try {
      names = readdirSync(directory)
    } catch (error) {
      throw config.error('tls_client_ca_dir', `TLS cannot be offered: ${(error as Error).message}`)
    }
    for (const name of names.sort()) {
      const bytes = /\.(?:pem|crt|cer|\d+)$/.test(name) ? read('tls_client_ca_dir', join(directory, name)) : undefined
      if (bytes?.includes('-----BEGIN CERTIFICATE-----')) found.push(bytes)
    }
  }
  return found.length > 0 ? found : undefined
}
