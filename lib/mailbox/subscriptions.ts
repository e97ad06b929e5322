/** Subscriptions of users. A mailbox may be subscribed whether it exists or not; a rename or deletion leaves them as they are (RFC 3501 §6.3.6). */
import { type MailStore, syncLogLine } from '../store/store.js'

/** Subscribes or unsubscribes a mailbox, by its internal name. @returns whether that changed anything */
export function setSubscribed(store: MailStore, userid: string, name: string, subscribed: boolean): Promise<boolean> {
  return store.write((txn) => {
    const changed = txn.setSubscribed(userid, name, subscribed)
    if (changed) txn.log(syncLogLine('SUB', userid, name))
    return changed
  })
}
