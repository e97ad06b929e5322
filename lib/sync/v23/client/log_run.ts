/**
 * One run over log lines with a replica of the 2.3 generation (csync-2.3.md §7.3), under its lock: everything they name, in order, each with its own
 * failure. What fails is promoted, an action on a mailbox to MAILBOX, that to its USER, one on a user to META, that to USER; and what fails at
 * the end is given back, to be tried again. A shared mailbox has nothing to be promoted to, and is given back at once.
 */
import { PeerGoneError, PeerRefusalError } from '../../client/peer_errors.js'
import { ItemError } from '../../client/session.js'
import { bytesOf } from '../../dlist.js'
import { formatLogLine } from '../../log_lines.js'
import { inboxOf, ownerOf } from '../../names.js'
import { seenEntryOf } from '../seen_state.js'
import { astring, nameArgument } from '../text.js'
import { syncAnnotations } from './annotations.js'
import { FolderFailure, syncMailboxes } from './folders.js'
import { planLog23 } from './log_plan.js'
import { appendMessages } from './mailbox.js'
import { syncMeta, syncOwnSeen } from './meta.js'
import type { ClientSession23 } from './session.js'
import { syncUser } from './user.js'

/** Mailboxes asked for in one command. */
const MOST_NAMES = 1000
/** An item in the middle of which the connection is lost so often in a row is put off, so that the others get their turn. */
const MOST_LOSSES = 3

/** What is remembered from run to run. */
export interface LogMemory {
  /** how often the connection was lost in the middle of an item */
  readonly losses: Map<string, number>
  /** why a line that was given back has failed */
  readonly reasons: Map<string, string>
}

/**
 * @param stopping checked between items
 * @returns lines of what could not be done; empty if everything was
 * @throws {PeerGoneError}: nothing is known of what was under way, so all lines stay
 */
export async function runLog23(
  session: ClientSession23,
  lines: readonly string[],
  stopping: () => boolean,
  memory: LogMemory,
): Promise<string[]> {
  session.store.refresh()
  const run = new Run(session, stopping, memory)
  return session.locked(() => run.all(lines))
}

class Run {
  readonly #failed: string[] = []
  #reason = ''

  constructor(
    readonly session: ClientSession23,
    readonly stopping: () => boolean,
    readonly memory: LogMemory,
  ) {}

