/**
 * Locks on single bytes of a file, or on all of it, that belong to the open file (fcntl(2), F_OFD_SETLK), not to the process: closing another
 * descriptor of the file does not give them up, and two opens of one process exclude each other. The kernel releases them when the process
 * ends. They exclude, and are excluded by, the locks of file_lock.ts and of Cyrus.
 */
import koffi from 'koffi'
import { check, native } from './libc.js'

const F_OFD_GETLK = 36
const F_OFD_SETLK = 37
const F_OFD_SETLKW = 38
const F_RDLCK = 0
const F_WRLCK = 1
const F_UNLCK = 2

export type LockKind = 'exclusive' | 'shared'

/** In the place of a byte's number: all of the file. */
export const WHOLE_FILE = -1

/** `struct flock`: type, whence SEEK_SET, start, length 1 (0 is to the end), pid 0 as the kernel asks for. */
function oneByte(type: number, byte: number): Buffer {
  const lock = Buffer.alloc(32)
  lock.writeInt16LE(type, 0)
  if (byte === WHOLE_FILE) return lock
  lock.writeBigInt64LE(BigInt(byte), 8)
  lock.writeBigInt64LE(1n, 16)
  return lock
}

const typeOf = (kind: LockKind): number => (kind === 'exclusive' ? F_WRLCK : F_RDLCK)

/**
 * Takes a lock without waiting, or turns a lock that is held into one of the other kind.
 * @returns false when another open file holds one that excludes it
 * @throws {SystemError} on anything else
 */
export function tryLockByte(fd: number, byte: number, kind: LockKind): boolean {
  const result = native.fcntlLock()(fd, F_OFD_SETLK, oneByte(typeOf(kind), byte))
  if (result >= 0) return true
  const errno = koffi.errno()
  if (errno === koffi.os.errno.EAGAIN || errno === koffi.os.errno.EACCES) return false
  check(result, 'fcntl', 'F_OFD_SETLK')
  return false
}

/** Takes a lock, waiting on a thread of Node's pool as long as it takes. @throws {SystemError} if the kernel refuses */
export async function lockByte(fd: number, byte: number, kind: LockKind): Promise<void> {
  // a thread's errno is lost on the way back: after a failure, trying without waiting tells what it was
  while (!tryLockByte(fd, byte, kind)) {
    const result = await new Promise<number>((resolve, reject) =>
      native.fcntlLock().async(fd, F_OFD_SETLKW, oneByte(typeOf(kind), byte), (error, value) => {
        if (error) reject(error)
        else resolve(value)
      }),
    )
    if (result >= 0) return
  }
}

/** Gives a lock up; nothing happens if it is not held. */
export function unlockByte(fd: number, byte: number): void {
  check(native.fcntlLock()(fd, F_OFD_SETLK, oneByte(F_UNLCK, byte)), 'fcntl', 'F_UNLCK')
}

/** Whether another open file holds a lock that excludes a shared one. */
export function isByteLocked(fd: number, byte: number): boolean {
  const lock = oneByte(F_RDLCK, byte)
  check(native.fcntlLock()(fd, F_OFD_GETLK, lock), 'fcntl', 'F_OFD_GETLK')
  return lock.readInt16LE(0) !== F_UNLCK
}
