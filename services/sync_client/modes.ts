/** What a sync_client is asked to do, from its command line (csync.md §11.1). */
import { parseDuration } from '../../lib/config/values.js'
import { type ParsedOptions, UsageError } from '../../lib/process/getopt.js'

/** The kinds of work. */
export type Mode = 'rolling' | 'status' | 'user' | 'mailbox' | 'meta' | 'all'

/** A command line understood. Times in seconds. */
export interface CommandLine {
  readonly mode: Mode
  /** users, mailboxes, or for `all` the prefix */
  readonly names: readonly string[]
  readonly foreground: boolean
  readonly once: boolean
  readonly server: string | undefined
  readonly channel: string
  readonly inputFile: string | undefined
  readonly shutdownFile: string | undefined
  readonly interval: number | undefined
  readonly lifetime: number
  readonly wait: number
  readonly verbosity: number
  readonly logCommands: boolean
  readonly localOnly: boolean
  readonly noWaiting: boolean
  readonly connectOnce: boolean
  readonly noCopyback: boolean
  readonly partition: string | undefined
  readonly requireCompression: boolean
}

/** Options of whole words. */
export const WORDS = ['status']
export const LETTERS = 'vlLS:F:f:w:t:d:n:rRumsANoOp:z1'

const MODES: Readonly<Record<string, Mode>> = {
  r: 'rolling',
  R: 'rolling',
  u: 'user',
  m: 'mailbox',
  s: 'meta',
  A: 'all',
  status: 'status',
}

/** @throws {UsageError} */
export function readCommandLine({ options, repeated, args }: ParsedOptions): CommandLine {
  const modes = new Set(repeated.flatMap(([letter]) => MODES[letter] ?? []))
  if (modes.size > 1) throw new UsageError('Mutually exclusive options defined')
  const [mode] = modes
  if (mode === undefined) throw new UsageError('one of -r, -R, -u, -m, -s, -A, --status is needed')
  const text = (letter: string): string | undefined => options.get(letter) as string | undefined
  const seconds = (letter: string): number | undefined => {
    const value = text(letter)
    if (value === undefined) return undefined
    const parsed = parseDuration(value, 's')
    if (parsed === undefined || parsed < 0) throw new UsageError(`-${letter}: "${value}" is no number of seconds`)
    return parsed
  }
  const inputFile = text('f')
  if ((mode === 'rolling' || mode === 'status') && args.length > 0)
    throw new UsageError(`unexpected argument "${args[0]}"`)
  if (mode === 'all' && args.length > 1) throw new UsageError(`unexpected argument "${args[1]}"`)
  if (['user', 'mailbox', 'meta'].includes(mode) && args.length === 0 && inputFile === undefined)
    throw new UsageError('no names given')
  const channel = text('n') ?? ''
  if (!/^[A-Za-z0-9_.-]*$/.test(channel) || /^\.\.?$/.test(channel))
    throw new UsageError(`-n: "${channel}" is no channel`)
  return {
    mode,
    names: args,
    foreground: options.has('R') || inputFile !== undefined,
    once: options.has('1'),
    server: text('S'),
    channel,
    inputFile,
    shutdownFile: text('F'),
    interval: seconds('d'),
    lifetime: seconds('t') ?? 600,
    wait: seconds('w') ?? 0,
    verbosity: repeated.filter(([letter]) => letter === 'v').length,
    logCommands: options.has('l'),
    localOnly: options.has('L'),
    noWaiting: options.has('N'),
    connectOnce: options.has('o'),
    noCopyback: options.has('O'),
    partition: text('p'),
    requireCompression: options.has('z'),
  }
}
