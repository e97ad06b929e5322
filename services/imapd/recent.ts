/**
 * Who gets to call new messages \Recent: the first session that is told of them (RFC 3501 §2.3.2). Sessions of this process
 * see each other's claims at once, other processes when the claim is in the store.
 */
import { hasInternalSeen, markRecent, recentUid } from '../../lib/mailbox/seen.js'
import type { MailboxHeader, MailStore } from '../../lib/store/store.js'

interface Claim {
  uid: number
  noted: Promise<void>
}

/** Claims on their way to the store. */
const claims = new WeakMap<MailStore, Map<string, Claim>>()

function claimsOf(store: MailStore): Map<string, Claim> {
  let all = claims.get(store)
  if (!all) {
    all = new Map()
    claims.set(store, all)
  }
  return all
}

/** Messages above this UID are \Recent for whoever claims them first. */
export function claimedUid(store: MailStore, mailbox: MailboxHeader, userid: string): number {
  return Math.max(recentUid(store, mailbox, userid), claimsOf(store).get(keyOf(mailbox, userid))?.uid ?? 0)
}

/** Claims all messages up to a UID. @returns settles when the claim is in the store, or could not be put there (logged) */
export function claim(store: MailStore, mailbox: MailboxHeader, userid: string, uid: number): Promise<void> {
  const all = claimsOf(store)
  const key = keyOf(mailbox, userid)
  const known = all.get(key)
  if (known && known.uid >= uid) return known.noted
  const noted = markRecent(store, mailbox, userid, uid)
    .catch((error: Error) => store.log.warning(`${mailbox.name}: \\Recent cannot be noted: ${error.message}`))
    .finally(() => {
      if (all.get(key)?.noted === noted) all.delete(key)
    })
  all.set(key, { uid, noted })
  return noted
}

/** The owner's claim stands in the mailbox, a guest's beside their seen state. */
function keyOf(mailbox: MailboxHeader, userid: string): string {
  return hasInternalSeen(mailbox, userid) ? String(mailbox.id) : `${mailbox.id} ${userid}`
}
