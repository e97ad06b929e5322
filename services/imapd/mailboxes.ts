/** Mailboxes by the names clients use, seen only by those who may: without the right to look one up it does not exist. */
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

/** A mailbox with what the user may do with it; undefined if it does not exist for them. */
export function visible(session: Session, header: MailboxHeader): Found | undefined {
  if (!isShown(header)) return undefined
  // what delayed deletion keeps is the administrators' to see
  if (!session.isAdmin && (isDeleted(header.name) || !session.namespace!.isOwnDomain(header.name))) return undefined
  const rights = rightsIn(session, header)
  return rights.has('l') || ownerOf(header.name) === session.user ? { header, rights } : undefined
}

/** Whether a mailbox is one of those that hold mail for people to see. */
function isShown({ mbtype }: MailboxHeader): boolean {
  return mbtype === ''
}

/**
 * A mailbox by a client's name with the rights to do something.
 * @throws {No} if it does not exist, or the rights are not all there
 */
export function mustFind(session: Session, external: string, needed: string, tryCreate = false): Found {
  const name = session.namespace!.toInternal(external)
  const found = lookUp(session, name)
  if (!found)
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
