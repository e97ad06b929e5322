/**
 * The program `master`: reads its configuration, becomes a daemon if wanted, becomes the cyrus user, runs START, opens the sockets, brings the
 * daemons up and is then ready for work until SIGTERM. The order is Cyrus 3.6.1's (reference: master.md §4), except that the pid file says who
 * we are, and `-d` returns, only once everything is up.
 */
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Config, ConfigError } from '../lib/config/config.js'
import { readCyrusConf } from '../lib/config/cyrus_conf.js'
import { duplicateTo, exitWithoutThreads } from '../lib/os/fd.js'
import { setProcessTitle } from '../lib/os/title.js'
import { leadProcessGroup } from '../lib/os/user.js'
import { detachOutput, inBackground, readyInBackground, startInBackground } from '../lib/process/background.js'
import { becomeCyrusUser, NoSuchUserError } from '../lib/process/cyrus_user.js'
import { Exit } from '../lib/process/exit_status.js'
import { UsageError } from '../lib/process/getopt.js'
import { type Logger, openLog } from '../lib/process/log.js'
import { UUID_VARIABLE } from '../lib/process/message_uuid.js'
import { cyrusVersion } from '../lib/process/version.js'
import { type MasterOptions, parseCommandLine, USAGE } from './command_line.js'
import { type MasterConf, readEntries } from './entries.js'
import type { ChildOutput } from './launch.js'
import { BindError } from './open_service.js'
import { PidFile, PidFileError, takeStartLock } from './pid_file.js'
import { ReadyFile, ReadyFileError } from './ready_file.js'
import { Reporting } from './reporting.js'
import { runStartSection, StartError, withAdopted } from './start_section.js'
import { Supervisor } from './supervisor.js'
import { UuidStateError } from './uuid_prefixes.js'
import { WaitDaemonError } from './wait_daemons.js'

const DEFAULT_PID_FILE = '/var/run/cyrus-master.pid'

/** Where programs named without a directory are: beside master's own launcher. */
function programsDirectory(): string {
  return process.env.CYRUS_BINDIR ?? join(dirname(fileURLToPath(import.meta.url)), '../bin')
}

const OS_ERRORS = [PidFileError, ReadyFileError, StartError, UuidStateError]

