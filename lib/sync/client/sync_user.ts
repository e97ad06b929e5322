/** A user with everything that is theirs (csync.md §8.1, §8.6, §8.7): mailboxes, quota roots, subscriptions, seen state. */
import { quotaRootOf } from '../../mailbox/quota.js'
import type { MailboxHeader, QuotaRoot, SeenEntry } from '../../store/store.js'
import { bytesOf, scalar, stringsOf } from '../dlist.js'
import { type MailboxState, parseState } from '../mailbox_codec.js'
import { deletedOf, inboxOf } from '../names.js'
import {
  type NamedAnnotation,
  parseAnnotation,
  parseQuota,
  parseSeen,
  parseSieve,
  type SieveEntry,
  sameLimits,
  sameSeen,
  writeAnnotation,
  writeQuota,
  writeSeen,
  writeSubscription,
} from '../user_codec.js'
import type { WireItem } from '../wire_reader.js'
import { PeerRefusalError } from './peer_errors.js'
import { type ClientSession, ItemError } from './session.js'
import { syncFolders, unmailbox } from './sync_folders.js'
import { syncSieve } from './sync_sieve.js'

const ROUNDS = 3

/** What a replica tells of a user. */
export interface RemoteUser {
  readonly mailboxes: MailboxState[]
  readonly quotas: Map<string, QuotaRoot>
  readonly subscriptions: Set<string>
  readonly seen: Map<string, SeenEntry>
  readonly sieve: SieveEntry[]
}

/** GET USER or GET META; of a user whom the replica does not know, nothing. @throws {PeerRefusalError}, {PeerGoneError} */
export async function askUser(session: ClientSession, what: 'USER' | 'META', userid: string): Promise<RemoteUser> {
  const user: RemoteUser = { mailboxes: [], quotas: new Map(), subscriptions: new Set(), seen: new Map(), sieve: [] }
  let items: WireItem[] = []
  try {
    ;({ items } = await session.peer.ask('GET', what, [scalar(bytesOf(userid), 'client')]))
  } catch (error) {
    if (!(error instanceof PeerRefusalError && error.code === 'IMAP_MAILBOX_NONEXISTENT')) throw error
  }
  for (const { key, value } of items) {
    switch (key.toUpperCase()) {
      case 'MAILBOX': {
        const state = parseState(value, 'server')
        user.mailboxes.push(state)
        session.remember(state.name, state)
        break
      }
      case 'QUOTA': {
        const { root, quota } = parseQuota(value)
        user.quotas.set(root, quota)
        break
      }
      case 'LSUB':
        for (const name of stringsOf(value)) user.subscriptions.add(name)
        break
      case 'SEEN': {
        const { uniqueid, entry } = parseSeen(value)
        user.seen.set(uniqueid, entry)
        break
      }
      case 'SIEVE':
        user.sieve.push(parseSieve(value))
    }
  }
  return user
}

/**
 * The whole user. A user without INBOX here is left as it is there.
 * @throws {PeerRefusalError}, {ItemError}, {PeerGoneError}
 */
export async function syncUser(
  session: ClientSession,
  userid: string,
  deletedHere?: ReadonlySet<string>,
): Promise<void> {
  const { store, peer, options } = session
  options.tell(`USER ${userid}`)
  for (let round = 0; round < ROUNDS; round++) {
    const theirs = await askUser(session, 'USER', userid)
    store.refresh()
    if (store.mailbox(inboxOf(userid)) === undefined) {
      options.tell(`Does not exist locally ${userid}`)
      return
    }
    const ours = mailboxesOf(session, userid)
    if ((await syncFolders(session, ours, theirs.mailboxes, { mayDelete: true, deletedHere })) === 'again') continue
    await syncQuotas(session, ours, theirs.quotas)
    await syncSubscriptions(session, userid, theirs.subscriptions)
    await syncSeen(session, userid, theirs.seen)
    if (!peer.sieveMailbox) await syncSieve(session, userid, theirs.sieve)
    return
  }
  throw new ItemError(`failed to sync user ${userid} after ${ROUNDS} tries`)
}

/** A user's mailboxes here that are replicated, deleted ones included. */
export function mailboxesOf(
  { store, peer }: ClientSession,
  userid: string,
  withSieve = peer.sieveMailbox,
): MailboxHeader[] {
  return [...store.mailboxes(inboxOf(userid)), ...store.mailboxes(deletedOf(userid))].filter(
    ({ mbtype }) => !mbtype.includes('i') && (withSieve || !mbtype.includes('f')),
  )
}

/** Seen state and subscriptions of a user. */
export async function syncMeta(session: ClientSession, userid: string): Promise<void> {
  session.options.tell(`META ${userid}`)
  const theirs = await askUser(session, 'META', userid)
  await syncSeen(session, userid, theirs.seen)
  await syncSubscriptions(session, userid, theirs.subscriptions)
  if (!session.peer.sieveMailbox) await syncSieve(session, userid, theirs.sieve)
}

