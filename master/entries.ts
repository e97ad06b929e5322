/**
 * What cyrus.conf's entries mean: typed, with defaults, checked (reference: master.md §2). Messages name file, line and entry.
 */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../lib/config/config.js'
import type { CyrusConf, Entry, SectionName } from '../lib/config/cyrus_conf.js'
import { type CronTime, parseCronTime, timeOfDay } from './cron_time.js'

/** A command: the program's absolute path and the words of `cmd`, the first as written. */
export interface Command {
  readonly program: string
  readonly argv: readonly string[]
}

interface Common {
  readonly name: string
  readonly line: number
  readonly command: Command
}

export const PROTOCOLS = ['tcp', 'tcp4', 'tcp6', 'udp', 'udp4', 'udp6'] as const

/** What a running service or daemon is kept to. */
export interface Limits {
  /** processes kept ready, for each socket */
  readonly prefork: number
  /** most processes at once, Infinity for no limit */
  readonly maxchild: number
  /** forks a second, 0 for no limit */
  readonly maxforkrate: number
  /** RLIMIT_NOFILE, 0 to leave it */
  readonly maxfds: number
  readonly babysit: boolean
}

export interface ServiceEntry extends Common, Limits {
  readonly kind: 'service'
  readonly listen: string
  /** as written; checked when the socket is made, since a wrong one only disables the service */
  readonly proto: string
  /** whether its processes get a prefix for message UUIDs */
  readonly provideUuid: boolean
}

export interface DaemonEntry extends Common, Limits {
  readonly kind: 'daemon'
  readonly wait: boolean
}

export interface StartEntry extends Common {
  readonly kind: 'start'
}

export interface EventEntry extends Common {
  readonly kind: 'event'
  /** seconds between runs, 0 for one run */
  readonly period: number
  /** `at` or `cron`: local times instead of a period; no run at start */
  readonly time?: CronTime
}

export interface MasterConf {
  readonly start: readonly StartEntry[]
  readonly services: readonly ServiceEntry[]
  readonly daemons: readonly DaemonEntry[]
  readonly events: readonly EventEntry[]
}

const KNOWN_ARGS: Readonly<Record<SectionName, readonly string[]>> = {
  START: ['cmd'],
  SERVICES: ['cmd', 'listen', 'proto', 'prefork', 'maxchild', 'maxforkrate', 'maxfds', 'babysit', 'provide_uuid'],
  EVENTS: ['cmd', 'period', 'at', 'cron'],
  DAEMON: ['cmd', 'maxfds', 'maxforkrate', 'wait', 'prefork', 'maxchild', 'babysit'],
}

/** Forks a second allowed where something restarts by itself and no limit was set. */
const SAFE_FORK_RATE = 10

/** How entries are read. */
export interface Reading {
  /** directory of programs that are named without one */
  readonly programs: string
  /** told `FILE:LINE: …` */
  warn(message: string): void
  /** at a reload, entries that are incomplete or there twice are passed over with a warning instead of stopping everything */
  readonly reload: boolean
}

/**
 * @returns the typed entries
 * @throws {ConfigError} for entries that Cyrus 3.6.1 does not start with: no cmd or listen, a name twice, a program that is not there (also at
 *   a reload; the supervisor then keeps what runs)
 */
