/** The work of sync_client: users or mailboxes when told, or rolling after the replication log (csync.md §11). */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Config } from '../../lib/config/config.js'
import { Namespace } from '../../lib/mailbox/names.js'
import { readyInBackground } from '../../lib/process/background.js'
import { Exit } from '../../lib/process/exit_status.js'
import { parseOptions } from '../../lib/process/getopt.js'
import type { Logger } from '../../lib/process/log.js'
import { watchMaster } from '../../lib/process/master_watch.js'
import { statisticsDirectory } from '../../lib/process/statistics_directory.js'
import { runTool } from '../../lib/process/tool.js'
import { MailStore } from '../../lib/store/store.js'
import {
  type AnySession,
  replicateLog,
  replicateMailboxes,
  replicateMeta,
  replicateUser,
  sessionWith,
} from '../../lib/sync/client/any_generation.js'
import { Connections } from '../../lib/sync/client/connections.js'
import { Peer } from '../../lib/sync/client/peer.js'
import { PeerGoneError } from '../../lib/sync/client/peer_errors.js'
import { roll } from '../../lib/sync/client/rolling.js'
import { freshStatus, StatusFile } from '../../lib/sync/client/status.js'
import { channelDuration, channelOption, channelSwitch, type Target, targetOf } from '../../lib/sync/client/target.js'
import { LogFiles } from '../../lib/sync/log_file.js'
import type { MailboxState } from '../../lib/sync/mailbox_codec.js'
import { ownerOf } from '../../lib/sync/names.js'
import { Knowledge } from '../../lib/sync/v23/client/session.js'
import { type CommandLine, LETTERS, readCommandLine, WORDS } from './modes.js'
import { showStatus } from './show_status.js'

const USAGE = `usage: sync_client [options] -u user... | -m mailbox... | -s user... | -A [prefix] | -r | -R | --status

  -u      users with all that is theirs           -s  their subscriptions and seen state only
  -m      mailboxes, by external names            -A  all users and shared mailboxes
  -r      rolling replication, in the background  -R  the same in the foreground
  --status  how rolling replication stands

  -C file       imapd.conf (/etc/imapd.conf)
  -S server     host, host:port, or the path of a socket; sync_host otherwise
  -n channel    channel: its log, and its options CHANNEL_sync_...
  -f file       names to do, one a line; with -r, -R: a log to do once
  -1            rolling: one round, then end
  -d seconds    rolling: least time between rounds (sync_repeat_interval)
  -t seconds    rolling: a new connection after this time (600); 0 never
  -F file       rolling: end when this file appears (sync_shutdown_file)
  -w seconds    wait before starting
  -v            tell each command; -v -v: the conversation
  -l            log each command
  -o            try to connect only once
  -O            take nothing back from the replica
  -p partition  put mailboxes on this partition of the replica
  -L            LOCAL_ commands
  -N            accepted
  -z            fail without compression
`

const FIRST_PAUSE = 100

class Client {
  readonly #stopping = new AbortController()
  readonly target: Target
  #failed = false
  /** what all connections know of the replica */
  readonly known = new Map<string, MailboxState>()
  /** as `known`, of a replica of the 2.3 generation */
  readonly knowledge = new Knowledge()
  /** counts what all connections have sent */
  sent = { messages: 0, bytes: 0 }

