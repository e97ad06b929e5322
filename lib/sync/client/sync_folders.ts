/** A set of mailboxes made the same on the replica (csync.md §8.2, §8.3): what to reserve, what has other names there, then each one's contents. */
import { setTimeout as pause } from 'node:timers/promises'
import type { MailboxHeader } from '../../store/store.js'
import { bytesOf, kvlist, list, scalar } from '../dlist.js'
import { type MailboxState, parseState } from '../mailbox_codec.js'
import { inboxOf, isDeletedName, ownerOf } from '../names.js'
import { PeerGoneError, PeerRefusalError } from './peer_errors.js'
import { planFolders } from './plan.js'
import { type ClientSession, ItemError } from './session.js'
import { syncMailbox } from './sync_mailbox.js'
import { messagesAbove, reserve } from './upload.js'

/** Rounds in which renames must settle. */
const ROUNDS = 3
/** Uploading so little costs less than asking whether it is there already. */
const NOT_WORTH_ASKING = 256 * 1024

/**
 * One round over folders.
 * @param deletedHere names whose mailboxes were deleted here, besides those that have left a tombstone
 * @param mayDelete whether folders that were deleted here are removed there
 * @returns 'again' after renames, there or meanwhile here: all must be looked at anew
 * @throws {PeerRefusalError}, {ItemError} the first failure, after all other mailboxes were done; {PeerGoneError} at once
 */
export async function syncFolders(
  session: ClientSession,
  ours: readonly MailboxHeader[],
  theirs: readonly MailboxState[],
  { mayDelete, deletedHere }: { readonly mayDelete: boolean; readonly deletedHere?: ReadonlySet<string> },
): Promise<'done' | 'again'> {
  const { store, peer, log, options } = session
  const wanted = ours.map((header) => ({
    uniqueid: header.uniqueid,
    name: header.name,
    partition: options.partition ?? header.partition,
  }))
  const isDeleted = ({ uniqueid, name }: { uniqueid: string; name: string }): boolean => {
    if (store.mailboxByUniqueid(uniqueid) !== undefined) return false
    if (deletedHere?.has(name)) return true
    // renamed here before it was deleted, of neither of which the replica knows
    for (const each of deletedHere ?? []) if (store.tombstone(each)?.uniqueid === uniqueid) return true
    return mayDelete && store.tombstone(name) !== undefined && store.mailbox(name) === undefined
  }
  const places = theirs.map(({ uniqueid, name, partition, mbtype, lastUid }) => ({
    uniqueid,
    name,
    partition,
    intermediate: mbtype.includes('i'),
    // one that is a mailbox of ours under another name is no stray
    empty: lastUid === 0 && store.mailboxByUniqueid(uniqueid) === undefined,
  }))
  const plan = planFolders(wanted, places, isDeleted, ({ uniqueid, name }) => temporaryName(uniqueid, name), {
    partitionMoves: options.partition !== undefined,
  })
  for (const name of plan.remove) await unmailbox(session, name)
  if (mayDelete) for (const name of plan.unexplained) log.notice(`SYNCNOTICE: no tombstone for deleted mailbox ${name}`)
  if (plan.renames.length > 0) {
    for (const { from, to, partition, uniqueid } of plan.renames) {
      options.tell(`RENAME ${from} -> ${to} (${partition})`)
      const uidvalidity = store.mailboxByUniqueid(uniqueid)?.uidvalidity ?? 0
      session.known.clear()
      await peer.ask('APPLY', session.verb('RENAME'), [
        kvlist([
          ['OLDMBOXNAME', scalar(bytesOf(from), 'client')],
          ['NEWMBOXNAME', scalar(bytesOf(to), 'client')],
          ['PARTITION', scalar(bytesOf(partition), 'client')],
          ['UIDVALIDITY', uidvalidity],
        ]),
      ])
    }
    return 'again'
  }
  const remaining = theirs.filter(({ name }) => !plan.remove.includes(name))
  await reserveAll(session, ours, remaining)
  const byId = new Map(remaining.map((state) => [state.uniqueid, state]))
  let failure: unknown
  for (const { from, to } of plan.blocked) {
    failure ??= new ItemError(`${from} cannot become ${to} on the replica, which has another mailbox of that name`)
    log.error(`SYNCERROR: ${(failure as Error).message}`)
  }
  const blocked = new Set(plan.blocked.map(({ uniqueid }) => uniqueid))
  let renamed = false
  for (const header of ours) {
    if (header.mbtype.includes('i') || blocked.has(header.uniqueid)) continue
    try {
      if ((await syncMailbox(session, header, byId.get(header.uniqueid))) === 'renamed') renamed = true
    } catch (error) {
      if (error instanceof PeerGoneError || !(error instanceof PeerRefusalError || error instanceof ItemError))
        throw error
      log.error(`SYNCERROR: ${header.name}: ${error.message}`)
      session.known.delete(header.name)
      failure ??= error
    }
  }
  if (failure !== undefined) throw failure
  return renamed ? 'again' : 'done'
}

