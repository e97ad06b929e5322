/** unexpunge: lists and brings back messages that were expunged and are still on disk (docs/unexpunge.8.md). */
import { parseDuration } from '../../lib/config/values.js'
import { Namespace } from '../../lib/mailbox/names.js'
import { expungedMessages, restoreExpunged } from '../../lib/mailbox/unexpunge.js'
import { type ParsedOptions, UsageError } from '../../lib/process/getopt.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore, now } from '../../lib/store/store.js'
import { mimeSummary } from './summary.js'

const USAGE = `usage: unexpunge [-C imapd.conf] -l mailbox [uid...]
       unexpunge [-C imapd.conf] -t age [-d] [-v] [-f flag] mailbox
       unexpunge [-C imapd.conf] -a [-d] [-v] [-f flag] mailbox
       unexpunge [-C imapd.conf] -u [-d] [-v] [-f flag] mailbox uid...

Lists or brings back messages that were expunged and are still on disk.

  -l       list them
  -a       bring all back
  -t age   bring those back that were expunged within this time: seconds, or 30m, 24h, 2d, 1w
  -u       bring those of these UIDs back
  -d       take \\Deleted from them
  -f flag  give them a keyword
  -v       say which UIDs they get
  -C file  imapd.conf, /etc/imapd.conf unless given

docs/unexpunge.8.md tells more.
`

const MODES = ['l', 'a', 't', 'u']

function check({ options, args }: ParsedOptions): void {
  const modes = MODES.filter((letter) => options.has(letter))
  if (modes.length !== 1) throw new UsageError('exactly one of -l, -a, -t, -u is needed')
  if (args.length === 0) throw new UsageError('no mailbox given')
  const uids = args.slice(1)
  const wrong = uids.find((uid) => !/^[1-9]\d{0,9}$/.test(uid))
  if (wrong !== undefined) throw new UsageError(`"${wrong}" is no UID`)
  if (modes[0] === 'u' && uids.length === 0) throw new UsageError('-u needs UIDs')
  if ((modes[0] === 'a' || modes[0] === 't') && uids.length > 0) throw new UsageError('UIDs go with -l and -u only')
  if (options.has('t')) ageOf(String(options.get('t')))
  const flag = options.get('f')
  if (flag !== undefined && !/^[^\x00-\x20\x7f-\xff(){%*"\\\]]{1,255}$/.test(String(flag)))
    throw new UsageError(`"${flag}" is no keyword`)
}

/** Seconds. */
function ageOf(text: string): number {
  const weeks = /^(\d+)w$/i.exec(text)
  const seconds = weeks ? Number(weeks[1]) * 7 * 86400 : parseDuration(text, 's')
  if (seconds === undefined || seconds < 0)
    throw new UsageError(`-t: "${text}" is no time such as 90, 30m, 24h, 2d or 1w`)
  return seconds
}

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

await runTool(
  { program: 'unexpunge', usage: USAGE, letters: 'lat:udf:v' },
  check,
  async ({ config, log, options, args }) => {
    const store = await MailStore.open(config, log)
    try {
      const [external, ...words] = args as [string, ...string[]]
      const mailbox = store.mailbox(new Namespace(config, '', true).toInternal(external))
      if (mailbox === undefined) throw new Error(`${external}: no such mailbox`)
      const wanted = new Set(words.map(Number))
      const since = options.has('t') ? now() - ageOf(String(options.get('t'))) : 0
      const found = [...expungedMessages(store, mailbox)].filter(
        ({ uid, lastUpdated }) => (wanted.size === 0 || wanted.has(uid)) && lastUpdated >= since,
      )
      if (options.has('l')) {
        for (const record of found) {
          const summary = await mimeSummary(store, mailbox, record)
          print(
            [
              `UID: ${record.uid}`,
              `\tSize: ${record.size}`,
              `\tSent: ${timeText(record.sentdate)}`,
              `\tRecv: ${timeText(record.internaldate)}`,
              `\tExpg: ${timeText(record.lastUpdated)}`,
              ...summary.map(([name, value]) => `\t${name.padEnd(4)}: ${value}`),
              '',
            ].join('\n'),
          )
        }
        return
      }
      print(`restoring ${options.has('a') ? 'all ' : ''}expunged messages in mailbox '${external}'`)
      const flag = options.get('f')
      const restored = await restoreExpunged(
        store,
        mailbox,
        found.map(({ uid }) => uid),
        { undelete: options.has('d'), keyword: flag === undefined ? undefined : String(flag) },
      )
      if (options.has('v')) for (const [old, uid] of restored) print(`Unexpunged ${external}: ${old} => ${uid}`)
      print(`restored ${restored.length} expunged messages`)
      log.notice(`restored ${restored.length} expunged messages in mailbox '${external}'`)
      await store.settled()
    } finally {
      await store.close()
    }
  },
)

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toString().replace(/ \(.*\)$/, '')
}