async function syncQuotas(
  session: ClientSession,
  ours: readonly MailboxHeader[],
  theirs: ReadonlyMap<string, QuotaRoot>,
): Promise<void> {
  const roots = new Map<string, QuotaRoot>()
  for (const { name } of ours) {
    const found = quotaRootOf(session.store, name)
    if (found !== undefined) roots.set(...found)
  }
  for (const [root, quota] of roots) {
    const there = theirs.get(root)
    if (there === undefined || !sameLimits(quota, there)) await syncQuota(session, root)
  }
  for (const root of theirs.keys()) if (!roots.has(root)) await syncQuota(session, root)
}

/** A quota root as it is here now, or that it is gone. */
export async function syncQuota({ store, peer, options }: ClientSession, root: string): Promise<void> {
  const quota = store.quota(root)
  options.tell(`QUOTA ${root}`)
  if (quota === undefined) await peer.ask('APPLY', 'UNQUOTA', [scalar(bytesOf(root), 'client')])
  else await peer.ask('APPLY', 'QUOTA', [writeQuota(root, quota, 'client')])
}

async function syncSubscriptions(session: ClientSession, userid: string, theirs: ReadonlySet<string>): Promise<void> {
  const ours = new Set(session.store.subscriptions(userid))
  for (const name of ours) if (!theirs.has(name)) await syncSubscription(session, userid, name)
  for (const name of theirs) if (!ours.has(name)) await syncSubscription(session, userid, name)
}

/** A subscription as it is here now. */
export async function syncSubscription(
  { store, peer, options }: ClientSession,
  userid: string,
  name: string,
): Promise<void> {
  const command = store.isSubscribed(userid, name) ? 'SUB' : 'UNSUB'
  options.tell(`${command} ${userid} ${name}`)
  await peer.ask('APPLY', command, [writeSubscription(userid, name, 'client')])
}

async function syncSeen(session: ClientSession, userid: string, theirs: ReadonlyMap<string, SeenEntry>): Promise<void> {
  for (const [uniqueid, entry] of [...session.store.seenEntries(userid)]) {
    const there = theirs.get(uniqueid)
    if (there === undefined || !sameSeen(entry, there)) await syncSeenEntry(session, userid, uniqueid)
  }
}

/** A seen entry as it is here now; one that is gone stays there. */
export async function syncSeenEntry(
  { store, peer, options }: ClientSession,
  userid: string,
  uniqueid: string,
): Promise<void> {
  const entry = store.seen(userid, uniqueid)
  if (entry === undefined) return
  options.tell(`SEEN ${userid} ${uniqueid}`)
  await peer.ask('APPLY', 'SEEN', [writeSeen(userid, uniqueid, entry, 'client')])
}

/** The annotations of the server (empty name) or of a mailbox. */
export async function syncAnnotations({ store, peer, options }: ClientSession, name: string): Promise<void> {
  options.tell(`ANNOTATION ${name}`)
  const id = name === '' ? 0 : store.mailbox(name)?.id
  if (id === undefined) return
  const { items } = await peer.ask('GET', 'ANNOTATION', [scalar(bytesOf(name), 'client')])
  const key = ({ entry, userid }: Pick<NamedAnnotation, 'entry' | 'userid'>): string => `${entry}\0${userid}`
  const theirs = new Map(
    items
      .filter((item) => item.key.toUpperCase() === 'ANNOTATION')
      .map(({ value }) => parseAnnotation(value, true))
      .map((each) => [key(each), each]),
  )
  for (const { entry, userid, value } of store.annotations(id)) {
    const there = theirs.get(key({ entry, userid }))
    theirs.delete(key({ entry, userid }))
    if (there?.value.equals(value)) continue
    await peer.ask('APPLY', 'ANNOTATION', [writeAnnotation({ name, entry, userid, value }, true, 'client')])
  }
  for (const gone of theirs.values())
    await peer.ask('APPLY', 'UNANNOTATION', [writeAnnotation({ ...gone, name }, false, 'client')])
}

/** A mailbox deleted at once here: removed there too, unless there is one of that name again. */
export async function syncUnmailbox(session: ClientSession, name: string): Promise<void> {
  const { store } = session
  if (store.mailbox(name) !== undefined || store.tombstone(name) === undefined) return
  await unmailbox(session, name)
}

/** A user who is gone here. */
export async function syncUnuser(session: ClientSession, userid: string): Promise<void> {
  if (session.store.mailbox(inboxOf(userid)) !== undefined) return
  session.options.tell(`UNUSER ${userid}`)
  session.known.clear()
  await session.peer
    .ask('APPLY', session.verb('UNUSER'), [scalar(bytesOf(userid), 'client')])
    .catch((error: unknown) => {
      if (!(error instanceof PeerRefusalError && error.code === 'IMAP_MAILBOX_NONEXISTENT')) throw error
    })
}
