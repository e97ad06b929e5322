/**
 * Prefixes for message UUIDs, one for each process of a service with `provide_uuid` (reference: csync-2.3.md §10): schema, machine, generation,
 * master's start time and a number of the process, which together never come again. What must outlive master is in
 * `{configdirectory}/master_uuid`: the start time that was used last. The next one is always later, whatever the clock says.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../lib/config/config.js'
import type { Logger } from '../lib/process/log.js'
import { uuidPrefix } from '../lib/process/message_uuid.js'
import type { MasterConf } from './entries.js'

/** The highest number that fits a process' two bytes. */
const LAST_CHILD = 0xffff

/** master_uuid cannot be written. Exit status 71. */
export class UuidStateError extends Error {}

interface State {
  machine: number
  generation: number
  startTime: number
}

export class UuidPrefixes {
  #child = 0

  private constructor(
    private readonly path: string,
    private readonly state: State,
  ) {}

  /**
   * Takes a start time of its own and records it, durably, before any prefix is given. A second start within a second waits for the next one.
   * @param machine `sync_machineid`, 1 to 255
   * @throws {UuidStateError}
   */
  static async open(directory: string, machine: number, warn: (message: string) => void): Promise<UuidPrefixes> {
    const path = `${directory}/master_uuid`
    const recorded = read(path, warn)
    const clock = (): number => Math.floor(Date.now() / 1000)
    let startTime = clock()
    if (recorded !== undefined && recorded.startTime >= startTime) {
      const ahead = recorded.startTime - startTime
      if (ahead <= 1) {
        while (clock() <= recorded.startTime) await sleep(20)
      } else {
        warn(`${path}: the clock was put back by ${ahead} s; counting on from the time recorded there`)
      }
      startTime = recorded.startTime + 1
    }
    if (recorded !== undefined && recorded.machine !== machine) {
      warn(
        `${path}: sync_machineid was ${recorded.machine} and is ${machine} now; UUIDs made until now stay as they are`,
      )
    }
    const prefixes = new UuidPrefixes(path, { machine, generation: recorded?.generation ?? 0, startTime })
    prefixes.#record()
    return prefixes
  }

  /**
   * The value of CYRUS_UUID_PREFIX for the next process.
   * @throws {UuidStateError} when process numbers are used up and a new start time cannot be recorded
   */
  next(): string {
    if (this.#child === LAST_CHILD) {
      this.state.startTime++
      this.#record()
      this.#child = -1 // from 0 then, as Cyrus 2.3 does
    }
    this.#child++
    return uuidPrefix({ ...this.state, child: this.#child })
  }

  #record(): void {
    const { machine, generation, startTime } = this.state
    const text = `schema=1\nmachine=${machine}\ntimestamp_generation=${generation}\nmaster_start_time=${startTime}\n`
    try {
      const fd = openSync(`${this.path}.NEW`, 'w', 0o644)
      try {
        writeSync(fd, text)
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      renameSync(`${this.path}.NEW`, this.path)
      const directory = openSync(this.path.replace(/\/[^/]*$/, '') || '/', 'r')
      try {
        fsyncSync(directory)
      } finally {
        closeSync(directory)
      }
    } catch (error) {
      throw new UuidStateError(`couldn't initialise UUID subsystem: ${(error as Error).message}`)
    }
  }
}

/** CYRUS_UUID_PREFIX of a process that gets none. */
const NULL_PREFIX = '0'.repeat(24)

/** Where services with `provide_uuid` have their prefixes from: nothing is read or written until there is one. */
export class UuidSource {
  #prefixes: UuidPrefixes | undefined

  constructor(
    private readonly config: Config,
    private readonly log: Logger,
  ) {}

  /**
   * Prepares for prefixes if a service is to get them; told in the log when none can be made for want of `sync_machineid`.
   * @throws {UuidStateError}
   */
  async prepare({ services }: MasterConf): Promise<void> {
    const wanting = services.filter(({ provideUuid }) => provideUuid)
    if (wanting.length === 0 || this.#prefixes !== undefined) return
    const machine = this.config.int('sync_machineid')
    if (machine < 1) {
      const names = wanting.map(({ name }) => name).join(', ')
      this.log.warning(`provide_uuid of ${names} has no effect: set sync_machineid (1 to 255) in ${this.config.path}`)
      return
    }
    this.#prefixes = await UuidPrefixes.open(this.config.directory, machine, (text) => this.log.warning(text))
  }

  /** @returns the prefix for one more process; all zeros when there can be none: its messages then have no UUID */
  next(): string {
    try {
      return this.#prefixes?.next() ?? NULL_PREFIX
    } catch (error) {
      this.log.error((error as Error).message)
      return NULL_PREFIX
    }
  }
}

/** What an earlier master wrote; undefined without a file, and, with a warning, for one that cannot be understood. */
function read(path: string, warn: (message: string) => void): State | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UuidStateError(`couldn't initialise UUID subsystem: ${(error as Error).message}`)
  }
  const value = (name: string, most: number): number | undefined => {
    const digits = new RegExp(`^${name}=(\\d{1,10})$`, 'm').exec(text)?.[1]
    return digits !== undefined && Number(digits) <= most ? Number(digits) : undefined
  }
  const machine = value('machine', 255)
  const generation = value('timestamp_generation', 255)
  const startTime = value('master_start_time', 0xffff_fffe)
  if (machine === undefined || generation === undefined || startTime === undefined) {
    warn(`${path}: damaged; starting from the present time`)
    return undefined
  }
  return { machine, generation, startTime }
}
