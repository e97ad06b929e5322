/**
 * One run over log lines (csync.md §10.4, §10.5): everything they name, in order, each with its own failure. What fails is promoted – a
 * mailbox to its user, a seen entry or subscription to META, META to the user – and what fails at the end is given back, to be tried again.
 */
import { formatLogLine, type LogEntry, type LogPlan, parseLogLine, planLog } from '../log_lines.js'
import { ownerOf } from '../names.js'
import { PeerGoneError, PeerRefusalError } from './peer.js'
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

/**
 * @param stopping checked between items: what is left then is given back too
 * @returns lines of what could not be done; empty if everything was
 * @throws {PeerGoneError}: nothing is known of what was under way, so all lines stay
 */
export async function runLog(
  session: ClientSession,
  lines: readonly string[],
  stopping: () => boolean,
): Promise<string[]> {
  const { log } = session
  // what the lines speak of is committed, but an open view of the database may be older
  session.store.refresh()
  const plan = readLog(lines, (message) => log.error(message))
  const failed: string[] = []
  const users = new Set(plan.users)
  const metas = new Set(plan.metas)

  /** @returns whether it was done */
  const attempt = async (what: string, work: () => Promise<void>): Promise<boolean> => {
    if (stopping()) throw new PeerGoneError('told to stop')
    try {
      await work()
      return true
    } catch (error) {
      if (error instanceof PeerGoneError) throw error
      const known = error instanceof PeerRefusalError || error instanceof ItemError
      log.error(`SYNCERROR: ${what}: ${known ? (error as Error).message : ((error as Error).stack ?? error)}`)
      return false
    }
  }
  const promote = (what: string, to: string, user: string): void => log.notice(`Promoting: ${what} -> ${to} ${user}`)

  for (const [owner, names] of plan.mailboxes) {
    const all = [...names]
    for (let at = 0; at < all.length; at += MOST_NAMES) {
      const some = all.slice(at, at + MOST_NAMES)
      const options = { useKnown: true, deletedHere: plan.unmailboxes }
      if (await attempt(`MAILBOX ${some.join(' ')}`, () => syncMailboxes(session, some, options))) continue
      for (const name of some) {
        const user = ownerOf(name)
        if (user === '') failed.push(formatLogLine('MAILBOX', name))
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
    if (user === '') failed.push(formatLogLine('QUOTA', root))
    else users.add(user)
  }
  for (const name of plan.annotations) {
    if (await attempt(`ANNOTATION ${name}`, () => syncAnnotations(session, name))) continue
    const user = ownerOf(name)
    if (user === '') failed.push(formatLogLine('ANNOTATION', name))
    else users.add(user)
  }
  for (const [user, uniqueid] of plan.seens) {
    if (!(await attempt(`SEEN ${user} ${uniqueid}`, () => syncSeenEntry(session, user, uniqueid)))) metas.add(user)
  }
  for (const [user, name] of plan.subs) {
    if (!(await attempt(`SUB ${user} ${name}`, () => syncSubscription(session, user, name)))) metas.add(user)
  }
  for (const name of plan.unmailboxes) {
    if (!(await attempt(`UNMAILBOX ${name}`, () => syncUnmailbox(session, name))))
      failed.push(formatLogLine('UNMAILBOX', name))
  }
  for (const user of metas) {
    if (await attempt(`META ${user}`, () => syncMeta(session, user))) continue
    promote(`META ${user}`, 'USER', user)
    users.add(user)
  }
  for (const user of users) {
    if (!(await attempt(`USER ${user}`, () => syncUser(session, user, plan.unmailboxes))))
      failed.push(formatLogLine('USER', user))
    await attempt(`RESTART after ${user}`, () => session.restart())
  }
  for (const user of plan.unusers) {
    if (!(await attempt(`UNUSER ${user}`, () => syncUnuser(session, user)))) failed.push(formatLogLine('UNUSER', user))
  }
  return failed
}
