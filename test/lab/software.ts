/** Where the programs of each software are, as whom they run, and whether they are there at all. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Software } from './topology.js'

/** The repository's root, seen from dist/test/lab. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const OURS = join(ROOT, 'dist/bin')
const CYRUS_BIN = '/usr/lib/cyrus/bin'

/** Absolute path of a program. */
export function program(software: Software, name: string): string {
  if (software === 'ours') return join(OURS, name)
  const places = [
    join(CYRUS_BIN, name),
    join('/usr/sbin', name === 'master' ? 'cyrmaster' : name),
    join('/usr/bin', name),
  ]
  return places.find((place) => existsSync(place)) ?? places[0]!
}

/** Undefined if a real Cyrus can be run here, else why not, in one line. */
export function whyNoCyrus(): string | undefined {
  for (const name of ['master', 'imapd', 'sync_server', 'sync_client', 'saslpasswd2']) {
    if (!existsSync(program('cyrus', name)))
      return `no real Cyrus here (${program('cyrus', name)} is missing; cyrus-imapd, cyrus-replication, cyrus-admin, sasl2-bin)`
  }
  if (process.getuid?.() !== 0) return 'a real Cyrus can only be run by root'
  return undefined
}

export interface Account {
  name: string
  uid: number
  gid: number
}

function account(name: string): Account | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`))
  const fields = line?.split(':')
  return fields && { name, uid: Number(fields[2]), gid: Number(fields[3]) }
}

/**
 * As whom an instance runs when the lab is root: `cyrus` if there is such a user, else `nobody`, else root itself when
 * neither may read our programs. Undefined for an ordinary user, who runs everything as themselves.
 */
export function runAs(software: Software): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const candidates = software === 'cyrus' ? ['cyrus'] : ['cyrus', 'nobody', 'root']
  for (const name of candidates) {
    const found = account(name)
    if (found !== undefined && (software === 'cyrus' || canRead(found))) return found
  }
  return undefined
}

const readable = new Map<string, boolean>()

function canRead({ name, uid, gid }: Account): boolean {
  let can = readable.get(name)
  if (can === undefined) {
    try {
      accessSync(join(OURS, 'master'), constants.X_OK)
      execFileSync(process.execPath, ['-e', `require(${JSON.stringify(join(ROOT, 'node_modules/lmdb'))})`], {
        uid,
        gid,
        stdio: 'ignore',
        cwd: '/',
      })
      can = true
    } catch {
      can = false
    }
    readable.set(name, can)
  }
  return can
}
