/** A user with all that is theirs (csync-2.3.md §6.3). */
import { setTimeout as pause } from 'node:timers/promises'
import { PeerRefusalError } from '../../client/peer_errors.js'
import { ItemError } from '../../client/session.js'
import { inboxOf } from '../../names.js'
import { isShown } from '../shown.js'
import { nameArgument } from '../text.js'
import { syncFolders } from './folders.js'
import { syncFiles, syncSeen, syncSubscriptions } from './meta.js'
import { askUser, type RemoteUser } from './remote.js'
import type { ClientSession23 } from './session.js'

/**
 * The whole user, in some tries. One without INBOX here is removed there.
 * @param stopping ends the tries
 * @throws {PeerRefusalError}, {ItemError}, {PeerGoneError}
 */
export async function syncUser(
  session: ClientSession23,
  userid: string,
  stopping: () => boolean = () => false,
): Promise<void> {
  const { pauses } = session.options
  for (let round = 0; ; round++) {
    if (pauses[round]! > 0) await pause(pauses[round])
    try {
      await syncUserOnce(session, userid)
      return
    } catch (error) {
      const again = error instanceof PeerRefusalError || error instanceof ItemError
      if (!again || round + 1 >= pauses.length || stopping()) throw error
    }
  }
}

async function syncUserOnce(session: ClientSession23, userid: string): Promise<void> {
  const { store, peer, options } = session
  options.tell(`USER ${userid}`)
  store.refresh()
  const inbox = session.mailbox(inboxOf(userid))
  const reset = async (): Promise<void> => void (await peer.say('RESET', nameArgument(userid)))
  if (inbox === undefined) return reset()
  let theirs: RemoteUser = { mailboxes: [], subscriptions: [], files: undefined }
  let same = false
  try {
    theirs = await askUser(session, userid)
    same = theirs.mailboxes.some(({ name, uniqueid }) => name === inbox.name && uniqueid === inbox.uniqueid)
  } catch (error) {
    if (!(error instanceof PeerRefusalError && error.code === 'IMAP_MAILBOX_NONEXISTENT')) throw error
  }
  if (!same) {
    await reset()
    theirs = { mailboxes: [], subscriptions: [], files: undefined }
  }
  const ours = [...store.mailboxes(inbox.name)].filter(isShown)
  await syncFolders(session, ours, theirs.mailboxes, { forUser: true })
  await syncSubscriptions(session, userid, theirs.subscriptions)
  await syncSeen(session, userid)
  // 2.3.8 lists somebody else's here, so that none may mean some; then all are sent
  await syncFiles(session, userid, theirs.files ?? [])
}
