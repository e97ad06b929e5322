/** The program `cyr_info`: who is connected, and what the configuration says. Reads only. */
import { existsSync } from 'node:fs'
import { Config } from '../../lib/config/config.js'
import { readCyrusConf } from '../../lib/config/cyrus_conf.js'
import { UsageError } from '../../lib/process/getopt.js'
import { procDirectory } from '../../lib/process/proc_entry.js'
import { connectedNow } from '../../lib/process/proc_list.js'
import { runTool } from '../../lib/process/tool.js'
import { cyrusVersion } from '../../lib/process/version.js'
import { changedOptions, defaultOptions, effectiveOptions, unknownOptions } from './options.js'

const USAGE = `usage: cyr_info [-C imapd.conf] [-M cyrus.conf] [-n service] command

  -C file     imapd.conf (/etc/imapd.conf)
  -M file     cyrus.conf (/etc/cyrus.conf), for the names of services
  -n service  show the configuration as that service has it

Commands:
  proc          every open connection: process, service, client, user, mailbox, command
  conf          options that are not at their defaults
  conf-all      all options
  conf-default  all options with their defaults
  conf-lint     options that nobody knows
  version       the version
`

const COMMANDS = ['proc', 'conf', 'conf-all', 'conf-default', 'conf-lint', 'version']

const print = (lines: readonly string[]): void => {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
}

if (process.argv.at(-1) === 'version') print([`cyrus-imapd ${cyrusVersion()}`])
else {
  void runTool(
    { program: 'cyr_info', usage: USAGE, letters: 'M:n:' },
    ({ args }) => {
      if (args.length !== 1) throw new UsageError('one command is needed; try cyr_info --help')
      if (!COMMANDS.includes(args[0]!)) throw new UsageError(`unknown command "${args[0]}"; try cyr_info --help`)
    },
    async ({ config, log, options, args: [command] }) => {
      const service = options.get('n')
      const asked = service === undefined ? config : Config.load(config.path, { service: String(service) })
      if (command === 'proc') {
        // as Cyrus prints it: a blank for each field, though it be empty
        const connected = connectedNow(procDirectory(config), (message) => log.error(message))
        print(connected.map((c) => [c.pid, c.service, c.client, c.user, c.mailbox, c.command].join(' ')))
      } else if (command === 'conf') print(changedOptions(asked))
      else if (command === 'conf-all') print(effectiveOptions(asked))
      else if (command === 'conf-default') print(defaultOptions())
      else print(unknownOptions(config, serviceNames(String(options.get('M') ?? '/etc/cyrus.conf'))))
    },
  )
}

/** Names that may stand before an option; none without a cyrus.conf. */
function serviceNames(path: string): string[] {
  if (!existsSync(path)) return []
  const { sections } = readCyrusConf(path, () => undefined)
  return [...sections.values()].flat().map(({ name }) => name)
}
