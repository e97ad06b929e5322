/**
 * The notify protocol between services and master: records of two 32-bit numbers in native order on file descriptor 3
 * (reference: Cyrus' `struct notify_message`; message, pid). Records are far below PIPE_BUF, so writers never mix.
 */
import { writeSync } from 'node:fs'
import { endianness } from 'node:os'

/** Where a service finds its two descriptors. */
export const STATUS_FD = 3
export const LISTEN_FD = 4

/** What a record says. */
export const Status = {
  /** can take a connection again */
  Available: 1,
  /** can take no connection */
  Unavailable: 2,
  /** has taken a connection, while unavailable */
  Connection: 3,
  /** has taken a connection and can take more */
  ConnectionMulti: 4,
} as const
export type Status = (typeof Status)[keyof typeof Status]

/** Bytes of a record. */
export const RECORD_SIZE = 8

const little = endianness() === 'LE'

/** @returns the record of `pid` */
export function encodeStatus(message: Status, pid: number): Buffer {
  const record = Buffer.alloc(RECORD_SIZE)
  if (little) {
    record.writeInt32LE(message, 0)
    record.writeInt32LE(pid, 4)
  } else {
    record.writeInt32BE(message, 0)
    record.writeInt32BE(pid, 4)
  }
  return record
}

/** @returns the record at `offset`; `message` is whatever stands there, known or not */
export function decodeStatus(bytes: Buffer, offset = 0): { message: number; pid: number } {
  return little
    ? { message: bytes.readInt32LE(offset), pid: bytes.readInt32LE(offset + 4) }
    : { message: bytes.readInt32BE(offset), pid: bytes.readInt32BE(offset + 4) }
}

/**
 * Tells master, whole records at once.
 * @returns false when master is gone (EPIPE) or the descriptor is no pipe; a service without a master goes on and ends by its limits
 */
export function tellMaster(messages: readonly Status[], fd: number = STATUS_FD): boolean {
  if (messages.length === 0) return true
  const bytes = Buffer.concat(messages.map((message) => encodeStatus(message, process.pid)))
  try {
    return writeSync(fd, bytes) === bytes.length
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EPIPE' || code === 'EBADF') return false
    throw error
  }
}
