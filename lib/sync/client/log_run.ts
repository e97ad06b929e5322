/**
 * One run over log lines (csync.md §10.4, §10.5): everything they name, in order, each with its own failure. What fails is promoted – a
 * mailbox to its user, a seen entry or subscription to META, META to the user – and what fails at the end is given back, to be tried again.
 */
import { formatLogLine, type LogEntry, type LogPlan, parseLogLine, planLog } from '../log_lines.js'
import { inboxOf, isSieveMailbox, ownerOf } from '../names.js'
import { PeerGoneError, PeerRefusalError } from './peer_errors.js'
import { type ClientSession, ItemError } from './session.js'
import { syncMailboxes } from './sync_folders.js'
import {
  syncAnnotations,
  syncMeta,
  syncQuota,
  syncSeenEntry,
  syncSubscription,
  syncUnmailbox,
  syncUnuser,
  syncUser,
} from './sync_user.js'

/** Mailboxes asked for in one command. */
const MOST_NAMES = 1000
/** An item in the middle of which the connection is lost so often in a row is put off, so that the others get their turn. */
const MOST_LOSSES = 3
/** Items of which that is remembered. */
const MOST_REMEMBERED = 1000

/** Reads lines; what is wrong with some of them is logged once. */
export function readLog(lines: Iterable<string>, complain: (message: string) => void): LogPlan {
  const entries: LogEntry[] = []
  for (const line of new Set(lines)) {
    const parsed = parseLogLine(line)
    if (typeof parsed === 'string') complain(parsed)
    else if (parsed !== undefined) entries.push(parsed)
  }
  return planLog(entries)
}

/** What is remembered from run to run, and of several that go side by side. */
export class RunMemory {
  /** how often the connection was lost in the middle of an item since it was last done */
  readonly losses = new Map<string, number>()
  /** why a line that was given back has failed */
  readonly reasons = new Map<string, string>()
}

/**
 * @param stopping checked between items: what is left then is given back too
 * @returns lines of what could not be done; empty if everything was
 * @throws {PeerGoneError}: nothing is known of what was under way, so all lines stay
 */
export async function runLog(
  session: ClientSession,
  lines: readonly string[],
  stopping: () => boolean,
  { losses, reasons }: RunMemory = new RunMemory(),
): Promise<string[]> {
  const { log } = session
  // what the lines speak of is committed, but an open view of the database may be older
  session.store.refresh()
  const plan = readLog(lines, (message) => log.error(message))
  const failed: string[] = []
  let reason = ''
  const giveBack = (...line: readonly [type: string, ...args: string[]]): void => {
    const text = formatLogLine(...line)
    failed.push(text)
    reasons.set(text, reason)
  }
  const users = new Set(plan.users)
  const metas = new Set(plan.metas)

  /** @returns whether it was done  @throws {PeerGoneError} */
  const attempt = async (what: string, work: () => Promise<void>): Promise<boolean> => {
    if (stopping()) throw new PeerGoneError('told to stop')
    if (session.peer.closed) throw new PeerGoneError('the connection is closed')
    if (lostTooOften(what)) {
      // one chance when it is tried again
      losses.set(what, MOST_LOSSES - 1)
      reason = 'put off, since the connection is lost in the middle of it again and again'
      log.error(`SYNCERROR: ${what}: ${reason}`)
      return false
    }
    try {
      await work()
      losses.delete(what)
      return true
    } catch (error) {
      const known = error instanceof PeerRefusalError || error instanceof ItemError || error instanceof PeerGoneError
      if (error instanceof PeerGoneError || session.peer.closed) {
        if (losses.size >= MOST_REMEMBERED) losses.clear()
        if (!stopping()) losses.set(what, (losses.get(what) ?? 0) + 1)
        throw known ? error : new PeerGoneError(`${what}: ${(error as Error).stack ?? error}`)
      }
      reason = (error as Error).message
      log.error(`SYNCERROR: ${what}: ${known ? reason : ((error as Error).stack ?? error)}`)
      return false
    }
  }
  const lostTooOften = (what: string): boolean => (losses.get(what) ?? 0) >= MOST_LOSSES
  /** Whether what fails can be left to the user's turn, which passes over users without INBOX (deleted ones, with mailboxes below DELETED). */
  const hasTurn = (user: string): boolean => user !== '' && session.store.mailbox(inboxOf(user)) !== undefined
  const promote = (what: string, to: string, user: string): void => log.notice(`Promoting: ${what} -> ${to} ${user}`)

  for (const [owner, names] of plan.mailboxes) {
    // scripts go to a replica that does not take their mailbox one by one, with META
    const all = [...names].filter((name) => session.peer.sieveMailbox || !isSieveMailbox(name))
    if (all.length < names.size && owner !== '') metas.add(owner)
    if (all.length === 0) continue
    const whatOf = (some: readonly string[]): string => `MAILBOX ${some.join(' ')}`
    const groups: string[][] = []
    for (let at = 0; at < all.length; at += MOST_NAMES) groups.push(all.slice(at, at + MOST_NAMES))
    // which of them loses the connection, each shows alone
    for (const some of groups.flatMap((group) =>
      group.length > 1 && lostTooOften(whatOf(group)) ? group.map((name) => [name]) : [group],
    )) {
      const options = { useKnown: true, deletedHere: plan.unmailboxes }
      if (await attempt(whatOf(some), () => syncMailboxes(session, some, options))) continue
      for (const name of some) {
        const user = ownerOf(name)
        if (!hasTurn(user)) giveBack('MAILBOX', name)
        else if (!users.has(user) && !plan.unusers.has(user)) {
          promote(`MAILBOX ${name}`, 'USER', user)
          users.add(user)
        }
      }
    }
    await attempt(`RESTART after ${owner}`, () => session.restart())
  }
  for (const root of plan.quotas) {
    if (await attempt(`QUOTA ${root}`, () => syncQuota(session, root))) continue
    const user = ownerOf(root)
    if (!hasTurn(user)) giveBack('QUOTA', root)
    else users.add(user)
  }
  for (const name of plan.annotations) {
    if (await attempt(`ANNOTATION ${name}`, () => syncAnnotations(session, name))) continue
    const user = ownerOf(name)
    if (!hasTurn(user)) giveBack('ANNOTATION', name)
    else users.add(user)
  }
  for (const [user, uniqueid] of plan.seens) {
    if (!(await attempt(`SEEN ${user} ${uniqueid}`, () => syncSeenEntry(session, user, uniqueid)))) metas.add(user)
  }
  for (const [user, name] of plan.subs) {
    if (!(await attempt(`SUB ${user} ${name}`, () => syncSubscription(session, user, name)))) metas.add(user)
  }
  for (const name of plan.unmailboxes) {
    if (!(await attempt(`UNMAILBOX ${name}`, () => syncUnmailbox(session, name)))) giveBack('UNMAILBOX', name)
  }
  for (const user of metas) {
    if (await attempt(`META ${user}`, () => syncMeta(session, user))) continue
    if (!hasTurn(user)) giveBack('META', user)
    else {
      promote(`META ${user}`, 'USER', user)
      users.add(user)
    }
  }
  for (const user of users) {
    if (!(await attempt(`USER ${user}`, () => syncUser(session, user, plan.unmailboxes)))) giveBack('USER', user)
    await attempt(`RESTART after ${user}`, () => session.restart())
  }
  for (const user of plan.unusers) {
    if (!(await attempt(`UNUSER ${user}`, () => syncUnuser(session, user)))) giveBack('UNUSER', user)
  }
  return failed
}