export function readEntries(conf: CyrusConf, reading: Reading): MasterConf {
  const { reload, programs } = reading
  const place = (entry: Entry): string => `${conf.path}:${entry.line}`
  const warnAt = (entry: Entry, message: string): void => reading.warn(`${place(entry)}: ${entry.name}: ${message}`)
  const refuse = (entry: Entry, problem: string): undefined => {
    if (!reload) throw new ConfigError(conf.path, entry.line, problem)
    reading.warn(`${place(entry)}: ${problem} -- ignored`)
    return undefined
  }
  const section = (name: SectionName): readonly Entry[] => {
    const entries = conf.sections.get(name) ?? []
    for (const entry of entries) {
      for (const key of entry.args.keys()) {
        if (!KNOWN_ARGS[name].includes(key)) {
          warnAt(entry, `unknown argument "${key}", ignored`)
        }
      }
    }
    return entries
  }
  const int = (entry: Entry, key: string, fallback: number): number => {
    const text = entry.args.get(key)
    if (text === undefined) return fallback
    const digits = /^-?\d+/.exec(text)?.[0]
    if (digits !== text) warnAt(entry, `${key}="${text}" is no whole number; using ${digits ?? fallback}`)
    return digits === undefined ? fallback : Math.trunc(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(digits))))
  }
  const flag = (entry: Entry, key: string): boolean => {
    const text = entry.args.get(key)
    if (text === undefined) return false
    if (/^(1|y|on|t)/.test(text)) return true
    if (!/^(0|n|of|f)/.test(text)) warnAt(entry, `${key}="${text}" is neither yes nor no; using no`)
    return false
  }
  const command = (entry: Entry): Command | undefined => {
    const argv = (entry.args.get('cmd') ?? '').split(/\s+/).filter((word) => word !== '')
    const [first] = argv
    if (first === undefined) return undefined
    return { argv, program: first.startsWith('/') ? first : join(programs, first) }
  }
  const mustExist = (entry: Entry, { program }: Command, what: string): void => {
    if (isProgram(program)) return
    throw new ConfigError(
      conf.path,
      entry.line,
      `cannot find executable for ${what} '${entry.name}': ${program} is no executable file`,
    )
  }
  const seen = new Set<string>()
  const once = (entry: Entry): boolean => {
    if (!seen.has(entry.name)) {
      seen.add(entry.name)
      return true
    }
    refuse(entry, `multiple entries for service '${entry.name}'`)
    return false
  }

  const start: StartEntry[] = section('START').map((entry) => {
    const cmd = command(entry)
    if (cmd === undefined) throw new ConfigError(conf.path, entry.line, `unable to find command for ${entry.name}`)
    return { kind: 'start', name: entry.name, line: entry.line, command: cmd }
  })

  const services: ServiceEntry[] = []
  for (const entry of section('SERVICES')) {
    const cmd = command(entry)
    const listen = entry.args.get('listen') ?? ''
    if (cmd === undefined || listen === '') {
      refuse(entry, `unable to find command or port for service '${entry.name}'`)
      continue
    }
    if (!once(entry)) continue
    mustExist(entry, cmd, 'service')
    const babysit = flag(entry, 'babysit')
    const proto = entry.args.get('proto') ?? 'tcp'
    const udp = proto.startsWith('udp')
    const maxchild = int(entry, 'maxchild', -1)
    const prefork = Math.max(0, int(entry, 'prefork', 0)) || (babysit ? 1 : 0)
    services.push({
      kind: 'service',
      name: entry.name,
      line: entry.line,
      command: cmd,
      listen,
      proto,
      prefork: udp ? Math.min(1, prefork) : prefork,
      maxchild: udp ? 1 : maxchild < 0 ? Number.POSITIVE_INFINITY : maxchild,
      maxforkrate: Math.max(0, int(entry, 'maxforkrate', 0)) || (babysit ? SAFE_FORK_RATE : 0),
      maxfds: Math.max(0, int(entry, 'maxfds', 0)),
      babysit,
      provideUuid: flag(entry, 'provide_uuid'),
    })
  }

  const events: EventEntry[] = []
  for (const entry of section('EVENTS')) {
    const cmd = command(entry)
    if (cmd === undefined) {
      refuse(entry, `unable to find command or port for event '${entry.name}'`)
      continue
    }
    const common = { kind: 'event', name: entry.name, line: entry.line, command: cmd } as const
    const cron = entry.args.get('cron')
    if (cron !== undefined) {
      try {
        events.push({ ...common, period: 0, time: parseCronTime(cron) })
      } catch (error) {
        refuse(entry, `event '${entry.name}': cron: ${(error as Error).message}`)
      }
      continue
    }
    const at = int(entry, 'at', -1)
    const [hour, minute] = [Math.floor(at / 100), at % 100]
    const period = 60 * Math.max(0, int(entry, 'period', 0))
    if (at >= 0 && hour <= 23 && minute <= 59) events.push({ ...common, period: 0, time: timeOfDay(hour, minute) })
    else {
      if (at >= 0) warnAt(entry, `at=${at} is no time of day (hhmm); it counts as period=${period / 60}`)
      events.push({ ...common, period })
    }
  }

  const daemons: DaemonEntry[] = []
  for (const entry of section('DAEMON')) {
    const cmd = command(entry)
    if (cmd === undefined) {
      refuse(entry, `unable to find command for daemon '${entry.name}'`)
      continue
    }
    if (!once(entry)) continue
    mustExist(entry, cmd, 'daemon')
    daemons.push({
      kind: 'daemon',
      name: entry.name,
      line: entry.line,
      command: cmd,
      wait: flag(entry, 'wait'),
      prefork: 1,
      maxchild: 1,
      maxforkrate: Math.max(0, int(entry, 'maxforkrate', 0)) || SAFE_FORK_RATE,
      maxfds: Math.max(0, int(entry, 'maxfds', 0)),
      babysit: true,
    })
  }
  return { start, services, events, daemons }
}

function isProgram(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0
}
