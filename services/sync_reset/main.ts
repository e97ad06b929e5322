/**
 * sync_reset: takes a user off this server altogether, without a trace that replication would carry on, so that `sync_client -u` from the
 * other side makes the user anew.
 */
import { forgetUser } from '../../lib/mailbox/folders.js'
import { UsageError } from '../../lib/process/getopt.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore } from '../../lib/store/store.js'
import { deletedOf, inboxOf, isMailboxName, ownerOf } from '../../lib/sync/names.js'
import { SyncLock } from '../../lib/sync/v23/server/lock.js'

const USAGE = `usage: sync_reset [-C file] [-v] [-L] -f user...

  -C file  imapd.conf (/etc/imapd.conf)
  -f       really do it: all mailboxes of these users, deleted ones too, with all messages
  -v       tell what is removed
  -L       accepted
`

/** @returns whether there was anything of the user */
async function reset(store: MailStore, userid: string, tell: (what: string) => void): Promise<boolean> {
  const removed = await store.write((txn) => {
    const names: string[] = []
    for (const writer of [...txn.mailboxes(inboxOf(userid)), ...txn.mailboxes(deletedOf(userid))]) {
      if (writer.header.mbtype.includes('i')) continue
      names.push(writer.header.name)
      txn.remove(writer, { tombstone: false })
    }
    forgetUser(txn, userid)
    return names
  })
  for (const name of removed) tell(name)
  return removed.length > 0
}

await runTool(
  { program: 'sync_reset', usage: USAGE, letters: 'fvL' },
  ({ options, args }) => {
    if (!options.has('f')) throw new UsageError('-f is needed, for safety')
    if (args.length === 0) throw new UsageError('no users given')
    for (const user of args)
      if (!isMailboxName(inboxOf(user)) || ownerOf(inboxOf(user)) !== user) throw new UsageError(`"${user}" is no user`)
  },
  async ({ config, log, options, args }) => {
    const store = await MailStore.open(config, log)
    const tell = (what: string): void => {
      if (options.has('v')) process.stdout.write(`${what}\n`)
    }
    // a client of the 2.3 generation works under this lock
    const lock = new SyncLock(config.directory)
    await lock.lock()
    try {
      for (const user of args) {
        if (await reset(store, user, tell)) log.notice(`reset user ${user}`)
        else {
          process.stderr.write(`sync_reset: ${user}: there is nothing of this user\n`)
          process.exitCode = 1
        }
      }
      await store.settled()
    } finally {
      lock.clear()
      await store.close()
    }
  },
)
