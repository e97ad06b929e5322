/**
 * imapd.conf as its programs see it: options looked up by name, typed by the table in options.ts,
 * with the overrides of one service (`NAME_option:`) already applied.
 */
import { isAbsolute } from 'node:path'
import { currentName } from './former_names.js'
import { ConfigError, readSettings, type Setting } from './grammar.js'
import { isKnownElsewhere } from './known_elsewhere.js'
import { OPTIONS, type Option } from './options.js'
import { parseDuration, parseInteger, parseSize, parseSwitch } from './values.js'

export { ConfigError } from './grammar.js'

/** How `Config.load` reads. */
export interface LoadOptions {
  /** the entry name in cyrus.conf: `imap_timeout: 5m` then overrides `timeout` for the service `imap` */
  service?: string
  /** told of each unknown option, once, as `FILE:LINE: …` */
  warn?: (message: string) => void
}

type Value = string | number | boolean

/** Families of options whose names the administrator completes, and options read by libraries rather than by us. */
const OPEN_NAMES =
  /^(partition|metapartition|archivepartition|backuppartition|searchpartition|\w+searchpartition|sasl|ldap|mupdate|tls|http|xapian|search|sql|virusscan|zoneinfo|rss|cal|card|caldav|carddav|jmap)[-_]/

export class Config {
  readonly #typed: Map<string, Value>
  readonly #raw: Map<string, Setting>
  /** the file that was read */
  readonly path: string

  private constructor(path: string, raw: Map<string, Setting>, typed: Map<string, Value>) {
    this.path = path
    this.#raw = raw
    this.#typed = typed
  }

  /**
   * Reads a file and checks every known option's value.
   * @throws {ConfigError} naming file and line for a statement that cannot be read, a value of the wrong type, an option given twice,
   *   a partition or configdirectory that is no absolute path
   */
  static load(path: string, { service, warn }: LoadOptions = {}): Config {
    const raw = new Map<string, Setting>()
    const typed = new Map<string, Value>()
    const overrides = new Map<string, Setting>()
    const prefix = service === undefined ? undefined : `${service.toLowerCase()}_`
    for (const setting of readSettings(path)) {
      const own =
        prefix !== undefined && setting.name.startsWith(prefix)
          ? currentName(setting.name.slice(prefix.length))
          : undefined
      const target = own !== undefined && OPTIONS.has(own) ? overrides : raw
      const name = target === overrides ? own! : currentName(setting.name)
      const earlier = target.get(name)
      if (earlier !== undefined && earlier.name !== setting.name) {
        // given under its name of old, too: the current one counts
        if (setting.name.endsWith(name)) target.set(name, setting)
        continue
      }
      if (earlier !== undefined) {
        throw new ConfigError(
          setting.file,
          setting.line,
          `"${setting.name}" was already given on line ${earlier.line} of ${earlier.file}`,
        )
      }
      target.set(name, setting)
    }
    for (const [name, setting] of overrides) raw.set(name, setting)
    for (const [name, setting] of raw) {
      const option = OPTIONS.get(name)
      if (option !== undefined) {
        typed.set(name, typedValue(option, setting))
      } else if (/^partition-/.test(name)) {
        if (!isAbsolute(setting.value)) {
          throw new ConfigError(setting.file, setting.line, `${name} must be an absolute path, not "${setting.value}"`)
        }
      } else if (warn !== undefined && !isTolerated(name)) {
        warn(`${setting.file}:${setting.line}: unknown option "${name}", ignored`)
      }
    }
    const config = new Config(path, raw, typed)
    const directory = raw.get('configdirectory')
    if (!isAbsolute(config.directory) || config.directory === '/') {
      throw new ConfigError(
        directory?.file ?? path,
        directory?.line ?? 0,
        'configdirectory must be an absolute path other than /',
      )
    }
    return config
  }

  /** A string option; the table's default when unset, undefined when that has none. */
  string(name: string): string | undefined {
    const value = this.#value(name, 'string')
    return value === undefined ? undefined : String(value)
  }

