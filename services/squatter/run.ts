/** The work of squatter: which mailboxes, one after the other, and what is told of them. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { inboxOf, Namespace } from '../../lib/mailbox/names.js'
import { indexMailbox } from '../../lib/mailbox/search_index.js'
import { readyInBackground } from '../../lib/process/background.js'
import { Exit } from '../../lib/process/exit_status.js'
import { parseOptions } from '../../lib/process/getopt.js'
import type { Logger } from '../../lib/process/log.js'
import { runTool, type ToolContext } from '../../lib/process/tool.js'
import { type MailboxHeader, MailStore, VENDOR } from '../../lib/store/store.js'
import { type CommandLine, LETTERS, readCommandLine } from './command_line.js'
import { namesInLog } from './log_names.js'
import { roll } from './rolling.js'

const USAGE = `usage: squatter [options] [mailbox...]
       squatter [options] -u user...
       squatter [options] -R [-n channel] [-d]
       squatter [options] -f synclogfile

Brings search indexes up to date: of all mailboxes, of those named, or of those of users.

  -C file     imapd.conf (/etc/imapd.conf)
  -r          with the mailboxes below those named
  -u          the names are users
  -R          rolling, in the background: whatever the log of a channel names
  -d          with -R: in the foreground
  -n channel  with -R: the channel (squatter)
  -f file     the mailboxes that a replication log names, once
  -a          only mailboxes with the annotation /vendor/cmu/cyrus-imapd/squat, their own or one above them
  -N name     only mailboxes whose name begins with this
  -S seconds  pause after each mailbox
  -v          tell of each mailbox
  -i, -s seconds, -Z  accepted: an index is always brought up to date, never made twice
`

/** What a run needs to know to index a mailbox. */
export class Squatter {
  readonly #stopping = new AbortController()

  constructor(
    readonly store: MailStore,
    readonly log: Logger,
    readonly line: CommandLine,
    private readonly admin: Namespace,
  ) {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => this.stop())
  }

  stop(): void {
    this.#stopping.abort()
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  /** Indexes a mailbox. @returns false if another process is at it */
  async index(mailbox: MailboxHeader): Promise<boolean> {
    const { log, stopping, line } = this
    const name = this.admin.toExternal(mailbox.name)
    if (!mailbox.name.startsWith(line.prefix) && !name.startsWith(line.prefix)) return true
    if (line.annotated && !isAnnotated(this.store, mailbox.name)) return true
    const progress = process.stderr.isTTY ? terminalProgress(name) : undefined
    const done = await indexMailbox(this.store, mailbox, { stopping, ...(progress && { progress }) })
    if (done === undefined) {
      log.info(`${name}: another process is filling its index`)
      return false
    }
    if (done.added > 0 || line.verbose) log.info(`${name}: ${done.added} messages added, ${done.covered} in the index`)
    if (line.pause > 0 && !stopping.aborted) await sleep(line.pause, undefined, { signal: stopping }).catch(() => {})
    return true
  }

  /** Indexes several; what fails is told, and holds up no other. @returns whether all was well */
  async indexAll(mailboxes: Iterable<MailboxHeader>): Promise<boolean> {
    let good = true
    for (const mailbox of mailboxes) {
      if (this.stopping.aborted) return false
      try {
        await this.index(mailbox)
      } catch (error) {
        good = false
        this.complain(`${this.admin.toExternal(mailbox.name)}: ${(error as Error).message}`)
      }
    }
    return good
  }

  complain(message: string): void {
    this.log.error(message)
    // with -v the log goes to stderr already
    if (!this.line.verbose) process.stderr.write(`squatter: ${message}\n`)
  }

  /** The mailboxes that the command line names. A name that is none makes `missing` be called. */
  *wanted(missing: (name: string) => void): Iterable<MailboxHeader> {
    const { names, mode, recursive } = this.line
    if (names.length === 0) yield* this.store.mailboxes()
    for (const name of names) {
      const internal = mode === 'users' ? inboxOf(name) : this.admin.toInternal(name)
      const own = this.store.mailbox(internal)
      const found = recursive || mode === 'users' ? [...this.store.mailboxes(internal)] : own ? [own] : []
      if (found.length === 0) missing(name)
      yield* found
    }
  }
}

/** A line that is written over, on a terminal. */
function terminalProgress(name: string): (done: number, of: number) => void {
  let told = 0
  return (done, of) => {
    if (done < of && performance.now() - told < 200) return
    told = performance.now()
    process.stderr.write(`\r${name}: ${done} of ${of}${done === of ? '\n' : ''}`)
  }
}

/** The annotation of the mailbox, or else of the nearest one above it. */
function isAnnotated(store: MailStore, name: string): boolean {
  for (let at = name; at !== ''; at = at.includes('.') ? at.slice(0, at.lastIndexOf('.')) : '') {
    const mailbox = store.mailbox(at)
    const value = mailbox && store.annotation(mailbox.id, `${VENDOR}squat`, '')
    if (value !== undefined) return value.toString() === 'true'
  }
  return store.annotation(0, `${VENDOR}squat`, '')?.toString() === 'true'
}

async function work({ config, log }: ToolContext, line: CommandLine, ready: (() => void) | undefined): Promise<void> {
  if (config.string('search_engine') === 'none') {
    process.stderr.write('squatter: nothing to do, since search_engine is none\n')
    process.exitCode = Exit.Config
    return
  }
  const store = await MailStore.open(config, log)
  const squatter = new Squatter(store, log, line, new Namespace(config, '', true))
  let good = true
  try {
    if (line.mode === 'rolling') {
      good = await roll(squatter, config, ready)
    } else if (line.mode === 'log') {
      const names = namesInLog(store, readFileSync(line.logFile!, 'utf8').split('\n'))
      good = await squatter.indexAll([...names].flatMap((name) => store.mailbox(name) ?? []))
    } else {
      const missing: string[] = []
      good = await squatter.indexAll(squatter.wanted((name) => void missing.push(name)))
      for (const name of missing)
        squatter.complain(`${name}: there is no such ${line.mode === 'users' ? 'user' : 'mailbox'}`)
      good &&= missing.length === 0
    }
  } finally {
    await store.close()
  }
  process.exitCode = good ? Exit.Ok : 1
}

/** Does what the command line says, and ends the process. */
export async function run(): Promise<never> {
  const ready = readyInBackground()
  await runTool(
    { program: 'squatter', usage: USAGE, letters: LETTERS },
    (parsed) => void readCommandLine(parsed),
    (context) => work(context, readCommandLine(parseOptions(`C:${LETTERS}`, process.argv.slice(2))), ready),
  )
  process.exit(process.exitCode)
}
