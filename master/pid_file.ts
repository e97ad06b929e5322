/**
 * The pid file, which is also the lock that keeps a second master away (reference: master.md §4): made 0644, locked with fcntl as long as
 * the process lives, never removed. It holds `PID\n` only while master is ready for work; before that it is empty.
 */
import { closeSync, constants, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { lockHolder, tryLock } from '../lib/os/file_lock.js'

/** A pid file that another master has, or that cannot be made. */
export class PidFileError extends Error {}

export class PidFile {
  private constructor(
    readonly path: string,
    private readonly fd: number,
  ) {}

  /**
   * Takes the lock and empties the file.
   * @throws {PidFileError}
   */
  static take(path: string): PidFile {
    let fd: number
    try {
      fd = openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o644)
    } catch (error) {
      throw new PidFileError(`cannot open pid file: ${(error as Error).message}`)
    }
    if (!tryLock(fd)) {
      const holder = lockHolder(fd)
      closeSync(fd)
      throw new PidFileError(
        `cannot get exclusive lock on pidfile ${path} (is another master still running?${holder ? ` pid ${holder} has it` : ''})`,
      )
    }
    ftruncateSync(fd)
    return new PidFile(path, fd)
  }

  /** Writes our pid: from now on master answers. */
  announce(): void {
    const text = Buffer.from(`${process.pid}\n`)
    ftruncateSync(this.fd)
    writeSync(this.fd, text, 0, text.length, 0)
    fsyncSync(this.fd)
  }
}

/**
 * `PIDFILE.lock`, which the foreground half of `master -d` holds until the other half is ready.
 * @returns what removes it again, or undefined if somebody else holds it (exit 75)
 * @throws {PidFileError} if it cannot be made
 */
export function takeStartLock(pidFile: string): (() => void) | undefined {
  const path = `${pidFile}.lock`
  try {
    const fd = openSync(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o644)
    if (tryLock(fd)) return () => rmSync(path, { force: true })
    closeSync(fd)
    return undefined
  } catch (error) {
    throw new PidFileError(`cannot make ${path}: ${(error as Error).message}`)
  }
}
