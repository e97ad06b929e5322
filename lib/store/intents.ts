/**
 * What a commit still owes when it is done: names of message files on disk, lines of the replication log, files to be removed.
 * The intent is part of the commit itself, and is taken back by a later one when all is done; so whoever finds the intent of a
 * process that is no more does what that one had left undone. kill -9 between a commit and its replication log line loses nothing.
 */
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Logger } from '../process/log.js'
import type { Database, Intent } from './database.js'
import { unpackHeader } from './header.js'
import type { Spool } from './spool.js'
import type { SyncLog } from './sync_log.js'

/** When a process began, in clock ticks since boot: with its pid it names the process for good. 0 where /proc does not tell. */
export function startTimeOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch {
    return 0
  }
}

function isAlive(pid: number, startTime: number): boolean {
  if (startTime !== 0) return startTimeOf(pid) === startTime
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** This process's outstanding intents. */
export class Intents {
  readonly #pid = process.pid
  readonly #startTime = startTimeOf(process.pid)
  #sequence = 0
  #done: number[] = []

  constructor(readonly database: Database) {}

  /** Inside a transaction: writes the intent down, and takes back those that are done. */
  put(intent: Intent): number | undefined {
    const { intents } = this.database.tables
    const done = this.#done
    this.#done = []
    for (const sequence of done) intents.remove([this.#pid, this.#startTime, sequence])
    if (intent.links.length === 0 && intent.log.length === 0 && intent.remove.length === 0) return undefined
    const sequence = ++this.#sequence
    intents.put([this.#pid, this.#startTime, sequence], intent)
    return sequence
  }

  /** An intent is carried out; the next transaction removes it. */
  done(sequence: number): void {
    this.#done.push(sequence)
  }

  /** Whether `put` has something to take back. */
  get hasDone(): boolean {
    return this.#done.length > 0
  }
}

/**
 * Carries out the intents of processes that are no more, and removes their staged files.
 * Safe to run at any time, by several processes at once.
 * @returns how many intents there were
 */
export async function recover(database: Database, spool: Spool, syncLog: SyncLog, log: Logger): Promise<number> {
  const { intents } = database.tables
  let count = 0
  for (const { key, value } of [...intents.getRange({})]) {
    const [pid, startTime] = key
    if (isAlive(pid, startTime)) continue
    for (const [id, uid, source] of value.links) relink(database, spool, id, uid, source, log)
    await syncLog.write(value.log)
    for (const path of value.remove) rmSync(path, { force: true, recursive: true })
    await intents.remove(key)
    count++
  }
  for (const partition of spool.partitionNames) await removeStaged(join(spool.root(partition), 'stage.'))
  if (count > 0) log.notice(`recovered: ${count} unfinished change${count === 1 ? '' : 's'} of ended processes`)
  return count
}

/** A power failure may have kept the record and lost the file's name. */
function relink(database: Database, spool: Spool, id: number, uid: number, source: string, log: Logger): void {
  const packed = database.tables.headers.get(id)
  if (packed === undefined) return
  const header = unpackHeader(packed)
  const target = spool.messagePath(header, uid)
  if (existsSync(target) || !existsSync(source)) return
  try {
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
    linkSync(source, target)
    log.notice(`${header.name}: message ${uid}: file restored`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Staged files are named PID-N-TIME; those of processes that are gone belong to nobody. */
async function removeStaged(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1])
    if (Number.isInteger(pid) && !isAlive(pid, 0)) rmSync(join(directory, name), { force: true, recursive: true })
  }
}
