/**
 * Compares what is here with what a replica tells, completely and changing nothing: CRCs and headers first, where they differ the records with
 * their GUIDs, and if asked for the bytes of every message on both sides.
 */
import { createHash } from 'node:crypto'
import { quotaRootOf } from '../../mailbox/quota.js'
import { Flag, type MailboxHeader, type MessageRecord } from '../../store/store.js'
import { bytesOf, DlistFile, DlistMap, kvlist, scalar } from '../dlist.js'
import { type MailboxState, parseRecords } from '../mailbox_codec.js'
import { inboxOf } from '../names.js'
import { sameLimits, sameSeen } from '../user_codec.js'
import type { FileSinks } from '../wire_reader.js'
import { recordDifferences, stateDifferences } from './differences.js'
import { PeerRefusalError } from './peer_errors.js'
import { isUnchanged } from './plan.js'
import type { ClientSession } from './session.js'
import { askMailboxes } from './sync_folders.js'
import { localOf, recordsOf } from './sync_mailbox.js'
import { askUser, mailboxesOf } from './sync_user.js'

/** Something that is not the same: of which mailbox or user, and what. */
export interface Difference {
  readonly where: string
  readonly what: string
}

export interface CheckOptions {
  /** read every message on both sides */
  readonly bytes: boolean
  /** told after each mailbox */
  readonly progress?: (messages: number) => void
}

/** A user with mailboxes, quota roots, subscriptions and seen state. @throws {PeerGoneError} */
export async function checkUser(session: ClientSession, userid: string, options: CheckOptions): Promise<Difference[]> {
  const { store } = session
  const theirs = await askUser(session, 'USER', userid)
  store.refresh()
  const where = `user ${userid}`
  const ours = mailboxesOf(session, userid)
  const found = await compareAll(session, ours, theirs.mailboxes, options)
  if (store.mailbox(inboxOf(userid)) === undefined) return found
  const roots = new Map(ours.flatMap(({ name }) => [quotaRootOf(store, name)].filter((root) => root !== undefined)))
  for (const [root, quota] of roots) {
    const there = theirs.quotas.get(root)
    if (there === undefined || !sameLimits(quota, there)) found.push({ where, what: `limits of quota root ${root}` })
  }
  for (const root of theirs.quotas.keys())
    if (!roots.has(root)) found.push({ where, what: `quota root ${root}: only there` })
  const subscribed = new Set(store.subscriptions(userid))
  for (const name of subscribed)
    if (!theirs.subscriptions.has(name)) found.push({ where, what: `subscription to ${name}: only here` })
  for (const name of theirs.subscriptions)
    if (!subscribed.has(name)) found.push({ where, what: `subscription to ${name}: only there` })
  for (const [uniqueid, entry] of store.seenEntries(userid)) {
    const there = theirs.seen.get(uniqueid)
    if (there === undefined || !sameSeen(entry, there)) found.push({ where, what: `seen state of mailbox ${uniqueid}` })
  }
  return found
}

/** Mailboxes by internal name. @throws {PeerGoneError} */
export async function checkMailboxes(
  session: ClientSession,
  names: readonly string[],
  options: CheckOptions,
): Promise<Difference[]> {
  const theirs = await askMailboxes(session, names)
  session.store.refresh()
  const ours = names.flatMap((name) => session.store.mailbox(name) ?? [])
  return compareAll(session, ours, theirs, options)
}

async function compareAll(
  session: ClientSession,
  ours: readonly MailboxHeader[],
  theirs: readonly MailboxState[],
  options: CheckOptions,
): Promise<Difference[]> {
  const found: Difference[] = []
  const there = new Map(theirs.map((state) => [state.name, state]))
  for (const header of ours) {
    const state = there.get(header.name)
    there.delete(header.name)
    if (state === undefined) found.push({ where: header.name, what: 'only here' })
    else for (const what of await compareOne(session, header, state, options)) found.push({ where: header.name, what })
    options.progress?.(header.exists)
  }
  for (const { name, mbtype } of there.values())
    if (!/[id]/.test(mbtype)) found.push({ where: name, what: 'only there' })
  return found
}

async function compareOne(
  session: ClientSession,
  header: MailboxHeader,
  theirs: MailboxState,
  { bytes }: CheckOptions,
): Promise<string[]> {
  const local = localOf(session.store, header.id)
  if (local === undefined) return []
  const same = isUnchanged(local.state, theirs)
  const found = stateDifferences(local.state, theirs)
  if (!same) {
    const records = await recordsThere(session, header.name)
    if (typeof records === 'string') return [...found, records]
    found.push(...recordDifferences(recordsOf(session.store, local.index), records))
    if (found.length === 0) found.push('checksums or counters only; the messages are the same')
  }
  if (!bytes) return found
  for (let row = 0; row < local.index.length; row++) {
    if (local.index.flags(row) & (Flag.Expunged | Flag.Unlinked)) continue
    const record = local.index.record(row)
    const problem = await damageOf(session, local.index.header, theirs.partition ?? header.partition, record)
    if (problem !== undefined) found.push(`UID ${record.uid}: ${problem}`)
  }
  return found
}

/** @returns why there are none, as a text */
async function recordsThere(
  { peer }: ClientSession,
  name: string,
): Promise<(ReturnType<typeof parseRecords> & object) | string> {
  try {
    const { items } = await peer.ask('GET', 'FULLMAILBOX', [scalar(bytesOf(name), 'client')])
    const value = items.find(({ key }) => key.toUpperCase() === 'MAILBOX')?.value
    return (value instanceof DlistMap ? parseRecords(value) : undefined) ?? 'the replica does not tell it in full'
  } catch (error) {
    if (error instanceof PeerRefusalError) return `the replica does not tell it: ${error.message}`
    throw error
  }
}

/** Whether both sides have the bytes that the GUID promises. */
async function damageOf(
  { store, peer }: ClientSession,
  header: MailboxHeader,
  partition: string,
  { uid, guid, size }: MessageRecord,
): Promise<string | undefined> {
  const problems: string[] = []
  try {
    const message = await store.readMessage(header, uid, size)
    if (createHash('sha1').update(message).digest('hex') !== guid) problems.push('its file here is damaged')
  } catch (error) {
    problems.push(`its file here cannot be read: ${(error as Error).message}`)
  }
  const hash = createHash('sha1')
  const sinks: FileSinks = () => ({ write: (chunk) => void hash.update(chunk), end: async () => true, abort: () => {} })
  try {
    const { items } = await peer.ask(
      'GET',
      'FETCH',
      [
        kvlist([
          ['MBOXNAME', scalar(bytesOf(header.name), 'client')],
          ['PARTITION', scalar(bytesOf(partition), 'client')],
          ['UNIQUEID', scalar(header.uniqueid, 'client')],
          ['GUID', guid],
          ['UID', uid],
        ]),
      ],
      sinks,
    )
    if (!items.some(({ value }) => value instanceof DlistFile)) problems.push('the replica does not give its file')
    else if (hash.digest('hex') !== guid) problems.push('its file there is damaged')
  } catch (error) {
    if (!(error instanceof PeerRefusalError)) throw error
    problems.push(`its file there cannot be had: ${error.message}`)
  }
  return problems.length === 0 ? undefined : problems.join('; ')
}
