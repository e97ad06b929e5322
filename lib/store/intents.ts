/**
 * What a commit still owes when it is done: message files and their names on disk, lines of the replication log, files to be removed.
 * The intent is part of the commit itself, small messages included, and is taken back by a later one when all is done; so whoever finds
 * the intent of a process that is no more does what that one had left undone. Neither kill -9 nor a power failure between a commit and
 * what follows it loses anything.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Logger } from '../process/log.js'
import { commitFailure, type Database, type Intent } from './database.js'
import { Flag } from './flags.js'
import { unpackHeader } from './header.js'
import { flagsOf } from './lookups.js'
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

/** The bytes of a small message, by its place in the intent's `links`. */
export type Content = readonly [link: number, message: Buffer]

/** This process's outstanding intents. */
export class Intents {
  readonly #pid = process.pid
  readonly #startTime = startTimeOf(process.pid)
  #sequence = 0
  /** links whose bytes stand in the database, by sequence */
  readonly #contents = new Map<number, number[]>()
  #done: number[] = []

  constructor(readonly database: Database) {}

  /** Inside a transaction: writes the intent down, and takes back those that are done. @returns its number, undefined if there is nothing to do */
  put(intent: Intent, contents: readonly Content[]): number | undefined {
    const { tables } = this.database
    const done = this.#done
    this.#done = []
    for (const sequence of done) {
      tables.intents.remove([this.#pid, this.#startTime, sequence])
      for (const link of this.#contents.get(sequence) ?? [])
        tables.contents.remove([this.#pid, this.#startTime, sequence, link])
      this.#contents.delete(sequence)
    }
    if (intent.links.length === 0 && intent.log.length === 0 && intent.remove.length === 0) return undefined
    const sequence = ++this.#sequence
    tables.intents.put([this.#pid, this.#startTime, sequence], intent)
    for (const [link, message] of contents) tables.contents.put([this.#pid, this.#startTime, sequence, link], message)
    if (contents.length > 0)
      this.#contents.set(
        sequence,
        contents.map(([link]) => link),
      )
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
 * What cannot be done, on a full disk say, is logged and stays for the next time: what can be read is served meanwhile.
 * @returns how many intents were carried out
 */
export async function recover(database: Database, spool: Spool, syncLog: SyncLog, log: Logger): Promise<number> {
  const { intents, contents } = database.tables
  const orphans = [...intents.getRange({})].filter(({ key: [pid, startTime] }) => !isAlive(pid, startTime))
  const failed = new Set<unknown>()
  const eachOf = async (work: (orphan: (typeof orphans)[number]) => Promise<void>): Promise<void> => {
    for (const orphan of orphans) {
      if (failed.has(orphan)) continue
      try {
        await work(orphan)
      } catch (error) {
        failed.add(orphan)
        log.error(`recovering: ${((await commitFailure(error)) as Error).message}; left for the next time`)
      }
    }
  }
  // bytes first: a copy made of a message is a link to the same file
  await eachOf(async ({ key, value }) => {
    for (const [n, [id, uid]] of value.links.entries()) {
      const message = contents.get([...key, n])
      if (message !== undefined) restore(database, spool, id, uid, message, log)
    }
  })
  await eachOf(async ({ key, value }) => {
    for (const [id, uid, source] of value.links) if (source !== '') relink(database, spool, id, uid, source, log)
    await syncLog.write(value.log)
    for (const path of value.remove) {
      if (path.endsWith('.')) {
        if (!isInUse(database, spool, path)) rmSync(path, { force: true })
      } else await removeDirectory(database, spool, path)
    }
    await syncLog.sync()
    await database.commit(() => {
      intents.remove(key)
      for (const n of value.links.keys()) contents.remove([...key, n])
    })
  })
  // what is staged may be all there is of what could not be linked
  if (failed.size === 0)
    for (const partition of spool.partitionNames) await removeStaged(join(spool.root(partition), 'stage.'))
  const done = orphans.length - failed.size
  if (done > 0) log.notice(`recovered: ${done} unfinished change${done === 1 ? '' : 's'} of ended processes`)
  return done
}

/**
 * Removes the directory of a mailbox that is gone from there, unless it has come back: a replica may be told a mailbox's end and its return.
 * Looked at and set aside under the write lock, under which also messages get their names.
 */
export async function removeDirectory(database: Database, spool: Spool, directory: string): Promise<void> {
  const { headers, uniqueids } = database.tables
  const aside = await database.commit(() => {
    const id = uniqueids.get(basename(directory))
    const packed = id === undefined ? undefined : headers.get(id)
    const inUse = packed !== undefined && spool.directory(unpackHeader(packed)) === directory
    return inUse ? undefined : spool.setAside(directory)
  })
  if (aside !== undefined) await rm(aside, { recursive: true, force: true })
}

/** Where a message's file has to be; undefined if the mailbox or the message is gone meanwhile. */
function targetOf(
  database: Database,
  spool: Spool,
  id: number,
  uid: number,
): { target: string; name: string } | undefined {
  const packed = database.tables.headers.get(id)
  // what was expunged for good must not come back
  if (packed === undefined || (flagsOf(database.tables, id, uid) ?? Flag.Unlinked) & Flag.Unlinked) return undefined
  const header = unpackHeader(packed)
  return { target: spool.messagePath(header, uid), name: header.name }
}

/** Whether a message file belongs to a record: a peer of the 2.3 generation may give a UID a second time. */
function isInUse(database: Database, spool: Spool, path: string): boolean {
  const id = database.tables.uniqueids.get(basename(dirname(path)))
  const found = id === undefined ? undefined : targetOf(database, spool, id, Number.parseInt(basename(path), 10))
  return found?.target === path
}

/** A power failure may have kept the record and lost the file or its bytes. Written in place, so that copies (hard links) heal with it. */
function restore(database: Database, spool: Spool, id: number, uid: number, message: Buffer, log: Logger): void {
  const found = targetOf(database, spool, id, uid)
  if (found === undefined) return
  const { target, name } = found
  if (existsSync(target) && readFileSync(target).equals(message)) return
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
  const fd = openSync(target, existsSync(target) ? 'r+' : 'w', 0o600)
  try {
    ftruncateSync(fd, message.length)
    for (let at = 0; at < message.length; ) at += writeSync(fd, message, at, message.length - at, at)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  log.notice(`${name}: message ${uid}: file restored`)
}

/** A power failure may have kept the record and lost the file's name. */
function relink(database: Database, spool: Spool, id: number, uid: number, source: string, log: Logger): void {
  const found = targetOf(database, spool, id, uid)
  if (found === undefined || existsSync(found.target) || !existsSync(source)) return
  try {
    mkdirSync(dirname(found.target), { recursive: true, mode: 0o700 })
    linkSync(source, found.target)
    log.notice(`${found.name}: message ${uid}: file restored`)
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
