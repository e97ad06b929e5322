/**
 * A day's work in short on a replicated pair: messages delivered over LMTP to all users, read, flagged, copied, moved, renamed, subscribed
 * over IMAP; the time each delivery takes to appear on the replica measured on the way; both sides compared at the end.
 */
import { type Comparison, compareUntilEqual } from './compare.js'
import type { ImapClient } from './imap_client.js'
import type { Lab } from './lab.js'
import { LmtpClient } from './lmtp_client.js'
import { sampleMessage } from './messages.js'
import { waitFor } from './wait.js'

export interface ScenarioOptions {
  /** messages delivered in all */
  messages: number
  /** told what is being done, and how far it is, 0 to 1 */
  progress?: (what: string, done: number) => void
  /** called once, when half of the messages are delivered */
  halfway?: (lab: Lab) => Promise<void> | void
  /** seconds that the replica may take to become equal */
  patience?: number
}

export interface ScenarioResult extends Comparison {
  /** milliseconds from LMTP's 250 to the message being visible on the replica, sorted */
  lags: number[]
}

/** Runs the whole scenario on a lab whose users do not exist yet. */
export async function runScenario(lab: Lab, options: ScenarioOptions): Promise<ScenarioResult> {
  const { messages, progress = () => {}, halfway, patience = 60 } = options
  const { users } = lab.topology
  progress('creating users', 0)
  await lab.createUsers()
  const watchers = await Promise.all(users.map((user) => Watcher.start(lab, user)))
  const lmtp = await LmtpClient.connect(lab.master.ports.lmtp)
  for (let n = 0; n < messages; n++) {
    const watcher = watchers[n % users.length]!
    const [reply] = await lmtp.deliver(sampleMessage(n), watcher.user)
    if (!reply?.startsWith('250')) throw new Error(`message ${n} to ${watcher.user}: ${reply}`)
    watcher.delivered(performance.now())
    if (n === messages >> 1) await halfway?.(lab)
    progress('delivering', (n + 1) / messages)
  }
  await lmtp.quit()
  progress('waiting for the replica', 0)
  const lags = (await Promise.all(watchers.map((watcher) => watcher.finish(patience)))).flat().sort((a, b) => a - b)
  for (const [n, user] of users.entries()) {
    await changeOverImap(await lab.login(user), user)
    progress('changing over IMAP', (n + 1) / users.length)
  }
  progress('comparing', 0)
  return { ...(await compareUntilEqual(lab, patience)), lags }
}

/** Looks at one user's INBOX on the replica all the time, and notes when each message appears. */
class Watcher {
  readonly #deliveredAt: number[] = []
  readonly #seenAt: number[] = []
  #stopped = false
  #failure: Error | undefined
  #running: Promise<void> = Promise.resolve()

  private constructor(
    readonly user: string,
    private readonly lab: Lab,
  ) {}

  /** Waits until the user is on the replica. */
  static async start(lab: Lab, user: string): Promise<Watcher> {
    const watcher = new Watcher(user, lab)
    const client = await waitFor(`${user} on the replica`, async () => watcher.#select())
    watcher.#running = watcher.#watch(client).catch((error: Error) => {
      watcher.#failure = error
    })
    return watcher
  }

  delivered(at: number): void {
    this.#deliveredAt.push(at)
  }

  /** Waits for the last message. @returns the lags in milliseconds */
  async finish(seconds: number): Promise<number[]> {
    await waitFor(
      `${this.#deliveredAt.length} messages of ${this.user} on the replica`,
      () => {
        if (this.#failure !== undefined) throw this.#failure
        return this.#seenAt.length >= this.#deliveredAt.length
      },
      seconds,
    )
    this.#stopped = true
    await this.#running
    return this.#deliveredAt.map((at, n) => Math.max(0, this.#seenAt[n]! - at))
  }

  async #select(): Promise<ImapClient | undefined> {
    const client = await this.lab.login(this.user, this.lab.replica)
    if ((await client.command('EXAMINE INBOX')).status === 'OK') return client
    client.close()
    return undefined
  }

  async #watch(client: ImapClient): Promise<void> {
    while (!this.#stopped) {
      const { untagged } = await client.ok('NOOP')
      const now = performance.now()
      for (const { text } of untagged) {
        const exists = Number(/^\* (\d+) EXISTS/.exec(text)?.[1] ?? 0)
        while (this.#seenAt.length < exists) this.#seenAt.push(now)
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await client.logout()
  }
}

/** What a mail program does: flags and keywords, folders, copies, moves by copy and expunge, renames, subscriptions, an upload. */
async function changeOverImap(client: ImapClient, user: string): Promise<void> {
  const separator = /"(.)"/.exec((await client.ok('LIST "" ""')).untagged[0]?.text ?? '')?.[1] ?? '/'
  const folder = (...parts: string[]) => `"${['INBOX', ...parts].join(separator)}"`
  await client.ok('SELECT INBOX')
  await client.ok('STORE 1:10 +FLAGS (\\Seen)')
  await client.ok('STORE 2,4 +FLAGS (\\Flagged \\Answered)')
  await client.ok('STORE 3 FLAGS (\\Draft $Forwarded Work)')
  await client.ok('UID STORE 5:6 +FLAGS.SILENT ($Label1)')
  await client.ok('STORE 6 -FLAGS ($Label1 \\Seen)')
  for (const parts of [['Archive'], ['Archive', '2026'], ['Sent'], ['Entw&APw-rfe'], ['old name']])
    await client.ok(`CREATE ${folder(...parts)}`)
  await client.ok(`COPY 1:8 ${folder('Archive', '2026')}`)
  await client.ok(`UID COPY 9:12 ${folder('Sent')}`)
  // a move as old programs do it
  await client.ok(`COPY 13:15 ${folder('old name')}`)
  await client.ok('STORE 13:15 +FLAGS (\\Deleted)')
  await client.ok('EXPUNGE')
  await client.ok(`RENAME ${folder('old name')} ${folder('new name')}`)
  await client.ok(`RENAME ${folder('Archive')} ${folder('Old Archive')}`)
  await client.append(folder('Sent'), sampleMessage(500), `(\\Seen $Sent) "03-Feb-2026 10:11:12 +0100"`)
  for (const parts of [['Sent'], ['new name'], ['Old Archive', '2026']])
    await client.ok(`SUBSCRIBE ${folder(...parts)}`)
  await client.ok(`UNSUBSCRIBE ${folder('new name')}`)
  await client.ok(`CREATE ${folder('Trash')}`)
  await client.ok(`DELETE ${folder('Trash')}`)
  await client.ok('FETCH 20 BODY[]')
  await client.ok('UNSELECT')
  const status = (await client.ok(`STATUS ${folder('Old Archive', '2026')} (MESSAGES)`)).untagged[0]?.text ?? ''
  if (!status.includes('MESSAGES 8')) throw new Error(`${user}: ${status}`)
  await client.logout()
}

/** The value below which `share` (0 to 1) of sorted values lie. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
