/**
 * A set of mailboxes brought into line with the replica's (csync-2.3.md §6.2): messages that are there already are reserved, mailboxes that are gone
 * here are deleted, others renamed, made, and their contents compared. Mailboxes are matched by unique id.
 */

import type { MailboxHeader } from '../../../store/store.js'
import { PeerRefusalError } from '../../client/peer_errors.js'
import { type Place, planFolders } from '../../client/plan.js'
import { ItemError } from '../../client/session.js'
import { bytesOf } from '../../dlist.js'
import { inboxOf, isDeletedName, ownerOf } from '../../names.js'
import { listedAnnotations } from '../listed_annotations.js'
import { CONDSTORE, OPTION_ANNOTATIONS, optionBits } from '../mailbox_lines.js'
import { isShown } from '../shown.js'
import { astring, nameArgument } from '../text.js'
import { syncAnnotations } from './annotations.js'
import { OtherMailboxError, syncChanges, syncMessages } from './mailbox.js'
import { syncMeta, syncOwnSeen } from './meta.js'
import { askMailboxes, type RemoteMailbox } from './remote.js'
import { reserveAll } from './reserve.js'
import type { ClientSession23, KnownMailbox } from './session.js'

/** Mailboxes of the replica that are remembered. */
const MOST_KNOWN = 20_000

/** One mailbox of several could not be brought into line. */
export class FolderFailure extends ItemError {
  override name = 'FolderFailure'
  constructor(
    readonly mailbox: string,
    override readonly cause: Error,
  ) {
    super(cause.message)
  }
}

/**
 * @param ours in the order in which they are done  @param theirs all that the replica has told of them
 * @param forUser whether this is part of a run over all that is a user's
 * @throws {FolderFailure} naming the mailbox with which it failed, the others before it being done; {PeerGoneError}
 */
export async function syncFolders(
  session: ClientSession23,
  ours: readonly MailboxHeader[],
  theirs: readonly RemoteMailbox[],
  { forUser }: { readonly forUser: boolean },
): Promise<void> {
  await reserveAll(session, ours, theirs)
  const byId = new Map(theirs.map((mailbox) => [mailbox.uniqueid, mailbox]))
  await arrange(session, ours, theirs)
  for (const header of ours) {
    // it may have gone since
    const current = session.store.mailboxById(header.id)
    if (current === undefined || current.name !== header.name) continue
    await attempt(header.name, async () => {
      const their = byId.get(header.uniqueid)
      session.known.delete(header.uniqueid)
      const state = stateOf(session, current)
      if (their === undefined) remember(session, state, await make(session, current))
      else {
        await updateFields(session, current, their)
        await syncAnnotations(session, current.name)
        remember(session, state, await syncMessages(session, current, their))
      }
      // a user's INBOX that was not there: nothing else of the user's will be, either
      const owner = ownerOf(current.name)
      if (their === undefined && !forUser && owner !== '' && current.name === inboxOf(owner))
        await syncMeta(session, owner)
    })
  }
}

/** Names the mailbox with which something has failed. */
async function attempt(mailbox: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof PeerRefusalError || error instanceof ItemError) throw new FolderFailure(mailbox, error)
    throw error
  }
}

/** Deletes and renames, through a temporary name where mailboxes have exchanged theirs. */
async function arrange(
  session: ClientSession23,
  ours: readonly MailboxHeader[],
  theirs: readonly RemoteMailbox[],
): Promise<void> {
  const { peer, options } = session
  const places = (all: readonly { uniqueid: string; name: string }[]): Place[] =>
    all.map(({ uniqueid, name }) => ({ uniqueid, name, partition: null }))
  const temporary = ({ name, uniqueid }: Place): string => {
    const owner = ownerOf(name)
    return owner === '' || isDeletedName(name) ? `${name}-sync-${uniqueid}` : `${inboxOf(owner)}.sync-${uniqueid}`
  }
  const plan = planFolders(places(ours), places(theirs), () => true, temporary, { partitionMoves: false })
  for (const name of plan.remove) {
    options.tell(`DELETE ${name}`)
    await attempt(name, async () => void (await peer.say('DELETE', nameArgument(name))))
  }
  for (const { from, to } of plan.renames) {
    options.tell(`RENAME ${from} ${to}`)
    await attempt(to, async () => void (await peer.say('RENAME', nameArgument(from), nameArgument(to))))
  }
}

/** A mailbox that is not there. @returns as syncMessages */
async function make(session: ClientSession23, header: MailboxHeader): Promise<MailboxHeader | undefined> {
  const { peer, store, options } = session
  const { name, uniqueid, acl, uidvalidity } = header
  session.seenTold.delete(uniqueid)
  const bits = optionBits(header.options, store.annotations(header.id), peer.release)
  options.tell(`CREATE ${name}`)
  await peer.ask('CREATE', [
    `CREATE ${nameArgument(name)} ${nameArgument(options.partition ?? header.partition)} ${astring(uniqueid)} ${astring(bytesOf(acl))} 0 ${bits} ${uidvalidity}`,
  ])
  await syncQuota(session, name, undefined)
  await syncAnnotations(session, name)
  return syncMessages(session, header, undefined)
}

