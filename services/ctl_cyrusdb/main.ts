/**
 * The program `ctl_cyrusdb`: what START and EVENTS entries run to mend (-r) and to checkpoint (-c) the databases. Our store mends itself whenever
 * it is opened and every commit of it is durable; so -r does that now, before anything is served, and -c makes sure that the store opens
 * and that what is committed is on disk.
 */
import { Config, ConfigError } from '../../lib/config/config.js'
import { becomeCyrusUser, NoSuchUserError } from '../../lib/process/cyrus_user.js'
import { Exit } from '../../lib/process/exit_status.js'
import { parseOptions, UsageError } from '../../lib/process/getopt.js'
import { openLog } from '../../lib/process/log.js'
import { MailStore } from '../../lib/store/store.js'

const USAGE = `usage: ctl_cyrusdb [-C file] [-v] [-x] -r | -c

  -C file   imapd.conf (/etc/imapd.conf)
  -r        recover: finish what programs that were killed have left undone
  -c        checkpoint: see to it that everything committed is on disk
  -x        taken for Cyrus' sake: only recover or checkpoint, do not clean up
  -v        say what was done
`

async function main(): Promise<void> {
  const { options, args } = parseOptions('C:rcvx', process.argv.slice(2))
  if (options.has('help')) {
    process.stdout.write(USAGE)
    return
  }
  if (args.length > 0) throw new UsageError(`unexpected argument "${args[0]}"`)
  if (options.has('r') === options.has('c')) throw new UsageError('one of -r and -c is needed')
  const warnings: string[] = []
  const path = String(options.get('C') ?? '/etc/imapd.conf')
  const config = Config.load(path, { warn: (message) => warnings.push(message) })
  const verbose = options.has('v')
  const log = openLog({ config, service: 'ctl_cyrusdb', foreground: verbose })
  for (const warning of warnings) log.warning(warning)
  becomeCyrusUser(config)
  process.umask(0o077)
  log.notice(options.has('r') ? 'recovering cyrus databases' : 'checkpointing cyrus databases')
  // Opening recovers; writing nothing still waits for all earlier commits to be on disk.
  const store = await MailStore.open(config, log)
  try {
    if (options.has('c')) await store.write(() => undefined)
    await store.settled()
  } finally {
    await store.close()
  }
  log.notice(options.has('r') ? 'done recovering cyrus databases' : 'done checkpointing cyrus databases')
}

main().catch((error: unknown) => {
  process.stderr.write(`ctl_cyrusdb: ${error instanceof Error ? error.message : String(error)}\n`)
  if (error instanceof UsageError) process.exit(Exit.Usage)
  if (error instanceof ConfigError) process.exit(Exit.Config)
  process.exit(error instanceof NoSuchUserError ? Exit.NoService : Exit.OsError)
})
