/**
 * One client that does random things to random users' mail over IMAP and LMTP, whatever happens to the servers, and keeps account of the
 * messages that nothing it does may lose. Not a test.
 */
import type { ImapClient } from '../../lab/imap_client.js'
import { ADMIN } from '../../lab/instance.js'
import type { Lab } from '../../lab/lab.js'
import { LmtpClient } from '../../lab/lmtp_client.js'
import { isListening, waitFor } from '../../lab/wait.js'
import type { Choice } from './choice.js'

/** What happened to the messages of one user that are meant to stay: their subjects. */
export interface Account {
  /** acknowledged */
  readonly kept: Set<string>
  /** sent, without an answer: there or not */
  readonly unknown: Set<string>
}

/** What all workers share. */
export interface Work {
  readonly lab: Lab
  readonly choice: Choice
  readonly accounts: Map<string, Account>
  /** operations begun */
  begun: number
  /** operations that were answered OK */
  done: number
  /** of these, by name */
  readonly by: Map<string, number>
  readonly operations: number
  /** called before each operation */
  before(): void
}

const FLAGS = ['\\Seen', '\\Flagged', '\\Answered', '\\Draft', '$Work', 'kw1', 'kw2', '$Forwarded']

type Operation = (worker: Worker) => Promise<boolean>

const OPERATIONS: readonly (readonly [weight: number, what: [name: string, run: Operation]])[] = [
  [16, ['deliver', (worker) => worker.deliver(1)]],
  [4, ['deliver to three', (worker) => worker.deliver(3)]],
  [8, ['append', (worker) => worker.append()]],
  [5, ['create', (worker) => worker.create()]],
  [4, ['rename', (worker) => worker.rename()]],
  [3, ['delete', (worker) => worker.delete()]],
  [4, ['subscribe', (worker) => worker.subscribe()]],
  [18, ['store', (worker) => worker.store()]],
  [9, ['expunge', (worker) => worker.expunge()]],
  [7, ['copy', (worker) => worker.copy()]],
  [7, ['move', (worker) => worker.move()]],
  [3, ['rights', (worker) => worker.rights()]],
  [3, ['annotation', (worker) => worker.annotation()]],
  [1, ['quota', (worker) => worker.quota()]],
]

export class Worker {
  #user: string
  #imap: ImapClient | undefined
  #lmtp: LmtpClient | undefined
  #sequence = 0

  constructor(
    readonly work: Work,
    readonly name: string,
  ) {
    this.#user = work.choice.of(work.lab.topology.users)
  }

  /** Does its share of the operations; a lost connection is made anew. */
  async run(): Promise<void> {
    const { work } = this
    const imapPort = work.lab.master.ports.imap
    while (work.begun < work.operations) {
      work.begun++
      work.before()
      const [name, operation] = work.choice.weighted(OPERATIONS)
      try {
        if (await operation(this)) {
          work.done++
          work.by.set(name, (work.by.get(name) ?? 0) + 1)
        }
        // at any time somebody else's mail may be next
        if (work.choice.below(8) === 0) this.#leave(work.choice.of(work.lab.topology.users))
      } catch {
        // the server has gone: it comes back
        this.#leave(this.#user)
        await waitFor('the master to come back', () => isListening({ port: imapPort, host: '127.0.0.1' }), 60)
      }
    }
    this.#leave(this.#user)
  }

