/**
 * Who fails to log in waits: `failedloginpause` for the first failure from an address, twice as long for each further one, up to
 * `failedloginpause_max`. An address is forgotten after a quarter of an hour without a failure.
 *
 * All processes of a server count together, in a file of 16,384 places of 16 bytes: a hash of the address, its failures, the time of the last. An
 * address has one of 8 places; when all are taken that of the one longest silent is. Nothing is locked: two failures at the very same moment may count
 * as one. Where the file cannot be used a process counts for itself.
 */
import { createHash } from 'node:crypto'
import { constants, openSync, readSync, writeSync } from 'node:fs'

const FORGET_AFTER = 15 * 60
const PLACE = 16
const GROUP = 8
const GROUPS = 2048

export class FailedLogins {
  #file: number | undefined
  #memory: Buffer | undefined

  /** @param path of the file; made when the first login fails */
  constructor(private readonly path: string) {}

  /**
   * Counts a failure.
   * @param remote address of the peer; local sockets are not told apart and always wait the least
   * @param least, most seconds
   * @param now unix seconds
   * @returns seconds to wait
   */
  failed(remote: string, least: number, most: number, now: number): number {
    if (least <= 0) return 0
    if (remote === 'unix') return least
    const hash = createHash('sha256').update(remote).digest()
    const id = hash.readBigUInt64LE(0)
    const at = (hash.readUInt32LE(8) % GROUPS) * GROUP * PLACE
    const group = this.#read(at)
    const last = (place: number): number => group.readUInt32LE(place * PLACE + 12)
    let mine = 0
    for (let place = 0; place < GROUP; place += 1) {
      if (group.readBigUInt64LE(place * PLACE) === id) {
        mine = place
        break
      }
      if (last(place) < last(mine)) mine = place
    }
    const isKnown = group.readBigUInt64LE(mine * PLACE) === id && Math.abs(now - last(mine)) < FORGET_AFTER
    const count = isKnown ? Math.min(group.readUInt32LE(mine * PLACE + 8), 1000) + 1 : 1
    const place = Buffer.alloc(PLACE)
    place.writeBigUInt64LE(id)
    place.writeUInt32LE(count, 8)
    place.writeUInt32LE(Math.floor(now), 12)
    this.#write(place, at + mine * PLACE)
    return Math.max(least, Math.min(most, least * 2 ** Math.min(count - 1, 30)))
  }

  #read(at: number): Buffer {
    const group = Buffer.alloc(GROUP * PLACE)
    try {
      if (this.#memory === undefined) {
        this.#file ??= openSync(this.path, constants.O_RDWR | constants.O_CREAT, 0o600)
        readSync(this.#file, group, 0, group.length, at)
        return group
      }
    } catch {
      this.#memory = Buffer.alloc(GROUPS * GROUP * PLACE)
    }
    this.#memory.copy(group, 0, at)
    return group
  }

  #write(place: Buffer, at: number): void {
    try {
      if (this.#memory === undefined) {
        writeSync(this.#file!, place, 0, place.length, at)
        return
      }
    } catch {
      this.#memory = Buffer.alloc(GROUPS * GROUP * PLACE)
    }
    place.copy(this.#memory, at)
  }
}
