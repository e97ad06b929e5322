/**
 * The frame of an administrator's program that opens the store and ends: options, configuration, log, user, exit statuses, errors as one line on
 * stderr. What the program does is its own.
 */
import { Config, ConfigError } from '../config/config.js'
import { becomeCyrusUser, NoSuchUserError } from './cyrus_user.js'
import { Exit } from './exit_status.js'
import { type ParsedOptions, parseOptions, UsageError } from './getopt.js'
import { type Logger, openLog } from './log.js'

export interface ToolDefinition {
  /** the program's name */
  readonly program: string
  /** printed by --help */
  readonly usage: string
  /** getopt letters besides `C:`, which every tool has; `v` copies the log to stderr if it is among them */
  readonly letters: string
  /** options of whole words, `status` for --status */
  readonly words?: readonly string[]
}

export interface ToolContext {
  readonly config: Config
  readonly log: Logger
  readonly options: ParsedOptions['options']
  readonly args: readonly string[]
}

/**
 * Runs a tool; called at the bottom of services/NAME/main.ts. Ends with 0, or with 64 on a UsageError, 78 on a ConfigError, 69 without the
 * cyrus user, 71 on any other error.
 * @param check sees the command line before anything is read; throws UsageError
 */
export async function runTool(
  { program, usage, letters, words }: ToolDefinition,
  check: (parsed: ParsedOptions) => void,
  work: (context: ToolContext) => Promise<void>,
): Promise<void> {
  try {
    const parsed = parseOptions(`C:${letters}`, process.argv.slice(2), words)
    const { options, args } = parsed
    if (options.has('help')) {
      process.stdout.write(usage)
      return
    }
    check(parsed)
    const warnings: string[] = []
    const path = String(options.get('C') ?? '/etc/imapd.conf')
    const config = Config.load(path, { service: program, warn: (message) => warnings.push(message) })
    const log = openLog({ config, service: program, foreground: letters.includes('v') && options.has('v') })
    for (const warning of warnings) log.warning(warning)
    becomeCyrusUser(config)
    process.umask(0o077)
    await work({ config, log, options, args })
  } catch (error) {
    process.stderr.write(`${program}: ${error instanceof Error ? error.message : String(error)}\n`)
    if (error instanceof UsageError) process.exitCode = Exit.Usage
    else if (error instanceof ConfigError) process.exitCode = Exit.Config
    else process.exitCode = error instanceof NoSuchUserError ? Exit.NoService : Exit.OsError
  }
}