/** Exit status of an error of the start; undefined for a bug. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof UsageError) return Exit.Usage
  if (error instanceof ConfigError || error instanceof WaitDaemonError) return Exit.Config
  if (OS_ERRORS.some((kind) => error instanceof kind)) return Exit.OsError
  if (error instanceof NoSuchUserError || error instanceof BindError) return Exit.NoService
  return undefined
}

async function main(): Promise<void> {
  let log: Logger | undefined
  try {
    const options = parseCommandLine(process.argv.slice(2))
    if (options.help) process.stdout.write(USAGE)
    else if (options.version) process.stdout.write(`cyrus-imapd ${cyrusVersion()}\n`)
    else {
      log = openLog({ service: 'master' })
      await serve(options, (opened) => {
        log = opened
      })
    }
  } catch (error) {
    const status = statusOf(error)
    const message = status === undefined ? ((error as Error).stack ?? String(error)) : (error as Error).message
    log?.error(message)
    process.stderr.write(`master: ${message}\n`)
    process.exit(status ?? Exit.Software)
  }
}

async function serve(options: MasterOptions, logOpened: (log: Logger) => void): Promise<void> {
  const foreground = options.keepStdio || (!options.daemon && process.stderr.isTTY === true)
  const warnings: string[] = []
  const warn = (message: string): number => warnings.push(message)
  // the background half of -d gets what the other half has counted
  if (options.verbose > 0 && !inBackground())
    process.env.CYRUS_VERBOSE = String(Number(process.env.CYRUS_VERBOSE || 0) + options.verbose)
  const config = Config.load(options.imapdConf, { service: 'master', warn })
  const log = openLog({ config, service: 'master', foreground })
  logOpened(log)
  const reader = (reload: boolean, tell: (message: string) => void) => (): MasterConf =>
    readEntries(readCyrusConf(options.cyrusConf, tell), { programs: programsDirectory(), warn: tell, reload })
  const pidPath = options.pidFile ?? config.string('master_pid_file') ?? DEFAULT_PID_FILE

  if (options.daemon && !inBackground()) {
    // What can be known to be wrong now is said now.
    reader(false, () => undefined)()
    process.exit(await becomeDaemon(pidPath))
  }
  const detach = readyInBackground()
  const conf = reader(false, warn)()
  for (const warning of [...warnings, ...cappedLimits(conf)]) log.warning(warning)

  const output = childOutput(options)
  if (detach === undefined && process.stdin.isTTY !== true) leadProcessGroup()
  setProcessTitle(['master', ...process.argv.slice(2)].join(' '), 'master')
  // what only master gives out, per process
  for (const name of ['CYRUS_SERVICE', 'CYRUS_ID', 'CYRUS_ISDAEMON', UUID_VARIABLE]) delete process.env[name]
  if (output !== 'ignore') process.env.CYRUS_LOG_STDERR = '1'
  const pidFile = PidFile.take(pidPath)
  becomeCyrusUser(config, { keepBind: true })
  for (const name of ['socket', 'proc']) {
    try {
      mkdirSync(`${config.directory}/${name}`, { recursive: true, mode: 0o755 })
    } catch (error) {
      log.error(`cannot make ${config.directory}/${name}: ${(error as Error).message}`)
    }
  }
  const cores = `${config.directory}/cores`
  if (existsSync(cores)) process.chdir(cores)
  log.debug('process started')

  const reporting = new Reporting(config, () => supervisor.services(), log)
  const adopted = await runStartSection(conf.start, { cyrusConf: options.cyrusConf, output, log })
  const supervisor = new Supervisor({
    config,
    log,
    backlog: options.backlog,
    output,
    sweepsPerSecond: options.sweepsPerSecond,
    reread: () => withAdopted(reader(true, (message) => log.warning(message))(), adopted),
  })
  await supervisor.open(withAdopted(conf, adopted))
  const readyFile = new ReadyFile(
    options.readyFile ?? config.string('master_ready_file') ?? `${config.directory}/master.ready`,
  )
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    process.on(signal, () => {
      void supervisor.shutdown(signal).then(() => {
        reporting.stop()
        readyFile.remove()
        process.exit(Exit.Ok)
      })
    })
  }
  process.on('SIGHUP', () => void supervisor.reload())
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.error(`fatal: ${error instanceof Error ? error.stack : String(error)}`)
      void supervisor.shutdown('an error of its own').finally(() => process.exit(Exit.Software))
    })
  }
  process.on('SIGALRM', () => undefined)
  process.on('SIGPIPE', () => undefined)
  await supervisor.startWaiting()
  readyFile.create()
  pidFile.announce()
  log.notice('ready for work')
  supervisor.run(conf.events)
  void reporting.start()
  if (detach !== undefined) detach()
  else if (output === 'ignore' && !foreground) detachOutput()
  // Sockets, children and the poller come and go; only a signal ends master.
  setInterval(() => undefined, 2 ** 30)
}

/** What is to be said of `maxfds` that no process can have. */
function cappedLimits({ services, daemons }: MasterConf): string[] {
  const hard = Number(/^Max open files +\w+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  return [...services, ...daemons]
    .filter(({ maxfds }) => maxfds > hard)
    .map(({ name, maxfds }) => `${name}: maxfds=${maxfds} is more than the system allows; its processes get ${hard}`)
}

/** `-d`: the foreground half. @returns the exit status: 0 once the other half is ready for work */
async function becomeDaemon(pidPath: string): Promise<number> {
  const release = takeStartLock(pidPath)
  if (release === undefined) {
    process.stderr.write(`master: another master is just starting (${pidPath}.lock is locked)\n`)
    return Exit.TempFail
  }
  const status = await startInBackground({ ownSession: true })
  release()
  return status
}

/** What programs get as stdout and stderr; with -L master's own go there too. */
function childOutput(options: MasterOptions): ChildOutput {
  if (options.outputFile !== undefined) {
    const fd = openSync(options.outputFile, 'a', 0o600)
    if (!options.keepStdio) duplicateTo(fd, 1)
    return fd
  }
  return options.keepStdio ? 'inherit' : 'ignore'
}

exitWithoutThreads()
void main()
