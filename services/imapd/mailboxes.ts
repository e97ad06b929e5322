/** Mailboxes by the names clients use, known only to those who may: without the right to look one up or to do what is asked it does not exist. */
import { type Rights, rightsOf } from '../../lib/mailbox/acl.js'
import { isDeleted, nameProblem, ownerOf, parentOf } from '../../lib/mailbox/names.js'
import type { MailboxHeader } from '../../lib/store/store.js'
import { DENIED, NO_MAILBOX, No } from './errors.js'
import type { Session } from './session.js'

export interface Found {
  readonly header: MailboxHeader
  readonly rights: Rights
}

/** The rights of the session's user. */
export function rightsIn(session: Session, header: MailboxHeader): Rights {
  return rightsOf(header, session.user!, session.isAdmin)
}

/** A mailbox by internal name; undefined if it does not exist for this user, or is none that holds mail. */
export function lookUp(session: Session, name: string): Found | undefined {
  const header = session.imapd.store.mailbox(name)
  return header && visible(session, header)
}

/** A mailbox with what the user may do with it; undefined if they may not know of it. */
export function visible(session: Session, header: MailboxHeader): Found | undefined {
  const found = reachable(session, header)
  return found && isListed(session, found) ? found : undefined
}

/** Whether LIST shows it. */
function isListed(session: Session, { header, rights }: Found): boolean {
  return rights.has('l') || ownerOf(header.name) === session.user
}

/** Whether LIST shows, or showed, a mailbox of this name and ACL. */
export function sees(session: Session, mailbox: Pick<MailboxHeader, 'name' | 'acl' | 'mbtype'>): boolean {
  if (!isOfUsers(session, mailbox)) return false
  return ownerOf(mailbox.name) === session.user || rightsOf(mailbox, session.user!, session.isAdmin).has('l')
}

/** Whether a mailbox can be one of this user's concern. */
function isOfUsers(session: Session, mailbox: Pick<MailboxHeader, 'name' | 'mbtype'>): boolean {
  if (!isShown(mailbox)) return false
  // what delayed deletion keeps is the administrators' to see
  return session.isAdmin || (!isDeleted(mailbox.name) && session.namespace!.isOwnDomain(mailbox.name))
}

/** A mailbox that this user's rights say something of. */
function reachable(session: Session, header: MailboxHeader): Found | undefined {
  return isOfUsers(session, header) ? { header, rights: rightsIn(session, header) } : undefined
}

/** Whether a mailbox is one of those that hold mail for people to see. */
function isShown({ mbtype }: Pick<MailboxHeader, 'mbtype'>): boolean {
  return mbtype === ''
}

/** Rights of which any one lets a user know of a mailbox whose name they know (RFC 4314 §4, Cyrus' MYRIGHTS). */
const KNOWING = 'rikxa'

/**
 * A mailbox by a client's name with the rights to do something. Who has those need not have `l` to do it.
 * @param needed rights, all of them; '' for any
 * @throws {No} if it does not exist, or the rights are not all there
 */
export function mustFind(session: Session, external: string, needed: string, tryCreate = false): Found {
  const name = session.namespace!.toInternal(external)
  const header = session.imapd.store.mailbox(name)
  const found = header && reachable(session, header)
  const isKnown =
    found && (isListed(session, found) || (needed === '' ? found.rights.hasAny(KNOWING) : found.rights.has(needed)))
  if (!isKnown)
    throw new No(tryCreate && mayCreate(session, name) ? `[TRYCREATE] ${NO_MAILBOX}` : `[NONEXISTENT] ${NO_MAILBOX}`)
  if (!found.rights.has(needed)) throw new No(`[NOPERM] ${DENIED}`)
  return found
}

/**
 * Whether the user may create a mailbox of this internal name: in their own tree, below a mailbox with the right `k`, or
 * anywhere as administrator.
 */
export function mayCreate(session: Session, name: string): boolean {
  if (nameProblem(name) !== undefined) return false
  if (session.isAdmin) return true
  for (let parent = parentOf(name); parent !== undefined; parent = parentOf(parent)) {
    const header = session.imapd.store.mailbox(parent)
    if (header) return rightsIn(session, header).has('k')
  }
  return false
}
