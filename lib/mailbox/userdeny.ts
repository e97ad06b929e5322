/**
 * Users who are locked out of services (Cyrus' user_deny.db in its default flat form): lines of `USER TAB 2 TAB PATTERN[,PATTERN…] TAB MESSAGE`;
 * a pattern is a service's name with `*` and `?`, the last that matches decides, one with `!` before lets in. Read again when it changes.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.js'

interface Denials {
  readonly stamp: string
  readonly byUser: ReadonlyMap<string, { readonly patterns: readonly string[]; readonly message: string }>
}

const known = new Map<string, Denials>()
const NOBODY: Denials['byUser'] = new Map()

function read(path: string): Denials['byUser'] {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined) return NOBODY
  const { ino, size, mtimeMs } = found
  const stamp = `${ino}.${size}.${mtimeMs}`
  const before = known.get(path)
  if (before?.stamp === stamp) return before.byUser
  const byUser = new Map<string, { patterns: string[]; message: string }>()
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [user, version, patterns, message = ''] = line.split('\t')
    if (!user || !patterns || !/^[12]$/.test(version ?? '')) continue
    byUser.set(user, { patterns: patterns.split(','), message })
  }
  known.set(path, { stamp, byUser })
  return byUser
}

function matches(pattern: string, service: string): boolean {
  const escaped = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
  return new RegExp(`^${escaped}$`).test(service)
}

/**
 * Whether a user may not use a service.
 * @param service the entry's name in cyrus.conf
 * @returns what they are to be told, printable; undefined if they are let in, or there is no such file
 */
export function denial(config: Config, user: string, service: string): string | undefined {
  const path = config.string('userdeny_db_path') || join(config.directory, 'user_deny.db')
  let entry: { readonly patterns: readonly string[]; readonly message: string } | undefined
  try {
    entry = read(path).get(user)
  } catch {
    return undefined
  }
  const deciding = entry?.patterns
    .map((pattern) => pattern.trim())
    .findLast((pattern) => matches(pattern.replace(/^!/, ''), service))
  if (deciding === undefined || deciding.startsWith('!')) return undefined
  return entry!.message.replace(/[^\x20-\x7e]/g, ' ').trim() || 'Access to this service has been blocked'
}
