/**
 * Whole-file locks of fcntl(2), the kind that Cyrus takes: they belong to the process, and closing *any* descriptor of the file in this
 * process gives them up. So open a lock file once and keep it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import koffi from 'koffi'
import { check, native } from './libc.js'

const F_GETLK = 5
const F_SETLK = 6
const F_SETLKW = 7
const F_RDLCK = 0
const F_WRLCK = 1
const F_UNLCK = 2

/** `struct flock` for the whole file: type, whence SEEK_SET, start 0, length 0. */
function wholeFile(type: number): Buffer {
  const lock = Buffer.alloc(32)
  lock.writeInt16LE(type, 0)
  return lock
}

/**
 * Takes a lock without waiting.
 * @returns false when another process holds one that excludes it
 * @throws {SystemError} on anything else
 */
export function tryLock(fd: number, kind: 'exclusive' | 'shared' = 'exclusive'): boolean {
  const result = native.fcntlLock()(fd, F_SETLK, wholeFile(kind === 'exclusive' ? F_WRLCK : F_RDLCK))
  if (result >= 0) return true
  const errno = koffi.errno()
  if (errno === koffi.os.errno.EAGAIN || errno === koffi.os.errno.EACCES) return false
  check(result, 'fcntl', 'F_SETLK')
  return false
}

/** Pause after the kernel gave up waiting for a lock, in ms. */
const AGAIN = 5

/**
 * Takes an exclusive lock, waiting on a thread of Node's pool as long as it takes. The kernel may give up before: at a signal, or because it
 * believes in a deadlock when holders come and go quickly (it looks at processes, not at what they wait for); then we ask again.
 * @throws {SystemError} for a descriptor that cannot be locked
 */
export async function lock(fd: number): Promise<void> {
  while (!tryLock(fd)) {
    const taken = await new Promise<boolean>((resolve, reject) => {
      native.fcntlLock().async(fd, F_SETLKW, wholeFile(F_WRLCK), (error, result) => {
        if (error) reject(error)
        else resolve(result >= 0)
      })
    })
    if (taken) return
    await sleep(AGAIN)
  }
}

/** Gives the lock up. */
export function unlock(fd: number): void {
  check(native.fcntlLock()(fd, F_SETLK, wholeFile(F_UNLCK)), 'fcntl', 'F_UNLCK')
}

/** @returns the pid of a process whose lock excludes ours, or undefined */
export function lockHolder(fd: number): number | undefined {
  const flock = wholeFile(F_WRLCK)
  check(native.fcntlLock()(fd, F_GETLK, flock), 'fcntl', 'F_GETLK')
  return flock.readInt16LE(0) === F_UNLCK ? undefined : flock.readInt32LE(24)
}