  async all(lines: readonly string[]): Promise<string[]> {
    const { session } = this
    const { store, peer } = session
    const plan = planLog23(lines, (message) => session.log.error(message))
    const { mailboxes, metas, users } = plan
    const say = (verb: string, ...names: string[]): Promise<unknown> => {
      session.options.tell(`${verb} ${names.join(' ')}`)
      return peer.say(verb, ...names.map(nameArgument))
    }
    for (const name of plan.appends)
      await this.#promoting('APPEND', name, mailboxes, async () => {
        session.options.tell(`APPEND ${name}`)
        await appendMessages(session, this.#local(name))
        await syncOwnSeen(session, this.#local(name))
      })
    for (const name of plan.acls)
      await this.#promoting('ACL', name, mailboxes, async () => {
        session.options.tell(`SETACL ${name}`)
        await peer.say('SETACL', nameArgument(name), astring(bytesOf(this.#local(name).acl)))
      })
    for (const name of plan.quotas)
      await this.#promoting('QUOTA', name, mailboxes, async () => {
        session.options.tell(`SETQUOTA ${name}`)
        this.#forget(name)
        const quota = store.quota(name)
        // there is no way to say that a root is none any more
        if (quota === undefined) session.log.notice(`QUOTA ${name}: no quota root any more; the replica keeps it`)
        else await peer.say('SETQUOTA', nameArgument(name), `${quota.limits.STORAGE ?? -1}`)
      })
    for (const name of plan.annotations)
      await this.#promoting('ANNOTATION', name, mailboxes, () => {
        this.#forget(name)
        return syncAnnotations(session, name)
      })
    const seens = async (): Promise<void> => {
      for (const [user, name] of plan.seens) await this.#seen(user, name, metas, users)
    }
    if (!plan.namesChange) await seens()
    const unsubscribed = new Set(plan.unsubs.map((pair) => pair.join('\n')))
    for (const [user, name] of plan.subs) {
      // later generations write SUB for both
      const on = store.isSubscribed(user, name) || unsubscribed.has(`${user}\n${name}`)
      if (!(await this.#attempt(`SUB ${user} ${name}`, () => say(on ? 'ADDSUB' : 'DELSUB', user, name))))
        this.#promote(`SUB ${user} ${name}`, 'META', user, metas)
    }
    for (const [user, name] of plan.unsubs)
      if (!(await this.#attempt(`UNSUB ${user} ${name}`, () => say('DELSUB', user, name))))
        this.#promote(`UNSUB ${user} ${name}`, 'META', user, metas)
    await this.#mailboxes([...mailboxes], users)
    if (plan.namesChange) await seens()
    for (const user of metas)
      if (!users.has(user) && !(await this.#attempt(`META ${user}`, () => syncMeta(session, user)))) {
        // USER of one who is not here would remove what they have there
        if (this.#isHere(user)) this.#promote(`META ${user}`, 'USER', user, users)
        else this.#giveBack('META', user)
      }
    // those that are gone make room for what they may have become
    for (const user of [...users].sort((a, b) => Number(this.#isHere(a)) - Number(this.#isHere(b))))
      if (!(await this.#attempt(`USER ${user}`, () => syncUser(session, user, this.stopping))))
        this.#giveBack('USER', user)
    return this.#failed
  }

  #isHere(user: string): boolean {
    return this.session.mailbox(inboxOf(user)) !== undefined
  }

  /** A mailbox with which something is done by itself: what was known of it does not hold any more. */
  #local(name: string) {
    const mailbox = this.session.mailbox(name)
    if (mailbox === undefined) throw new ItemError(`${name} does not exist here`)
    this.session.known.delete(mailbox.uniqueid)
    return mailbox
  }

  #forget(name: string): void {
    const mailbox = this.session.mailbox(name)
    if (mailbox !== undefined) this.session.known.delete(mailbox.uniqueid)
  }

  /** An action on a mailbox, which becomes MAILBOX if it fails; on the server ('') it is given back. */
  async #promoting(type: string, name: string, mailboxes: Set<string>, work: () => Promise<void>): Promise<void> {
    if (await this.#attempt(`${type} ${name}`, work)) return
    if (name === '') this.#giveBack(type, name)
    else this.#promote(`${type} ${name}`, 'MAILBOX', name, mailboxes)
  }

  async #seen(user: string, name: string, metas: Set<string>, users: Set<string>): Promise<void> {
    const { session } = this
    const { store, peer } = session
    // later generations write a unique id
    const mailbox = session.mailbox(name) ?? store.mailboxByUniqueid(name)
    const what = `SEEN ${user} ${mailbox?.name ?? name}`
    const done = await this.#attempt(what, async () => {
      if (mailbox === undefined) throw new ItemError(`${name} does not exist here`)
      const entry = seenEntryOf(store, mailbox, user)
      if (entry === undefined) return
      session.options.tell(what)
      session.seenTold.delete(mailbox.uniqueid)
      const { lastRead, lastUid, lastChange, seenUids } = entry
      const numbers = [lastRead, lastUid, lastChange].map(String)
      await peer.say('SETSEEN', nameArgument(user), nameArgument(mailbox.name), ...numbers, astring(seenUids))
    })
    if (done) return
    if (mailbox?.name === inboxOf(user)) this.#promote(what, 'USER', user, users)
    else this.#promote(what, 'META', user, metas)
  }

  /** All of them, many in one command; one that fails is promoted or given back, and the others go on. */
  async #mailboxes(names: readonly string[], users: Set<string>): Promise<void> {
    let left = [...names]
    while (left.length > 0) {
      const some = left.slice(0, MOST_NAMES)
      let failed: string | undefined
      const done = await this.#attempt(`MAILBOX ${some.join(' ')}`, async () => {
        try {
          await syncMailboxes(this.session, some, { useKnown: true })
        } catch (error) {
          if (error instanceof FolderFailure) failed = error.mailbox
          throw error
        }
      })
      if (done) {
        left = left.slice(some.length)
        continue
      }
      // one that was to be deleted or renamed may not be among the names
      const culprits = failed !== undefined && some.includes(failed) ? [failed] : some
      for (const name of culprits) {
        const user = ownerOf(name)
        if (user === '' || !this.#isHere(user)) this.#giveBack('MAILBOX', name)
        else this.#promote(`MAILBOX ${name}`, 'USER', user, users)
      }
      left = left.filter((name) => !culprits.includes(name) && !users.has(ownerOf(name)))
    }
  }

  #promote(what: string, to: string, name: string, into: Set<string>): void {
    this.session.options.tell(`  Promoting: ${what} -> ${to} ${name}`)
    this.session.log.notice(`Promoting: ${what} -> ${to} ${name}`)
    into.add(name)
  }

  #giveBack(...line: readonly [type: string, ...args: string[]]): void {
    const text = formatLogLine(...line)
    this.#failed.push(text)
    this.memory.reasons.set(text, this.#reason)
  }

  /** @returns whether it was done  @throws {PeerGoneError} */
  async #attempt(what: string, work: () => Promise<unknown>): Promise<boolean> {
    const { session, stopping } = this
    const { losses } = this.memory
    if (stopping()) throw new PeerGoneError('told to stop')
    if (session.peer.closed) throw new PeerGoneError('the connection is closed')
    if ((losses.get(what) ?? 0) >= MOST_LOSSES) {
      losses.set(what, MOST_LOSSES - 1)
      this.#reason = 'put off, since the connection is lost in the middle of it again and again'
      session.log.error(`SYNCERROR: ${what}: ${this.#reason}`)
      return false
    }
    try {
      await work()
      losses.delete(what)
      return true
    } catch (error) {
      const known = error instanceof PeerRefusalError || error instanceof ItemError || error instanceof PeerGoneError
      if (error instanceof PeerGoneError || session.peer.closed) {
        if (!stopping()) losses.set(what, (losses.get(what) ?? 0) + 1)
        throw known ? error : new PeerGoneError(`${what}: ${(error as Error).stack ?? error}`)
      }
      this.#reason = (error as Error).message
      session.log.error(`SYNCERROR: ${what}: ${known ? this.#reason : ((error as Error).stack ?? error)}`)
      return false
    }
  }
}