  /** An integer option. */
  int(name: string): number {
    return this.#value(name, 'int') as number
  }

  /** A switch. */
  switch(name: string): boolean {
    return this.#value(name, 'switch') as boolean
  }

  /** A duration, in seconds. */
  duration(name: string): number {
    return this.#value(name, 'duration') as number
  }

  /** A byte size, in bytes. */
  size(name: string): number {
    return this.#value(name, 'size') as number
  }

  /** A string option split at blanks; empty when unset. */
  list(name: string): string[] {
    return (this.string(name) ?? '').split(/\s+/).filter((word) => word !== '')
  }

  /** Whether the file (or the service's override) sets it. */
  isSet(name: string): boolean {
    return this.#raw.has(name)
  }

  /** Any option as written, known or not: `CHANNEL_sync_host`, `partition-news`, `sasl_…`. */
  overflow(name: string): string | undefined {
    return this.#raw.get(name.toLowerCase())?.value
  }

  /** Everything that the file sets, in its order; a service's overrides in place of what they override. */
  settings(): readonly { readonly name: string; readonly value: string }[] {
    return [...this.#raw].map(([name, { value }]) => ({ name, value }))
  }

  /** Names of all options that the file sets, lower case. */
  names(): string[] {
    return [...this.#raw.keys()]
  }

  /** An error that blames the line on which an option stands. */
  error(name: string, problem: string): ConfigError {
    const setting = this.#raw.get(name.toLowerCase())
    return new ConfigError(setting?.file ?? this.path, setting?.line ?? 0, problem)
  }

  /** Partition names → absolute paths, from `partition-NAME`. */
  partitions(): Map<string, string> {
    const partitions = new Map<string, string>()
    for (const [name, setting] of this.#raw) {
      if (name.startsWith('partition-'))
        partitions.set(name.slice('partition-'.length), setting.value.replace(/\/+$/, ''))
    }
    return partitions
  }

  /** `configdirectory`, absolute. */
  get directory(): string {
    return this.string('configdirectory')!.replace(/(.)\/+$/, '$1')
  }

  #value(name: string, type: Option['type']): Value | undefined {
    const option = OPTIONS.get(name)
    if (option === undefined || option.type !== type)
      throw new TypeError(`"${name}" is no ${type} option of lib/config/options.ts`)
    return this.#typed.get(name) ?? option.default
  }
}

function isTolerated(name: string): boolean {
  if (OPEN_NAMES.test(name) || isKnownElsewhere(name)) return true
  // another service's or a replication channel's form of an option: SERVICE_option
  for (let at = name.indexOf('_'); at > 0; at = name.indexOf('_', at + 1)) {
    const rest = name.slice(at + 1)
    if (OPTIONS.has(rest) || isKnownElsewhere(rest)) return true
  }
  return false
}

function typedValue(option: Option, { name, value, file, line }: Setting): Value {
  const check = <T>(parsed: T | undefined, wanted: string): T => {
    if (parsed === undefined) throw new ConfigError(file, line, `${name} must be ${wanted}, not "${value}"`)
    return parsed
  }
  switch (option.type) {
    case 'switch':
      return check(parseSwitch(value), 'yes or no')
    case 'int': {
      const { min = -(2 ** 31), max = 2 ** 31 - 1 } = option
      const parsed = parseInteger(value)
      const bounded = option.min !== undefined || option.max !== undefined
      return check(
        parsed !== undefined && ((parsed >= min && parsed <= max) || parsed === option.none) ? parsed : undefined,
        bounded ? `${min} to ${max}` : 'a whole number',
      )
    }
    case 'duration':
      return check(parseDuration(value, option.unit), 'a duration such as 10s, 5m, 1h or 2d')
    case 'size':
      return check(parseSize(value, option.unit), 'a size such as 512, 64k or 10m')
    case 'string': {
      if (option.values === undefined) return value
      return check(
        option.values.includes(value.toLowerCase()) ? value.toLowerCase() : undefined,
        `one of ${option.values.join(', ')}`,
      )
    }
  }
}
