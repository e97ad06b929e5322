/**
 * File descriptors as numbers: duplicating, their flags, pipes, and leaving the process without waiting for threads.
 * Linux numbers throughout (the generic architecture's: x86_64, arm64, riscv64).
 */
import { constants } from 'node:fs'
import { check, native } from './libc.js'

const F_GETFD = 1
const F_SETFD = 2
const F_GETFL = 3
const F_SETFL = 4
const F_DUPFD_CLOEXEC = 1030
const FD_CLOEXEC = 1
export const O_CLOEXEC = 0o2000000

/** @returns a new descriptor of the same open file, close-on-exec, at least `lowest` */
export function duplicate(fd: number, lowest = 5): number {
  return check(native.fcntl()(fd, F_DUPFD_CLOEXEC, 'int', lowest), 'fcntl', `F_DUPFD_CLOEXEC ${fd}`)
}

/** Makes `to` a descriptor of what `from` is (dup2), without close-on-exec. */
export function duplicateTo(from: number, to: number): void {
  check(native.dup2()(from, to), 'dup2', `${from} ${to}`)
}

/** Whether programs that this process executes get the descriptor. */
export function setCloseOnExec(fd: number, on: boolean): void {
  const flags = check(native.fcntl()(fd, F_GETFD, 'int', 0), 'fcntl', `F_GETFD ${fd}`)
  check(native.fcntl()(fd, F_SETFD, 'int', on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC), 'fcntl', `F_SETFD ${fd}`)
}

/** Sets or clears O_NONBLOCK, which belongs to the open file: all descriptors of it in all processes share it. */
export function setNonBlocking(fd: number, on: boolean): void {
  const flags = check(native.fcntl()(fd, F_GETFL, 'int', 0), 'fcntl', `F_GETFL ${fd}`)
  const wanted = on ? flags | constants.O_NONBLOCK : flags & ~constants.O_NONBLOCK
  if (wanted !== flags) check(native.fcntl()(fd, F_SETFL, 'int', wanted), 'fcntl', `F_SETFL ${fd}`)
}

/** Whether O_NONBLOCK is set. */
export function isNonBlocking(fd: number): boolean {
  return (check(native.fcntl()(fd, F_GETFL, 'int', 0), 'fcntl', `F_GETFL ${fd}`) & constants.O_NONBLOCK) !== 0
}

/** Whether the number is an open descriptor of this process. */
export function isOpen(fd: number): boolean {
  return native.fcntl()(fd, F_GETFD, 'int', 0) >= 0
}

/** @returns a pipe, both ends close-on-exec and blocking */
export function pipe(): { readEnd: number; writeEnd: number } {
  const fds = Buffer.alloc(8)
  check(native.pipe2()(fds, O_CLOEXEC), 'pipe2')
  return { readEnd: fds.readInt32LE(0), writeEnd: fds.readInt32LE(4) }
}

/**
 * Makes process.exit() leave through _exit(2) once Node's own 'exit' listeners ran. Without it a process that has a thread waiting in
 * poll or for a lock would hang at its end, since libuv joins its threads. Call it after all other 'exit' listeners are
 * in place: those that come later never run.
 */
export function exitWithoutThreads(): void {
  process.on('exit', (code) => native._exit()(code))
}