/** What is not a message or an annotation of a mailbox that is there. */
async function updateFields(
  session: ClientSession23,
  header: MailboxHeader,
  their: Pick<RemoteMailbox, 'acl' | 'uidvalidity' | 'options' | 'quota'>,
): Promise<void> {
  const { peer, store } = session
  const { name, acl, uidvalidity } = header
  if (acl !== their.acl) await peer.ask('SETACL', [`SETACL ${nameArgument(name)} ${astring(bytesOf(acl))}`])
  if (their.uidvalidity !== undefined && their.uidvalidity !== uidvalidity)
    await peer.say('SETUIDVALIDITY', nameArgument(name), `${uidvalidity}`)
  const bits = optionBits(header.options, store.annotations(header.id), peer.release)
  for (const [entry, bit] of OPTION_ANNOTATIONS) {
    // before 2.3.14 only CONDSTORE was kept in line
    if (((bits ^ their.options) & bit) === 0 || (entry !== CONDSTORE && !peer.release.wholesale)) continue
    await peer.say('SETANNOTATION', nameArgument(name), entry, '""', bits & bit ? 'true' : 'false')
  }
  await syncQuota(session, name, their.quota)
}

type MailboxFields = Omit<KnownMailbox, 'modseq' | 'lastUid'>

/** What is here beside messages. */
function stateOf({ store, peer }: ClientSession23, header: MailboxHeader): MailboxFields & { uniqueid: string } {
  const { name, uniqueid, acl, uidvalidity } = header
  const quota = store.quota(name)
  return {
    name,
    uniqueid,
    acl,
    uidvalidity,
    options: optionBits(header.options, store.annotations(header.id), peer.release),
    quota: quota && (quota.limits.STORAGE ?? -1),
    annotations: listedAnnotations(store, name)
      .map(({ entry, userid, value }) => `${entry}\0${userid}\0${value.toString('latin1')}`)
      .join('\0\0'),
  }
}

/** A mailbox is in line. @param header as of which its messages are */
function remember(
  { known }: ClientSession23,
  { uniqueid, ...fields }: ReturnType<typeof stateOf>,
  header: MailboxHeader | undefined,
): void {
  if (header === undefined) return
  if (known.size >= MOST_KNOWN) known.clear()
  known.set(uniqueid, { ...fields, modseq: header.highestModseq, lastUid: header.lastUid })
}

/** A mailbox that was in line on this connection: what has changed here since. @returns whether that was possible  @throws as syncFolders */
async function syncKnown(session: ClientSession23, header: MailboxHeader): Promise<boolean> {
  const before = session.known.get(header.uniqueid)
  if (before === undefined || before.name !== header.name) return false
  session.known.delete(header.uniqueid)
  try {
    const state = stateOf(session, header)
    const now = await syncChanges(session, header, before)
    if (now === undefined) return false
    const { uidvalidity } = before
    await updateFields(session, header, {
      ...before,
      uidvalidity: session.peer.release.guids ? uidvalidity : undefined,
    })
    if (state.annotations !== before.annotations) await syncAnnotations(session, header.name)
    remember(session, state, now)
    return true
  } catch (error) {
    // a look at all of it may find the reason
    if (!(error instanceof PeerRefusalError || error instanceof OtherMailboxError)) throw error
    session.log.notice(`${header.name}: ${error.message}; looking at all of it`)
    return false
  }
}

/** SETQUOTA if the mailbox is a quota root and its limit is another one there. @param there KiB, -1 no limit; undefined no root */
async function syncQuota({ peer, store }: ClientSession23, name: string, there: number | undefined): Promise<void> {
  const quota = store.quota(name)
  if (quota === undefined) return
  const limit = quota.limits.STORAGE ?? -1
  if (limit !== there) await peer.say('SETQUOTA', nameArgument(name), `${limit}`)
}

/**
 * Mailboxes by name; those that are not here are deleted there.
 * @param useKnown trust what this connection has brought into line (rolling): of such a mailbox not all is looked at again
 * @throws {FolderFailure}; {PeerRefusalError}, {PeerGoneError}
 */
export async function syncMailboxes(
  session: ClientSession23,
  names: readonly string[],
  { useKnown = false }: { readonly useKnown?: boolean } = {},
): Promise<void> {
  session.options.tell(`MAILBOXES ${names.join(' ')}`)
  const rest: string[] = []
  for (const name of names) {
    const mailbox = useKnown ? session.mailbox(name) : undefined
    if (mailbox === undefined) rest.push(name)
    else await attempt(name, async () => void ((await syncKnown(session, mailbox)) || rest.push(name)))
  }
  const theirs = await askMailboxes(session, rest)
  session.store.refresh()
  const ours = rest.flatMap((name) => session.mailbox(name) ?? [])
  // what has another name here, of which the log will speak later, is not to be deleted there and sent again
  const listed = new Set(ours.map(({ uniqueid }) => uniqueid))
  for (const { uniqueid } of theirs) {
    const renamed = listed.has(uniqueid) ? undefined : session.store.mailboxByUniqueid(uniqueid)
    if (isShown(renamed)) ours.push(renamed!)
  }
  if (rest.length > 0) await syncFolders(session, ours, theirs, { forUser: false })
  for (const name of names) {
    const mailbox = session.mailbox(name)
    if (mailbox !== undefined) await attempt(name, () => syncOwnSeen(session, mailbox))
  }
}