/** A name below the same user, or for shared ones beside the old one, that nobody has. */
function temporaryName(uniqueid: string, name: string): string {
  const owner = ownerOf(name)
  return owner === '' || isDeletedName(name) ? `${name}-sync-${uniqueid}` : `${inboxOf(owner)}.sync-${uniqueid}`
}

export async function unmailbox(session: ClientSession, name: string): Promise<void> {
  session.options.tell(`UNMAILBOX ${name}`)
  session.known.delete(name)
  await session.peer
    .ask('APPLY', session.verb('UNMAILBOX'), [scalar(bytesOf(name), 'client')])
    .catch((error: unknown) => {
      if (!(error instanceof PeerRefusalError && error.code === 'IMAP_MAILBOX_NONEXISTENT')) throw error
    })
}

/** Lets the replica find new messages in mailboxes it has, where that may save sending them. */
async function reserveAll(
  session: ClientSession,
  ours: readonly MailboxHeader[],
  theirs: readonly MailboxState[],
): Promise<void> {
  const { store, options } = session
  if (theirs.length === 0) return
  const byId = new Map(theirs.map((state) => [state.uniqueid, state]))
  const guids = new Map<string, Set<string>>()
  let bytes = 0
  let mailboxes = 0
  for (const header of ours) {
    const state = byId.get(header.uniqueid)
    if (state !== undefined && state.lastUid >= header.lastUid) continue
    const index = store.index(header.id)
    if (index === undefined) continue
    const messages = messagesAbove(index, state?.lastUid ?? 0)
    if (messages.length > 0) mailboxes++
    const partition = state?.partition ?? options.partition ?? header.partition
    let set = guids.get(partition)
    if (set === undefined) {
      set = new Set()
      guids.set(partition, set)
    }
    for (const { guid, size } of messages) {
      if (!set.has(guid)) bytes += size
      set.add(guid)
    }
  }
  // one mailbox with a little new mail: that is a delivery, not a copy
  if (mailboxes === 1 && ours.length === 1 && bytes <= NOT_WORTH_ASKING) return
  const names = theirs.map(({ name }) => name)
  for (const [partition, set] of guids) if (set.size > 0) await reserve(session, partition, names, [...set])
}

/**
 * Mailboxes by name, those that exist here (csync.md §8.2).
 * @param formerNames names under which the replica may still have them
 * @param useKnown trust what this connection has learnt of the replica's mailboxes (rolling)
 */
export async function syncMailboxes(
  session: ClientSession,
  names: readonly string[],
  {
    formerNames = [],
    useKnown = false,
    deletedHere,
  }: { formerNames?: readonly string[]; useKnown?: boolean; deletedHere?: ReadonlySet<string> } = {},
): Promise<void> {
  const { store, peer, options } = session
  for (let round = 0; round < ROUNDS; round++) {
    store.refresh()
    const ours = names
      .flatMap((name) => store.mailbox(name) ?? [])
      .filter(({ mbtype }) => !mbtype.includes('f') || peer.sieveMailbox)
    const known = useKnown && round === 0 ? names.map((name) => session.known.get(name)) : []
    let theirs: MailboxState[]
    if (known.length > 0 && known.every((state) => state !== undefined)) {
      options.tell(`MAILBOXES ${names.map((name) => `(${name})`).join(' ')}`)
      theirs = known as MailboxState[]
    } else {
      const all = [...new Set([...names, ...formerNames])]
      options.tell(`MAILBOXES ${all.join(' ')}`)
      theirs = await askMailboxes(session, all)
    }
    if ((await syncFolders(session, ours, theirs, { mayDelete: false, deletedHere })) === 'done') return
    await pause(0)
  }
  throw new ItemError(`failed to settle renames after ${ROUNDS} tries: ${names.join(' ')}`)
}

/** GET MAILBOXES; those that the replica does not have are missing from the answer. @throws {PeerRefusalError}, {PeerGoneError} */
export async function askMailboxes(session: ClientSession, names: readonly string[]): Promise<MailboxState[]> {
  if (names.length === 0) return []
  try {
    const { items } = await session.peer.ask('GET', 'MAILBOXES', [list(names, 'client')])
    const states = items
      .filter(({ key }) => key.toUpperCase() === 'MAILBOX')
      .map(({ value }) => parseState(value, 'server'))
    for (const state of states) session.remember(state.name, state)
    return states
  } catch (error) {
    if (error instanceof PeerRefusalError && error.code === 'IMAP_MAILBOX_NONEXISTENT') return []
    throw error
  }
}
