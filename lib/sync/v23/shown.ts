/** Which mailboxes the 2.3 generation can have: those with mail in them. Pure. */
import type { MailboxHeader, MailStore } from '../../store/store.js'

/** A mailbox that this generation can see: none that is only a name, or holds scripts. */
export function isShown(mailbox: Pick<MailboxHeader, 'mbtype'> | undefined): boolean {
  return mailbox !== undefined && !/[if]/.test(mailbox.mbtype)
}

/** A mailbox by its internal name; undefined if this generation cannot see one. */
export function shownMailbox(store: MailStore, name: string): MailboxHeader | undefined {
  const mailbox = store.mailbox(name)
  return isShown(mailbox) ? mailbox : undefined
}
