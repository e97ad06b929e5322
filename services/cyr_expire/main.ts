/**
 * The program `cyr_expire`: gives back the space of messages expunged and mailboxes deleted some days ago. Run by an EVENTS entry.
 * Duplicate suppression, for which Cyrus' -E cleans up, has no database here; -E is accepted, so that an EVENTS entry made for Cyrus runs.
 */
import { parseDuration } from '../../lib/config/values.js'
import { expireDeleted, expireExpunged } from '../../lib/mailbox/expire.js'
import { inboxOf, Namespace } from '../../lib/mailbox/names.js'
import { type ParsedOptions, UsageError } from '../../lib/process/getopt.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore, now } from '../../lib/store/store.js'

const USAGE = `usage: cyr_expire [-C file] [-X age] [-D age] [-E age] [-u user | -p mailbox] [-v]

  -C file     imapd.conf (/etc/imapd.conf)
  -X age      remove messages expunged longer ago than this
  -D age      remove mailboxes deleted longer ago than this
  -E age      taken for Cyrus' sake; there is nothing to do for it
  -u user     only this user's mailboxes
  -p mailbox  only mailboxes at and below this one
  -v          say what was done

  An age is a number of days, or has units: 3, 36h, 1d12h. One of -X, -D, -E is needed.
`

/** @returns seconds; undefined if the option is not there */
function ageOf(options: ParsedOptions['options'], letter: string): number | undefined {
  const text = options.get(letter)
  if (text === undefined) return undefined
  const seconds = parseDuration(String(text), 'd')
  if (seconds === undefined || seconds < 0)
    throw new UsageError(`-${letter}: "${text}" is no age such as 3, 36h or 1d12h`)
  return seconds
}

function check({ options, args }: ParsedOptions): void {
  if (args.length > 0) throw new UsageError(`unexpected argument "${args[0]}"`)
  if (!['X', 'D', 'E'].some((letter) => options.has(letter))) throw new UsageError('one of -X, -D, -E is needed')
  if (options.has('u') && options.has('p')) throw new UsageError('-u and -p exclude each other')
  for (const letter of ['X', 'D', 'E']) ageOf(options, letter)
}

await runTool(
  { program: 'cyr_expire', usage: USAGE, letters: 'X:D:E:u:p:v' },
  check,
  async ({ config, log, options }) => {
    const store = await MailStore.open(config, log)
    try {
      const user = options.get('u')
      const mailbox = options.get('p')
      const admin = new Namespace(config, '', true)
      const prefix =
        user !== undefined ? inboxOf(String(user)) : mailbox !== undefined ? admin.toInternal(String(mailbox)) : ''
      const [expunged, deleted] = [ageOf(options, 'X'), ageOf(options, 'D')]
      let messages = 0
      if (expunged !== undefined) {
        for (const header of store.mailboxes(prefix)) messages += await expireExpunged(store, header, now() - expunged)
      }
      const names = deleted === undefined ? [] : await expireDeleted(store, prefix, now() - deleted)
      for (const name of names) log.info(`removed ${name}`)
      log.notice(`Expunged ${messages} messages, removed ${names.length} deleted mailboxes`)
      await store.settled()
    } finally {
      await store.close()
    }
  },
)
