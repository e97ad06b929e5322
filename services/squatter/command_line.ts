/** What a squatter is asked to do, from its command line. */
import { parseDuration } from '../../lib/config/values.js'
import { type ParsedOptions, UsageError } from '../../lib/process/getopt.js'

/** Mailboxes that are named, all of users, those in a log, or rolling after the log. */
export type Mode = 'mailboxes' | 'users' | 'log' | 'rolling'

/** A command line understood. */
export interface CommandLine {
  readonly mode: Mode
  /** mailboxes as an administrator writes them, or users; none for all mailboxes */
  readonly names: readonly string[]
  /** with the mailboxes below those named */
  readonly recursive: boolean
  /** only mailboxes that are annotated for it */
  readonly annotated: boolean
  /** only mailboxes whose name begins with this */
  readonly prefix: string
  /** milliseconds after each mailbox */
  readonly pause: number
  readonly channel: string
  readonly logFile: string | undefined
  readonly foreground: boolean
  readonly verbose: boolean
}

/** getopt's letters; `C:` is every tool's. */
export const LETTERS = 'aidrRuvZN:S:n:f:s:'

/** @throws {UsageError} */
export function readCommandLine({ options, args }: ParsedOptions): CommandLine {
  const modes = [...'Rfu'].filter((letter) => options.has(letter))
  if (modes.length > 1) throw new UsageError(`-${modes[0]} and -${modes[1]} exclude each other`)
  const mode: Mode = options.has('R') ? 'rolling' : options.has('f') ? 'log' : options.has('u') ? 'users' : 'mailboxes'
  if ((mode === 'rolling' || mode === 'log') && args.length > 0)
    throw new UsageError(`unexpected argument "${args[0]}"`)
  if (mode === 'users' && args.length === 0) throw new UsageError('-u needs the names of users')
  const text = (letter: string): string | undefined => options.get(letter) as string | undefined
  const channel = text('n') ?? 'squatter'
  if (!/^[A-Za-z0-9_.-]*$/.test(channel) || /^\.\.?$/.test(channel))
    throw new UsageError(`-n: "${channel}" is no channel`)
  return {
    mode,
    names: args,
    recursive: options.has('r'),
    annotated: options.has('a'),
    prefix: text('N') ?? '',
    pause: secondsOf(text('S')) * 1000,
    channel,
    logFile: text('f'),
    foreground: options.has('d'),
    verbose: options.has('v'),
  }
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return 0
  const seconds = /^\d*\.\d+$/.test(text) ? Number(text) : parseDuration(text, 's')
  if (seconds === undefined || seconds < 0) throw new UsageError(`-S: "${text}" is no number of seconds`)
  return seconds
}
