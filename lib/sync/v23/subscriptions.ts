/** Subscriptions as the 2.3 generation names them (csync-2.3.md §4.10): `INBOX…` for a user's own mailboxes, others internally. */
import type { MailStore } from '../../store/store.js'
import { inboxOf } from '../names.js'

/** The name by which a user knows a mailbox: `INBOX…` for their own, others as they are. */
export function ownName(name: string, userid: string): string {
  const inbox = inboxOf(userid)
  return name === inbox || name.startsWith(`${inbox}.`) ? `INBOX${name.slice(inbox.length)}` : name
}

/** The internal name of what `INBOX…`, in any case, or an internal name means to a user. */
export function internalName(name: string, userid: string): string {
  return /^inbox(?=\.|$)/i.test(name) ? inboxOf(userid) + name.slice(5) : name
}

/** A user's subscriptions as they are told, in byte order. */
export function subscriptionsOf(store: MailStore, userid: string): string[] {
  return [...store.subscriptions(userid)].map((name) => ownName(name, userid)).sort()
}
