/**
 * What the administrator tells everybody, one line each in {configdirectory}/msg: `motd` greets those who connect, `shutdown` keeps all but
 * administrators out, as in Cyrus. The files are looked at when they are asked for, at most once a second.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.js'

export type Notice = 'motd' | 'shutdown'

const LONGEST = 1024
const KNOWN_FOR_MS = 1000

const known = new WeakMap<Config, Map<Notice, { text: string | undefined; until: number }>>()

/** The first line of a notice; undefined if there is none. Printable ASCII, so that it can stand in any protocol's answer. */
export function readNotice(config: Config, notice: Notice): string | undefined {
  let texts = known.get(config)
  if (texts === undefined) known.set(config, (texts = new Map()))
  const time = performance.now()
  const entry = texts.get(notice)
  if (entry !== undefined && entry.until > time) return entry.text
  let text: string | undefined
  try {
    const line = readFileSync(join(config.directory, 'msg', notice), 'latin1').split(/\r?\n/)[0]!
    text = line
      .replace(/^[[ ]+/, '')
      .replace(/[^\x20-\x7e]/g, '?')
      .slice(0, LONGEST)
  } catch {
    text = undefined
  }
  texts.set(notice, { text, until: time + KNOWN_FOR_MS })
  return text
}

/** Sets a notice, or with undefined takes it away. @throws the file system's error */
export function writeNotice(config: Config, notice: Notice, text: string | undefined): void {
  const directory = join(config.directory, 'msg')
  const path = join(directory, notice)
  if (text === undefined) {
    rmSync(path, { force: true })
  } else {
    mkdirSync(directory, { recursive: true, mode: 0o755 })
    const fresh = `${path}.${process.pid}`
    writeFileSync(fresh, `${text.replace(/[\r\n].*/s, '').slice(0, LONGEST)}\n`, { mode: 0o644 })
    renameSync(fresh, path)
  }
  known.get(config)?.delete(notice)
}
