/** RESERVE (csync-2.3.md §4.6, §6.2): messages that the replica has in another of the mailboxes at hand are not sent again. */
import type { MailboxHeader } from '../../../store/store.js'
import { PeerRefusalError } from '../../client/peer_errors.js'
import { nameArgument } from '../text.js'
import { idOf, isLive } from './differences.js'
import type { RemoteMailbox } from './remote.js'
import type { ClientSession23 } from './session.js'

const NULL_ID = /^0+$/
/** Ids in one RESERVE. */
const MOST_IDS = 5000

/**
 * Lets the replica keep messages at hand that it has in one of its mailboxes and is to have in another: they need not be sent. Those that are in
 * one mailbox only are taken from there, and with them whatever else of that mailbox is wanted.
 */
export async function reserveAll(
  session: ClientSession23,
  ours: readonly MailboxHeader[],
  theirs: readonly RemoteMailbox[],
): Promise<void> {
  const places = new Map<string, number>()
  for (const { messages } of theirs)
    for (const id of new Set(messages.map(({ id }) => id)))
      if (!NULL_ID.test(id)) places.set(id, (places.get(id) ?? 0) + 1)
  if (places.size === 0) return
  const wanted = wantedIds(session, ours, theirs, places)
  const from = async (mailbox: RemoteMailbox): Promise<void> => {
    const ids = new Set<string>()
    for (const { id } of mailbox.messages) if (wanted.has(id)) ids.add(id)
    for (const id of await reserve(session, mailbox.name, [...ids])) wanted.delete(id)
  }
  for (const mailbox of theirs) {
    if (wanted.size === 0) return
    if (mailbox.messages.some(({ id }) => wanted.has(id) && places.get(id) === 1)) await from(mailbox)
  }
  for (const mailbox of theirs) {
    if (wanted.size === 0) return
    if (mailbox.messages.some(({ id }) => wanted.has(id))) await from(mailbox)
  }
}

/** Ids of messages that will be uploaded, are there somewhere, and not staged. */
function wantedIds(
  session: ClientSession23,
  ours: readonly MailboxHeader[],
  theirs: readonly RemoteMailbox[],
  places: ReadonlyMap<string, number>,
): Set<string> {
  const wanted = new Set<string>()
  const byId = new Map(theirs.map((mailbox) => [mailbox.uniqueid, mailbox]))
  for (const header of ours) {
    const index = session.store.index(header.id)
    if (index === undefined) continue
    const there = new Map(byId.get(header.uniqueid)?.messages.map(({ uid, id }) => [uid, id]))
    for (let row = 0; row < index.length; row++) {
      if (!isLive(index, row)) continue
      const id = idOf(session, index.record(row))
      if (there.get(index.uid(row)) !== id && places.has(id) && !session.staged.has(id)) wanted.add(id)
    }
  }
  return wanted
}

/** RESERVE, ids in the order of the mailbox. @returns those that are staged now; none if the mailbox is gone */
async function reserve(session: ClientSession23, name: string, ids: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (let at = 0; at < ids.length; at += MOST_IDS) {
    const some = ids.slice(at, at + MOST_IDS)
    try {
      await session.peer.ask(
        'RESERVE',
        [`RESERVE ${nameArgument(name)} ${some.join(' ')}`],
        async (_stars, line) => void found.push((await line.astring()).toLowerCase()),
      )
    } catch (error) {
      // then they are sent
      if (!(error instanceof PeerRefusalError)) throw error
      session.log.notice(error.message)
      break
    }
  }
  for (const id of found) session.staged.add(id)
  return found
}
