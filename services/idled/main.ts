/**
 * The program `idled`. Cyrus' idled carries change notices between processes over a UNIX datagram socket, `idlesocket`. Our processes tell
 * each other of changes by themselves (lib/store's feed), so ours only holds the socket's place: a cyrus.conf written for Cyrus runs as it
 * is, and programs that look for the socket find it. What is sent there is read and dropped.
 */
import { rmSync } from 'node:fs'
import { Config, ConfigError } from '../../lib/config/config.js'
import { exitWithoutThreads, setNonBlocking } from '../../lib/os/fd.js'
import { Poller } from '../../lib/os/poll.js'
import { drainDatagrams, listenSocket, SystemError } from '../../lib/os/socket.js'
import { inBackground, readyInBackground, startInBackground } from '../../lib/process/background.js'
import { becomeCyrusUser, NoSuchUserError } from '../../lib/process/cyrus_user.js'
import { Exit } from '../../lib/process/exit_status.js'
import { parseOptions, UsageError } from '../../lib/process/getopt.js'
import { openLog } from '../../lib/process/log.js'

const USAGE = `usage: idled [-C file] [-d]

  -C file   imapd.conf (/etc/imapd.conf)
  -d        stay in the foreground, as a DAEMON entry of cyrus.conf does
`

async function main(): Promise<void> {
  const { options, args } = parseOptions('C:d', process.argv.slice(2))
  if (args.length > 0) throw new UsageError(`unexpected argument "${args[0]}"`)
  if (options.has('help')) {
    process.stdout.write(USAGE)
    return
  }
  const warnings: string[] = []
  const path = String(options.get('C') ?? '/etc/imapd.conf')
  const config = Config.load(path, { service: 'idled', warn: (message) => warnings.push(message) })
  const log = openLog({ config, service: 'idled', foreground: process.stderr.isTTY === true })
  // In master's process group, so that it ends with master when it is a START entry.
  if (!options.has('d') && !inBackground()) process.exit(await startInBackground({ ownSession: false }))
  const ready = readyInBackground()
  for (const warning of warnings) log.warning(warning)
  becomeCyrusUser(config)
  process.title = 'idled'
  const socketPath = config.string('idlesocket') || `${config.directory}/socket/idle`
  const fd = listenSocket({ family: 'unix', path: socketPath }, { datagram: true })
  setNonBlocking(fd, true)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) {
    process.on(signal, () => {
      rmSync(socketPath, { force: true })
      process.exit(Exit.Ok)
    })
  }
  process.on('SIGHUP', () => log.debug('SIGHUP: nothing to be read again'))
  ready?.()
  log.debug(`holding ${socketPath}`)
  const poller = new Poller()
  for (;;) {
    await poller.wait([fd])
    drainDatagrams(fd)
  }
}

exitWithoutThreads()
main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`idled: ${message}\n`)
  if (error instanceof UsageError) process.exit(Exit.Usage)
  if (error instanceof ConfigError) process.exit(Exit.Config)
  if (error instanceof NoSuchUserError) process.exit(Exit.NoService)
  process.exit(error instanceof SystemError ? Exit.OsError : Exit.Software)
})