  #leave(user: string): void {
    this.#imap?.close()
    this.#imap = undefined
    this.#user = user
    this.#lmtp?.socket.destroy()
    this.#lmtp = undefined
  }

  async #session(): Promise<ImapClient> {
    this.#imap ??= await this.work.lab.login(this.#user)
    return this.#imap
  }

  #account(user = this.#user): Account {
    return this.work.accounts.get(user)!
  }

  /** A message that no other is like; of those that are meant to stay, or of those that may go. */
  #message(kept: boolean): { subject: string; bytes: Buffer } {
    const subject = `${kept ? 'kept' : 'passing'}-${this.name}-${++this.#sequence}`
    const size = this.work.choice.weighted([
      [12, 200],
      [4, 5_000],
      [1, 150_000],
    ])
    const bytes = Buffer.from(
      `From: a@example.org\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@x>\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\n${`${subject} text\r\n`.repeat(Math.ceil(size / 24))}`,
    )
    return { subject, bytes }
  }

  async deliver(recipients: number): Promise<boolean> {
    const kept = this.work.choice.below(3) > 0
    const { subject, bytes } = this.#message(kept)
    this.#lmtp ??= await LmtpClient.connect(this.work.lab.master.ports.lmtp)
    const users = new Set([this.#user])
    while (users.size < recipients) users.add(this.work.choice.of(this.work.lab.topology.users))
    if (kept) for (const user of users) this.#account(user).unknown.add(subject)
    const replies = await this.#lmtp.deliver(bytes, ...users)
    for (const [n, user] of [...users].entries()) {
      if (!kept) continue
      this.#account(user).unknown.delete(subject)
      if (replies[n]?.startsWith('250')) this.#account(user).kept.add(subject)
    }
    return replies.every((reply) => reply.startsWith('250'))
  }

  async append(): Promise<boolean> {
    const client = await this.#session()
    const folder = await this.#folder()
    // what may be deleted holds nothing that is meant to stay
    const kept = !folder.includes('scratch') && this.work.choice.below(3) > 0
    const { subject, bytes } = this.#message(kept)
    const account = this.#account()
    if (kept) account.unknown.add(subject)
    const flags = this.work.choice.below(2) ? '(\\Seen $X)' : ''
    const { status } = await client.append(`"${folder}"`, bytes, flags)
    if (kept) account.unknown.delete(subject)
    if (kept && status === 'OK') account.kept.add(subject)
    return status === 'OK'
  }

  async create(): Promise<boolean> {
    const kind = this.work.choice.below(2) ? 'scratch' : 'folder'
    // parents that only their children make exist are told differently by the real one
    const parent = this.work.choice.below(3) ? '' : `tree/`
    if (parent !== '') await this.#command('CREATE INBOX/tree')
    return this.#command(`CREATE "INBOX/${parent}${kind}${this.work.choice.below(6)}"`)
  }

  async rename(): Promise<boolean> {
    const from = await this.#folder()
    const kind = /scratch|folder/.exec(from)?.[0]
    if (kind === undefined) return false
    const parent = from.startsWith('INBOX/tree/') ? 'tree/' : ''
    return this.#command(`RENAME "${from}" "INBOX/${parent}${kind}${6 + this.work.choice.below(40)}"`)
  }

  async delete(): Promise<boolean> {
    const folder = await this.#folder()
    return folder.includes('scratch') && this.#command(`DELETE "${folder}"`)
  }

  async subscribe(): Promise<boolean> {
    return this.#command(`${this.work.choice.below(3) ? '' : 'UN'}SUBSCRIBE "${await this.#folder()}"`)
  }

  async store(): Promise<boolean> {
    if (!(await this.#select())) return false
    const { choice } = this.work
    const first = 1 + choice.below(12)
    const flags = [choice.of(FLAGS), choice.of(FLAGS)].join(' ')
    return this.#command(`STORE ${first}:${first + choice.below(6)} ${choice.of(['+', '-', ''])}FLAGS (${flags})`)
  }

  async expunge(): Promise<boolean> {
    if (!(await this.#select())) return false
    const uids = await this.#passing()
    if (uids === undefined) return false
    await this.#command(`UID STORE ${uids} +FLAGS.SILENT (\\Deleted)`)
    return this.#command(`UID EXPUNGE ${uids}`)
  }

  async copy(): Promise<boolean> {
    const to = await this.#folder()
    if (!(await this.#select())) return false
    const uids = await this.#passing()
    return uids !== undefined && this.#command(`UID COPY ${uids} "${to}"`)
  }

  async move(): Promise<boolean> {
    const to = await this.#folder()
    if (to.includes('scratch') || !(await this.#select())) return false
    const first = 1 + this.work.choice.below(10)
    return this.#command(`MOVE ${first}:${first + this.work.choice.below(3)} "${to}"`)
  }

  async rights(): Promise<boolean> {
    const who = this.work.choice.of(this.work.lab.topology.users)
    const folder = await this.#folder()
    // nobody's rights to their own folders are taken
    if (who === this.#user) return false
    return this.#command(`SETACL "${folder}" ${who} ${this.work.choice.of(['lrs', 'lr', 'lrswip', '""'])}`)
  }

  async annotation(): Promise<boolean> {
    const value = this.work.choice.below(3) ? `"value ${this.work.choice.below(100)}"` : 'NIL'
    return this.#command(`SETMETADATA "${await this.#folder()}" (/private/comment ${value})`)
  }

  async quota(): Promise<boolean> {
    const admin = await this.work.lab.login(ADMIN.user, this.work.lab.master, ADMIN.password)
    try {
      const limit = 200_000 + this.work.choice.below(100)
      return (await admin.command(`SETQUOTA user/${this.#user} (STORAGE ${limit})`)).status === 'OK'
    } finally {
      admin.close()
    }
  }

  async #command(command: string): Promise<boolean> {
    const client = await this.#session()
    return (await client.command(command)).status === 'OK'
  }

  /** One of the user's folders. */
  async #folder(): Promise<string> {
    const client = await this.#session()
    const { untagged } = await client.command('LIST "" "INBOX*"')
    const names = untagged.flatMap(
      ({ text }) => /^\* LIST \((?!.*Noselect).*"?(INBOX[^"]*)"?\s*$/.exec(text)?.[1] ?? [],
    )
    // half of what happens, happens in INBOX
    return this.work.choice.below(2) || names.length === 0 ? 'INBOX' : this.work.choice.of(names)
  }

  async #select(): Promise<boolean> {
    return this.#command(`SELECT "${await this.#folder()}"`)
  }

  /** Some UIDs of messages that may go. */
  async #passing(): Promise<string | undefined> {
    const client = await this.#session()
    const { untagged } = await client.command('UID SEARCH SUBJECT passing-')
    const uids = untagged.flatMap(({ text }) => (text.startsWith('* SEARCH') ? (text.match(/\d+/g) ?? []) : []))
    return uids.length === 0 ? undefined : uids.filter(() => this.work.choice.below(3) === 0).join(',') || uids[0]
  }
}
