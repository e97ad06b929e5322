/** What is a user's own beside their mailboxes (csync-2.3.md §6.3): subscriptions, seen state, scripts. */
import { hasInternalSeen } from '../../../mailbox/seen.js'
import { sieveScripts } from '../../../mailbox/sieve_scripts.js'
import { type MailboxHeader, now, type SeenEntry } from '../../../store/store.js'
import { bytesOf } from '../../dlist.js'
import { inboxOf, ownerOf } from '../../names.js'
import { writeSeenFile } from '../seen_file.js'
import { seenEntryOf } from '../seen_state.js'
import { isShown } from '../shown.js'
import { internalName, subscriptionsOf } from '../subscriptions.js'
import { astring, nameArgument } from '../text.js'
import { askLines, oneText, type RemoteFile, readFile } from './remote.js'
import type { ClientSession23 } from './session.js'

/** Mailboxes of which it is remembered what was told. */
const MOST_TOLD = 20_000

/** Subscriptions, seen state, scripts. @throws {PeerRefusalError}, {PeerGoneError} */
export async function syncMeta(session: ClientSession23, userid: string): Promise<void> {
  session.options.tell(`META ${userid}`)
  const there = await askLines(session, 'LSUB', `LSUB ${nameArgument(userid)}`, oneText)
  await syncSubscriptions(session, userid, there)
  await syncSeen(session, userid)
  await syncSieve(session, userid)
}

/** Subscriptions, in byte order. @param theirs as the replica names them */
export async function syncSubscriptions(
  session: ClientSession23,
  userid: string,
  theirs: readonly string[],
): Promise<void> {
  const { store, peer, options } = session
  const ours = new Set(subscriptionsOf(store, userid))
  const there = new Set(theirs)
  const differing = [...new Set([...ours, ...theirs])].filter((name) => ours.has(name) !== there.has(name)).sort()
  for (const name of differing) {
    const verb = ours.has(name) ? 'ADDSUB' : 'DELSUB'
    const said = ours.has(name) ? name : internalName(name, userid)
    options.tell(`${verb} ${userid} ${said}`)
    await peer.say(verb, nameArgument(userid), nameArgument(said))
  }
}

/** SETSEEN_ALL with all that the user has read, if anything is known of it. */
export async function syncSeen({ store, peer, seenTold }: ClientSession23, userid: string): Promise<void> {
  const entries = new Map<string, SeenEntry>()
  for (const [uniqueid, entry] of store.seenEntries(userid)) {
    // what was a guest's may have become the owner's, by a rename
    const mailbox = store.mailboxByUniqueid(uniqueid)
    if (mailbox === undefined || !hasInternalSeen(mailbox, userid)) entries.set(uniqueid, entry)
  }
  for (const mailbox of store.mailboxes(inboxOf(userid))) {
    if (!isShown(mailbox) || !hasInternalSeen(mailbox, userid)) continue
    const entry = seenEntryOf(store, mailbox, userid)
    if (entry !== undefined) entries.set(mailbox.uniqueid, entry)
  }
  if (entries.size === 0) return
  const file = writeSeenFile(entries, now())
  seenTold.clear()
  await peer.ask('SETSEEN_ALL', [`SETSEEN_ALL ${nameArgument(userid)} {${file.length}+}\r\n`, file])
}

/**
 * What the owner has read in a mailbox, which our own servers log with its flags as MAILBOX, not as SEEN; unless that was told on this connection.
 * Where a 2.3 master has told it to us it comes with log lines of its own.
 * @throws {PeerRefusalError}, {PeerGoneError}
 */
export async function syncOwnSeen(session: ClientSession23, mailbox: MailboxHeader): Promise<void> {
  const { store, peer, seenTold } = session
  const owner = ownerOf(mailbox.name)
  const told23 = mailbox.ownerSeen !== 0 && mailbox.ownerSeen[0] >= 0
  if (owner === '' || told23 || !hasInternalSeen(mailbox, owner)) return
  const entry = seenEntryOf(store, mailbox, owner)
  if (entry === undefined) return
  const { lastRead, lastUid, lastChange, seenUids } = entry
  // when a record changed for another reason, that is no news
  const told = `${lastRead} ${lastUid} ${seenUids}`
  if (seenTold.get(mailbox.uniqueid) === told) return
  const numbers = [lastRead, lastUid, lastChange].map(String)
  await peer.say('SETSEEN', nameArgument(owner), nameArgument(mailbox.name), ...numbers, astring(seenUids))
  if (seenTold.size >= MOST_TOLD) seenTold.clear()
  seenTold.set(mailbox.uniqueid, told)
}

/** Scripts alone (`-s`). @throws {PeerRefusalError}, {PeerGoneError} */
export async function syncSieve(session: ClientSession23, userid: string): Promise<void> {
  const theirs = await askLines(session, 'LIST_SIEVE', `LIST_SIEVE ${nameArgument(userid)}`, readFile)
  await syncFiles(session, userid, theirs)
}

interface LocalFile extends RemoteFile {
  readonly content: Buffer
}

async function localFiles({ store }: ClientSession23, userid: string): Promise<LocalFile[]> {
  const files: LocalFile[] = store.sieveFiles(userid).map(([name, file]) => ({ name, ...file }))
  const known = new Set(files.map(({ name }) => name))
  // what came otherwise has no byte code that such a replica could run
  for (const { name, lastUpdate, content } of await sieveScripts(store, userid))
    if (!known.has(`${name}.script`)) files.push({ name: `${name}.script`, mtime: lastUpdate, active: false, content })
  return files
}

/** Files of the Sieve directory: what is missing or older there, what is too much, and which is run. */
export async function syncFiles(
  session: ClientSession23,
  userid: string,
  theirs: readonly RemoteFile[],
): Promise<void> {
  const { peer } = session
  const user = nameArgument(userid)
  const there = new Map(theirs.map((file) => [file.name, file]))
  const ours = await localFiles(session, userid)
  // what has changed twice within a second is not to be told by its time
  const lately = now() - 2
  const known = new Set(ours.map(({ name }) => name))
  for (const { name, mtime, content } of ours) {
    const their = there.get(name)
    if (their !== undefined && (their.mtime > mtime || (their.mtime === mtime && mtime < lately))) continue
    await peer.ask('UPLOAD_SIEVE', [
      `UPLOAD_SIEVE ${user} ${astring(bytesOf(name))} ${mtime} {${content.length}+}\r\n`,
      content,
    ])
  }
  for (const { name } of theirs) if (!known.has(name)) await peer.say('DELETE_SIEVE', user, astring(bytesOf(name)))
  const active = ours.find((file) => file.active)?.name
  const activeThere = theirs.find((file) => file.active && known.has(file.name))?.name
  if (active !== undefined && active !== activeThere) await peer.say('ACTIVATE_SIEVE', user, astring(bytesOf(active)))
  else if (active === undefined && activeThere !== undefined) await peer.say('DEACTIVATE_SIEVE', user)
}