  constructor(
    readonly config: Config,
    readonly log: Logger,
    readonly line: CommandLine,
    readonly store: MailStore,
    target: Target,
  ) {
    this.target = target
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => this.stop())
  }

  stop(): void {
    this.#stopping.abort()
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** One attempt. @throws {PeerGoneError} */
  async connect(): Promise<AnySession> {
    const { line, log } = this
    const trace = (direction: '>' | '<', bytes: Buffer): void => {
      process.stderr.write(`${direction}${Math.floor(Date.now() / 1000)}${direction}${bytes.toString('latin1')}`)
    }
    const tell = (text: string): void => {
      if (line.verbosity > 0) process.stdout.write(`${text}\n`)
      if (line.logCommands) log.info(text)
    }
    const peer = await Peer.open(this.target, {
      force: line.noCopyback,
      requireCompression: line.requireCompression,
      compress: channelSwitch(this.config, line.channel, 'sync_compress') ?? false,
      trace: line.verbosity > 1 ? trace : undefined,
    })
    const { noCopyback, localOnly, partition } = line
    const { known, knowledge, sent } = this
    peer.onClose(() => {
      known.clear()
      knowledge.clear()
    })
    return sessionWith(peer, this.store, log, { tell, noCopyback, localOnly, partition, known, knowledge, sent })
  }

  /** As `connect`, again and again with growing pauses, unless -o. */
  async connectPatiently(): Promise<AnySession> {
    for (let wait = FIRST_PAUSE; ; wait *= 2) {
      try {
        return await this.connect()
      } catch (error) {
        if (
          !(error instanceof PeerGoneError) ||
          this.line.connectOnce ||
          this.line.requireCompression ||
          this.stopping.aborted
        )
          throw error
        const longest = longestPause(this.config, this.line.channel)
        if (longest > 0) wait = Math.min(wait, longest)
        const server = this.target.host
        process.stderr.write(
          `Can not connect to server '${server}', retrying in ${wait / 1000} seconds: ${error.message}\n`,
        )
        this.log.error(`Can not connect to server '${server}', retrying in ${wait / 1000} seconds: ${error.message}`)
        await pause(wait, undefined, { signal: this.stopping }).catch(() => {})
        if (this.stopping.aborted) throw error
      }
    }
  }

  /**
   * Does items, each with its own failure, several side by side if there are many; one during which the connection is lost gets a second chance
   * on a new one.
   */
  async each(items: Iterable<Item>): Promise<void> {
    const connections = new Connections({
      connect: () => this.connectPatiently(),
      most: this.config.int('sync_parallel'),
      lifetime: 0,
    })
    const queue = [...items]
    const lostOnce = new Set<Item>()
    const fail = (what: string, error: unknown): void => {
      this.#failed = true
      this.log.error(`SYNCERROR: ${what}: ${(error as Error).message}`)
      // with -v the log goes to stderr already
      if (this.line.verbosity === 0) process.stderr.write(`sync_client: ${what}: ${(error as Error).message}\n`)
    }
    const work = async (session: AnySession, item: Item): Promise<void> => {
      const [what, replicate] = item
      if (this.stopping.aborted) return
      try {
        await replicate(session)
        await session.restart()
      } catch (error) {
        if (!(error instanceof PeerGoneError)) fail(what, error)
        else if (lostOnce.has(item) || this.line.connectOnce) fail(what, error)
        if (error instanceof PeerGoneError || session.peer.closed) throw error
      }
    }
    const giveUp = (item: Item): boolean => {
      const again = !lostOnce.has(item) && !this.line.connectOnce
      lostOnce.add(item)
      return !again
    }
    while (queue.length > 0 && !this.stopping.aborted) {
      const before = lostOnce.size
      try {
        await connections.share(queue, work, giveUp)
      } catch (error) {
        // without a connection there is nothing to go on with; with one lost in the middle of an item, there is
        if (!(error instanceof PeerGoneError) || lostOnce.size === before) throw error
      }
    }
    await connections.end()
  }

  get failed(): boolean {
    return this.#failed || this.stopping.aborted
  }
}

/** What is to be replicated: what it is called in messages, and the work. */
type Item = readonly [what: string, work: (session: AnySession) => Promise<void>]

/** Milliseconds. */
function longestPause(config: Config, channel: string): number {
  return (
    (channelDuration(config, channel, 'sync_reconnect_maxwait') ?? config.duration('sync_reconnect_maxwait')) * 1000
  )
}

function* items(client: Client): Generator<Item> {
  const { line, store, config } = client
  const names = [...line.names, ...(line.inputFile === undefined ? [] : namesIn(line.inputFile))]
  const admin = new Namespace(config, '', true)
  switch (line.mode) {
    case 'user':
      for (const user of names) yield [`user ${user}`, (session) => replicateUser(session, user)]
      break
    case 'meta':
      for (const user of names) yield [`meta of ${user}`, (session) => replicateMeta(session, user)]
      break
    case 'mailbox': {
      const internal = names.map((name) => admin.toInternal(name))
      yield [`mailboxes ${names.join(' ')}`, (session) => replicateMailboxes(session, internal)]
      break
    }
    case 'all': {
      const prefix = line.names[0] ?? ''
      const users = new Set<string>()
      const shared: string[] = []
      for (const { name } of store.mailboxes('')) {
        const owner = ownerOf(name)
        if (!(owner || name).startsWith(prefix)) continue
        if (owner === '') shared.push(name)
        else users.add(owner)
      }
      for (const user of users) yield [`user ${user}`, (session) => replicateUser(session, user)]
      for (const name of shared) yield [`mailbox ${name}`, (session) => replicateMailboxes(session, [name])]
    }
  }
}

