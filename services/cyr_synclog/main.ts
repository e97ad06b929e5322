/** cyr_synclog: appends a line to the replication log by hand, for a change that the log has missed. */
import { Exit } from '../../lib/process/exit_status.js'
import { UsageError } from '../../lib/process/getopt.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore, syncLogLine } from '../../lib/store/store.js'

const USAGE = `usage: cyr_synclog [-C file] [-TYPE] value [value2]

  -C file  imapd.conf (/etc/imapd.conf)
  -u       USER: everything of a user          -U  UNUSER: a user who is gone
  -v       META: Sieve scripts, seen state and subscriptions of a user
  -m, -c   MAILBOX: a mailbox                  -M  UNMAILBOX: a mailbox that is gone
  -a       APPEND: a mailbox with new messages
  -q       QUOTA: a quota root                 -n  ANNOTATION: of a mailbox, by name
  -s       SEEN: user and mailbox uniqueid     -b  SUB: user and mailbox

  Mailboxes have internal names (user.alice). Without a type the value is a whole line.
`

const TYPES: Readonly<Record<string, string>> = {
  u: 'USER',
  U: 'UNUSER',
  v: 'META',
  m: 'MAILBOX',
  c: 'MAILBOX',
  M: 'UNMAILBOX',
  a: 'APPEND',
  q: 'QUOTA',
  n: 'ANNOTATION',
  s: 'SEEN',
  b: 'SUB',
}
const TWO_VALUES = new Set(['SEEN', 'SUB'])

/** As Cyrus: the type given last counts. */
function lineOf(letters: Iterable<string>, args: readonly string[]): string {
  const type = [...letters].reduce<string | undefined>((last, letter) => TYPES[letter] ?? last, undefined)
  const wanted = type !== undefined && TWO_VALUES.has(type) ? 2 : 1
  const values = args.slice(0, wanted)
  if (values.length < wanted || values.includes(''))
    throw new UsageError(`${wanted === 2 ? 'two values are' : 'a value is'} needed`)
  if (values.some((value) => /[\r\n]/.test(value))) throw new UsageError('a value holds a line end')
  return type === undefined ? values[0]! : syncLogLine(type, ...values)
}

await runTool(
  { program: 'cyr_synclog', usage: USAGE, letters: Object.keys(TYPES).join('') },
  ({ options, args }) => void lineOf(options.keys(), args),
  async ({ config, log, options, args }) => {
    const store = await MailStore.open(config, log)
    try {
      if (!config.switch('sync_log')) {
        process.stderr.write('cyr_synclog: nothing is written, since sync_log is off\n')
        process.exitCode = Exit.Config
        return
      }
      await store.write((txn) => txn.log(lineOf(options.keys(), args)))
    } finally {
      await store.close()
    }
  },
)
