/**
 * Message UUIDs in the sense of Cyrus 2.3 (reference: csync-2.3.md §10): 12 bytes, big-endian: schema 1, machine, generation, master's start time
 * (4), number of the process (2), number of the message in it (3). master hands the first nine to a process in CYRUS_UUID_PREFIX, followed
 * by a checksum over them; the process counts the last three. The null UUID (zeros) stands for none.
 */

/** The variable in which a process finds its prefix. */
export const UUID_VARIABLE = 'CYRUS_UUID_PREFIX'

/** Messages one process can number. */
const MESSAGES = 2 ** 24

/** What a prefix says. */
export interface UuidPrefix {
  /** 1 to 255 */
  readonly machine: number
  /** 0 to 255 */
  readonly generation: number
  /** seconds since 1970 */
  readonly startTime: number
  /** 0 to 65535 */
  readonly child: number
}

/** @returns 24 hex digits: nine bytes and their checksum */
export function uuidPrefix({ machine, generation, startTime, child }: UuidPrefix): string {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(1, 0)
  bytes.writeUInt8(machine, 1)
  bytes.writeUInt8(generation, 2)
  bytes.writeUInt32BE(startTime, 3)
  bytes.writeUInt16BE(child, 7)
  bytes.writeUIntBE(checksum(bytes), 9, 3)
  return bytes.toString('hex')
}

/** The sum of the three 24-bit numbers of the prefix, modulo 2^24. */
function checksum(bytes: Buffer): number {
  return (bytes.readUIntBE(0, 3) + bytes.readUIntBE(3, 3) + bytes.readUIntBE(6, 3)) % MESSAGES
}

/** The UUIDs of one process' messages. */
export class MessageUuids {
  readonly #prefix: string | undefined
  #next = 0

  /** @param prefix of CYRUS_UUID_PREFIX; absent, zeros or damaged: there are no UUIDs */
  constructor(prefix: string | undefined) {
    if (prefix === undefined || !/^01[0-9a-f]{22}$/i.test(prefix)) return
    const bytes = Buffer.from(prefix, 'hex')
    if (bytes.readUIntBE(9, 3) === checksum(bytes)) this.#prefix = prefix.slice(0, 18).toLowerCase()
  }

  /** @returns the UUID of one more message, 24 hex digits; undefined when there is none (the null UUID) */
  next(): string | undefined {
    if (this.#prefix === undefined || this.#next === MESSAGES) return undefined
    return this.#prefix + (this.#next++).toString(16).padStart(6, '0')
  }
}
