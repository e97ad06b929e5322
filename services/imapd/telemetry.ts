/**
 * What a user's client and we say to each other, kept while {configdirectory}/log/USER exists, as Cyrus does: a file a conversation there,
 * `<TIME<` before what came, `>TIME>` before what went. Begins when the password has been said; a disk that is too slow loses some of it.
 */
import { createWriteStream, existsSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Session } from './session.js'

/** Bytes waiting for the disk beyond which something is left out. */
const MOST_WAITING = 4 * 1024 * 1024

let conversations = 0

/** @param user canonical, so that it names no other directory */
export function startTelemetry(session: Session, user: string): void {
  const { config, service } = session.imapd
  const directory = join(config.directory, 'log', user)
  if (/[/\0]|^\.|^$/.test(user) || !existsSync(directory)) return
  const bySession = config.switch('telemetry_bysessionid')
  const name = bySession ? session.service.id.replace(/[^\w.-]/g, '_') : `${process.pid}-${++conversations}`
  const file = createWriteStream(join(directory, `${service}-${name}`), { flags: 'a', mode: 0o600 })
  file.on('error', (error) => session.service.log.warning(`telemetry: ${error.message}`))
  file.write(`---------- ${user} ${new Date().toString().replace(/ \(.*\)$/, '')}\n`)
  session.connection.tap = (direction, bytes) => note(file, direction, bytes)
  session.atEnd(() => file.end())
}

function note(file: WriteStream, direction: 'in' | 'out', bytes: Buffer): void {
  if (file.writableLength > MOST_WAITING || file.destroyed) return
  const mark = direction === 'in' ? '<' : '>'
  file.write(`\n${mark}${Math.floor(Date.now() / 1000)}${mark}`)
  file.write(Buffer.from(bytes))
}
