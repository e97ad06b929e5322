/**
 * The command line and environment of a service program: the frame's own letters (`-C -U -T -D -X`) beside the service's.
 * Mirrors Cyrus 3.6.1's master/service.c; merged values (`-U30`), which Cyrus refuses, are understood.
 */
import { parseOptions, UsageError } from './getopt.js'

/** Cyrus' own figures: connections before a process is replaced, seconds before an idle one leaves. */
const REUSE_LIMIT = 250
const IDLE_SECONDS = 60

export interface ServiceOptions {
  /** `-C`, else /etc/imapd.conf */
  readonly configPath: string
  /** `-U`: connections in all, 0 for no limit; undefined when not given */
  readonly reuseLimit: number | undefined
  /** `-T`: seconds without a connection, 0 for no limit */
  readonly idleSeconds: number
  /** `-D` */
  readonly debug: boolean
  /** `-X`: serve stdin and stdout once, without master */
  readonly stdio: boolean
  /** `--help` */
  readonly help: boolean
  /** the service's own letters */
  readonly own: Map<string, string | true>
}

/** @returns the reuse limit of a process of `slots` slots: as given, else 250 for each slot */
export function reuseLimitFor(options: ServiceOptions, slots: number): number {
  return options.reuseLimit ?? REUSE_LIMIT * slots
}

/**
 * @param letters the service's own, as for getopt
 * @throws {UsageError} on unknown letters, words left over, or numbers that are none
 */
export function parseServiceOptions(letters: string, argv: readonly string[]): ServiceOptions {
  const { options, args } = parseOptions(`C:U:T:DX${letters}`, argv)
  const number = (letter: string): number | undefined => {
    const text = options.get(letter)
    if (text === undefined) return undefined
    if (!/^\d{1,9}$/.test(String(text))) throw new UsageError(`option -${letter}: "${String(text)}" is no number`)
    return Number(text)
  }
  const help = options.has('help')
  if (args.length > 0 && !help) throw new UsageError(`unexpected argument "${args[0]}"`)
  const own = new Map([...options].filter(([letter]) => letters.includes(letter) && letter.length === 1))
  return {
    configPath: String(options.get('C') ?? '/etc/imapd.conf'),
    reuseLimit: number('U'),
    idleSeconds: number('T') ?? IDLE_SECONDS,
    debug: options.has('D'),
    stdio: options.has('X'),
    help,
    own,
  }
}