function namesIn(path: string): string[] {
  return linesOf(path)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8').split('\n')
  } catch (error) {
    throw new Error(`${path}: cannot be read: ${(error as NodeJS.ErrnoException).code ?? error}`)
  }
}

async function rollingWork(client: Client, ready: (() => void) | undefined): Promise<void> {
  const { config, log, line } = client
  const files = new LogFiles(config.directory, line.channel)
  const channel = line.channel === '' ? 'the default channel' : `channel ${line.channel}`
  ready?.()
  watchMaster(() => {
    log.notice('master is gone; leaving')
    client.stop()
  })
  if (!(await files.claim())) {
    log.warning(`another sync_client works on ${channel}; waiting for it to end`)
    client.stopping.addEventListener('abort', () => process.exit(Exit.Ok))
    await files.waitForClaim()
  }
  const { host, port, unix } = client.target
  const status = freshStatus(line.channel, unix ? host : `${host}:${port}`)
  client.sent = status
  const interval = line.interval ?? channelDuration(config, line.channel, 'sync_repeat_interval') ?? 0
  await roll({
    files,
    log,
    connect: () => client.connect(),
    parallel: config.int('sync_parallel'),
    interval: interval * 1000,
    lifetime: line.lifetime * 1000,
    longestPause: longestPause(config, line.channel),
    once: line.once,
    shutdownFile: line.shutdownFile ?? channelOption(config, line.channel, 'sync_shutdown_file'),
    stopping: client.stopping,
    status: new StatusFile(statisticsDirectory(config), status, log),
  })
}

/** `-r -f FILE`: a log done once, not renamed, not removed. */
async function logFileWork(client: Client, path: string): Promise<boolean> {
  const lines = linesOf(path)
  client.log.notice('Reprocessing sync log file')
  const session = await client.connectPatiently()
  const failed = await replicateLog(session, lines, () => client.stopping.aborted)
  for (const item of failed) process.stderr.write(`sync_client: not done: ${item}\n`)
  await session.peer.exit()
  return failed.length === 0
}

/** Does what the command line says, and ends the process. */
export async function run(): Promise<never> {
  const ready = readyInBackground()
  await runTool(
    { program: 'sync_client', usage: USAGE, letters: LETTERS, words: WORDS },
    (parsed) => void readCommandLine(parsed),
    async ({ config, log }) => {
      const line = readCommandLine(parseOptions(`C:${LETTERS}`, process.argv.slice(2), WORDS))
      if (line.mode === 'status') {
        process.exitCode = (await showStatus(config, line.channel)) ? Exit.Ok : 1
        return
      }
      if (line.wait > 0) await pause(line.wait * 1000)
      const target = targetOf(config, line.channel, line.server)
      if (target === undefined) {
        process.stderr.write('sync_client: no replica is named: set sync_host in imapd.conf or give -S\n')
        process.exitCode = Exit.Software
        return
      }
      const store = await MailStore.open(config, log)
      const client = new Client(config, log, line, store, target)
      let good = true
      try {
        if (line.mode !== 'rolling') {
          await client.each(items(client))
          good = !client.failed
        } else if (line.inputFile !== undefined) {
          good = await logFileWork(client, line.inputFile)
        } else {
          await rollingWork(client, ready)
        }
      } catch (error) {
        good = line.mode === 'rolling' && line.inputFile === undefined && error instanceof PeerGoneError
        if (line.verbosity === 0) process.stderr.write(`sync_client: ${(error as Error).message}\n`)
        log.error((error as Error).message)
      }
      await store.close()
      process.exitCode = good ? Exit.Ok : 1
    },
  )
  // watchers and timers of libraries must not keep an ended client alive
  process.exit(process.exitCode)
}
