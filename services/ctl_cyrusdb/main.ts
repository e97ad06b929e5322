/**
 * The program `ctl_cyrusdb`: what START and EVENTS entries run to mend (-r) and to checkpoint (-c) the databases. Our store mends itself whenever
 * it is opened and every commit of it is durable; so -r does that now, before anything is served, and -c makes sure that the store opens
 * and that what is committed is on disk.
 */
import { UsageError } from '../../lib/process/getopt.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore } from '../../lib/store/store.js'

const USAGE = `usage: ctl_cyrusdb [-C file] [-v] [-x] -r | -c

  -C file   imapd.conf (/etc/imapd.conf)
  -r        recover: finish what programs that were killed have left undone
  -c        checkpoint: see to it that everything committed is on disk
  -x        taken for Cyrus' sake: only recover or checkpoint, do not clean up
  -v        say what was done
`

await runTool(
  { program: 'ctl_cyrusdb', usage: USAGE, letters: 'rcvx' },
  ({ options, args }) => {
    if (args.length > 0) throw new UsageError(`unexpected argument "${args[0]}"`)
    if (options.has('r') === options.has('c')) throw new UsageError('one of -r and -c is needed')
  },
  async ({ config, log, options }) => {
    const what = options.has('r') ? 'recovering' : 'checkpointing'
    log.notice(`${what} cyrus databases`)
    // Opening recovers; writing nothing still waits for all earlier commits to be on disk.
    const store = await MailStore.open(config, log)
    try {
      if (options.has('c')) await store.write(() => undefined)
      await store.settled()
    } finally {
      await store.close()
    }
    log.notice(`done ${what} cyrus databases`)
  },
)
