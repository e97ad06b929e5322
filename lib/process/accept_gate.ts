/**
 * How a service takes connections from a listening socket that other processes share, real Cyrus services among them.
 *
 * As Cyrus does: take the accept lock (`{configdirectory}/socket/SERVICE-ID.lock`, fcntl), wait for a connection, accept it, give the lock
 * up. So only one process of a service waits in the socket, the others in the lock, and a blocking accept never waits. The lock is
 * held only while waiting and never while the process has no free slot: a process that serves many connections queues for
 * the lock again after each turn (of at most BURST connections) and thereby starves nobody. If it serves clearly more than another process
 * that is waiting (load_table.ts), it leaves its turn to that one, so that connections spread evenly also when processes come and go.
 *
 * The listening socket is never given to libuv: that would set O_NONBLOCK on it, and the flag belongs to the one open file that master and all
 * processes share. Waiting happens on a thread of Node's pool (lib/os/poll.ts).
 */
import { closeSync, constants, openSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { lock, unlock } from '../os/file_lock.js'
import { Poller, readableNow } from '../os/poll.js'
import { accept } from '../os/socket.js'
import { LoadTable } from './load_table.js'
import type { Logger } from './log.js'

/** Connections taken in one turn when they are already waiting. */
const BURST = 16

/** Pause after an accept that failed for want of descriptors or memory, in ms. */
const SHORTAGE_PAUSE = 200

/**
 * Turns left to others in a row, some 0.1 s; if the one we wait for has not taken any it is busy with something else. A process that has just
 * started on a busy machine needs more than a few of them.
 */
const MOST_TURNS_LEFT = 50

/** Pause after a turn that was left to another process, in ms. */
const TURN_LEFT_PAUSE = 2

/** What the gate asks of its process. */
export interface GateKeeper {
  /** how many connections may be taken now */
  free(): number
  /** how many are served */
  busy(): number
  /** takes an accepted, non-blocking descriptor over */
  accepted(fd: number): void
}

/** Opens the accept lock's file, made 0600. @returns undefined, with a line in the log, when it cannot be: one goes on without lock */
export function openAcceptLock(path: string, log: Logger): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (error) {
    log.error(`accept lock ${path}: ${(error as Error).message}; locking disabled`)
    return undefined
  }
}

export class AcceptGate {
  readonly #poller = new Poller()
  readonly #program: { path: string; identity: string } | undefined
  readonly #load: LoadTable | undefined
  #turnsLeft = 0
  #closed = false
  #wanted: (() => void) | undefined

  /**
   * @param listenFd the listening socket
   * @param lockFd of openAcceptLock()
   * @param program file whose replacement ends the process; not watched if undefined
   */
  constructor(
    private readonly listenFd: number,
    private readonly lockFd: number | undefined,
    private readonly keeper: GateKeeper,
    private readonly log: Logger,
    program?: string,
  ) {
    if (lockFd !== undefined) this.#load = new LoadTable(lockFd)
    if (program !== undefined) this.#program = { path: program, identity: identityOf(program) ?? '' }
  }

  /**
   * Takes connections as slots allow until close().
   * @returns 'closed' after close(), 'changed' when the program file was replaced or removed
   * @throws {SystemError} what accept or poll say when they cannot go on (EINVAL: the listener was shut down)
   */
  async run(): Promise<'closed' | 'changed'> {
    this.#load?.register(this.keeper.busy())
    while (!this.#closed) {
      if (this.keeper.free() === 0) {
        this.#load?.say(this.keeper.busy(), false)
        await new Promise<void>((resolve) => {
          this.#wanted = resolve
        })
        continue
      }
      if (this.lockFd !== undefined) await lock(this.lockFd)
      let pause = 0
      try {
        if (this.#closed) break
        if (this.#hasNewProgram()) return 'changed'
        if (this.#leavesTurn()) {
          pause = TURN_LEFT_PAUSE
          continue
        }
        const ready = await this.#poller.wait([this.listenFd])
        if (ready.length > 0 && !this.#closed) {
          if (this.#hasNewProgram()) return 'changed'
          this.#take()
        }
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        if (code !== 'EMFILE' && code !== 'ENFILE' && code !== 'ENOBUFS' && code !== 'ENOMEM') throw error
        this.log.error(`cannot accept a connection: ${(error as Error).message}; trying again`)
        pause = SHORTAGE_PAUSE
      } finally {
        this.#load?.say(this.keeper.busy(), !this.#closed)
        if (this.lockFd !== undefined) unlock(this.lockFd)
        // without the lock: others may go on
        if (pause > 0) await sleep(pause)
      }
    }
    return 'closed'
  }

  /** A slot became free. */
  slotFreed(): void {
    if (!this.#closed) this.#load?.say(this.keeper.busy(), true)
    this.#wanted?.()
    this.#wanted = undefined
  }

  /** Takes no more connections; run() resolves soon, unless it waits for the lock, which ends with the process. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#load?.say(this.keeper.busy(), false)
    this.#poller.close()
    this.slotFreed()
  }

  /** Whether another process should have this turn. Only with the lock. */
  #leavesTurn(): boolean {
    if (this.#load === undefined) return false
    const busy = this.keeper.busy()
    this.#load.refresh(busy)
    const other = this.#load.lessLoaded(busy)
    if (other !== undefined && ++this.#turnsLeft <= MOST_TURNS_LEFT) return true
    if (other !== undefined) this.#load.distrust(other)
    this.#turnsLeft = 0
    return false
  }

  #take(): void {
    for (let turn = 0; turn < BURST && this.keeper.free() > 0; turn++) {
      if (turn > 0 && (readableNow([this.listenFd]).length === 0 || this.#changed())) return
      const fd = accept(this.listenFd)
      if (fd === undefined) return
      if (this.#closed) closeSync(fd)
      else this.keeper.accepted(fd)
    }
  }

  #hasNewProgram(): boolean {
    if (!this.#changed()) return false
    this.log.info(`${this.#program!.path}: program file has changed; leaving`)
    return true
  }

  #changed(): boolean {
    if (this.#program === undefined || identityOf(this.#program.path) === this.#program.identity) return false
    return true
  }
}

/** @returns device, inode, size and mtime of a file as text, or undefined if it is not there */
function identityOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat && `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs}`
}
