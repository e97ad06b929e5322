/** sync_check: says whether a replica is the same as this server, and if not, in what. Changes nothing on either side. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../../lib/config/config.js'
import { Namespace } from '../../lib/mailbox/names.js'
import { Exit } from '../../lib/process/exit_status.js'
import { UsageError } from '../../lib/process/getopt.js'
import type { Logger } from '../../lib/process/log.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore } from '../../lib/store/store.js'
import { type CheckOptions, checkMailboxes, checkUser, type Difference } from '../../lib/sync/client/check.js'
import { Peer } from '../../lib/sync/client/peer.js'
import { PeerGoneError } from '../../lib/sync/client/peer_errors.js'
import { ClientSession } from '../../lib/sync/client/session.js'
import { targetOf } from '../../lib/sync/client/target.js'
import { ownerOf } from '../../lib/sync/names.js'

const USAGE = `usage: sync_check [options] [user... | -m mailbox...]

  without names: every user and every shared mailbox of this server

  -C file     imapd.conf (/etc/imapd.conf)
  -S server   host, host:port, or the path of a socket; sync_host otherwise
  -n channel  the replica of this channel
  -m          mailboxes, by external names
  -b          read every message on both sides, and compare its bytes with its GUID
  -w seconds  what differs is looked at again after this time, and only told if it still does (1); 0 tells at once
  -v          tell what is compared
`

/** Differences are looked at so often, since mail may be on its way. */
const LOOKS = 3

/** One unit of the comparison. */
interface Item {
  readonly what: string
  readonly messages: number
  readonly check: (session: ClientSession, options: CheckOptions) => Promise<Difference[]>
}

function itemsOf(config: Config, store: MailStore, names: readonly string[], mailboxes: boolean): Item[] {
  if (mailboxes) {
    const admin = new Namespace(config, '', true)
    return names.map((name) => mailboxItem(store, admin.toInternal(name)))
  }
  const users = new Map<string, number>(names.map((name) => [name, 0]))
  const shared: Item[] = []
  for (const { name, exists } of store.mailboxes('')) {
    const owner = ownerOf(name)
    if (owner !== '' && (names.length === 0 || users.has(owner))) users.set(owner, (users.get(owner) ?? 0) + exists)
    else if (owner === '' && names.length === 0) shared.push(mailboxItem(store, name))
  }
  return [
    ...[...users].map(([user, messages]) => ({
      what: `user ${user}`,
      messages,
      check: (session: ClientSession, options: CheckOptions) => checkUser(session, user, options),
    })),
    ...shared,
  ]
}

function mailboxItem(store: MailStore, name: string): Item {
  return {
    what: name,
    messages: store.mailbox(name)?.exists ?? 0,
    check: (session, options) => checkMailboxes(session, [name], options),
  }
}

/** A bar on a terminal; nothing in a pipe. */
function progressBar(total: number): { add: (messages: number) => void; end: () => void } {
  if (!process.stderr.isTTY) return { add: () => {}, end: () => {} }
  let done = 0
  let shown = 0
  const show = (): void => {
    const share = total === 0 ? 1 : Math.min(done / total, 1)
    const width = Math.round(share * 40)
    process.stderr.write(`\r[${'#'.repeat(width)}${' '.repeat(40 - width)}] ${done} of ${total} messages`)
  }
  return {
    add: (messages) => {
      done += messages
      if (Date.now() - shown < 100) return
      shown = Date.now()
      show()
    },
    end: () => process.stderr.write('\r\x1b[K'),
  }
}

async function check(
  { config, log }: { config: Config; log: Logger },
  store: MailStore,
  { items, peer, bytes, wait, verbose }: { items: Item[]; peer: Peer; bytes: boolean; wait: number; verbose: boolean },
): Promise<number> {
  const tell = (): void => {}
  const options = { tell, noCopyback: true, localOnly: false, partition: undefined }
  const session = new ClientSession(store, peer, log, options)
  const bar = progressBar(items.reduce((sum, { messages }) => sum + messages, 0))
  let differing: { item: Item; found: Difference[] }[] = []
  for (const item of items) {
    if (verbose) process.stdout.write(`${item.what}\n`)
    const found = await item.check(session, { bytes, progress: bar.add })
    if (found.length > 0) differing.push({ item, found })
  }
  bar.end()
  for (let look = 1; wait > 0 && look < LOOKS && differing.length > 0; look++) {
    await pause(wait * 1000)
    const still: typeof differing = []
    for (const { item } of differing) {
      const found = await item.check(session, { bytes })
      if (found.length > 0) still.push({ item, found })
    }
    differing = still
  }
  const all = differing.flatMap(({ found }) => found)
  for (const { where, what } of all) process.stdout.write(`${where}: ${what}\n`)
  const server = config.string('servername') ?? 'this server'
  process.stdout.write(
    all.length === 0
      ? `the replica is the same as ${server}: ${items.length} users and shared mailboxes\n`
      : `${all.length} differences in ${differing.length} of ${items.length} users and shared mailboxes\n`,
  )
  return all.length
}

await runTool(
  { program: 'sync_check', usage: USAGE, letters: 'S:n:mbw:v' },
  ({ options, args }) => {
    if (options.has('m') && args.length === 0) throw new UsageError('no mailboxes given')
    const wait = options.get('w')
    if (wait !== undefined && !/^\d+(?:\.\d+)?$/.test(String(wait))) throw new UsageError(`-w: "${wait}" is no number`)
  },
  async ({ config, log, options, args }) => {
    const server = options.get('S') as string | undefined
    const target = targetOf(config, String(options.get('n') ?? ''), server)
    if (target === undefined) {
      process.stderr.write('sync_check: no replica is named: set sync_host in imapd.conf or give -S\n')
      process.exitCode = Exit.Software
      return
    }
    const store = await MailStore.open(config, log)
    try {
      const peer = await Peer.open(target)
      if (peer.release !== undefined) {
        await peer.handOver().exit()
        throw new PeerGoneError(`the replica is of ${peer.release.name}, which cannot be asked what it has`)
      }
      try {
        const differences = await check({ config, log }, store, {
          items: itemsOf(config, store, args, options.has('m')),
          peer,
          bytes: options.has('b'),
          wait: Number(options.get('w') ?? 1),
          verbose: options.has('v'),
        })
        if (differences > 0) process.exitCode = 1
      } finally {
        await peer.exit()
      }
    } finally {
      await store.close()
    }
  },
)
