/**
 * What mailboxes are for (RFC 6154, RFC 8457): `\Sent`, `\Trash` …, kept as the private annotation /specialuse of the user for whom they are
 * that. Of a user's mailboxes at most one is for each; mailboxes with a use are kept from being deleted by mistake.
 */
import type { Config } from '../config/config.js'
import type { MailboxHeader, MailStore } from '../store/store.js'
import { inboxOf, isInbox, ownerOf, parentOf } from './names.js'

export const SPECIAL_USE = '/specialuse'

/** Uses that mailboxes can be given. \All and \Flagged are views, which there are none of here. */
const USES = ['\\Archive', '\\Drafts', '\\Important', '\\Junk', '\\Sent', '\\Trash', '\\Snoozed']

/** A use that does not exist, or cannot be given; the message is for the client. */
export class SpecialUseError extends Error {
  override name = 'SpecialUseError'
}

/** Another mailbox has that use, or the operation is kept from mailboxes with a use. */
export class SpecialUseConflictError extends Error {
  override name = 'SpecialUseConflictError'
  constructor() {
    super('SPECIAL-USE flag conflict')
  }
}

/** What a mailbox is for, as a user sees it: `\Sent`. */
export function specialUses(store: MailStore, mailbox: Pick<MailboxHeader, 'id'>, userid: string): string[] {
  const value = store.annotation(mailbox.id, SPECIAL_USE, userid)
  return value === undefined ? [] : wordsOf(value.toString('latin1'))
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '')
}

function known(config: Config): string[] {
  return [...config.list('specialuse_extra'), ...USES]
}

/**
 * Uses as they are kept.
 * @param text separated by blanks, in any case, with or without the backslash
 * @param mailbox internal name of the one that is to have them
 * @throws {SpecialUseError}; {SpecialUseConflictError} if another of the user's mailboxes has one of them
 */
export function canonicalUses(store: MailStore, userid: string, text: string, mailbox: string): string {
  const uses = wordsOf(text).map((word) => {
    const lower = word.toLowerCase()
    const use = known(store.config).find(
      (each) => each.toLowerCase() === lower || each.slice(1).toLowerCase() === lower,
    )
    if (use === undefined) throw new SpecialUseError('Invalid annotation entry')
    return use
  })
  if (uses.length > 0) {
    for (const other of store.mailboxes(inboxOf(userid))) {
      if (other.name !== mailbox && specialUses(store, other, userid).some((use) => uses.includes(use)))
        throw new SpecialUseConflictError()
    }
    const childless = store.config.list('specialuse_nochildren')
    if (uses.some((use) => childless.includes(use)) && hasChildren(store, mailbox))
      throw new SpecialUseError('Mailbox has children')
  }
  return uses.join(' ')
}

function hasChildren(store: MailStore, name: string): boolean {
  for (const each of store.mailboxes(name)) if (each.name !== name) return true
  return false
}

/** Whether a new mailbox may be made for a use: directly below INBOX, unless `allowspecialusesubfolder`. @throws {SpecialUseConflictError} */
export function checkPlace(config: Config, name: string): void {
  const parent = parentOf(name)
  if (parent !== undefined && !isInbox(parent) && !config.switch('allowspecialusesubfolder'))
    throw new SpecialUseConflictError()
}

/** @throws {SpecialUseError} if the mailbox above is for something that allows none below it */
export function checkParent(store: MailStore, name: string, userid: string): void {
  const childless = store.config.list('specialuse_nochildren')
  const parent = childless.length === 0 ? undefined : store.mailbox(parentOf(name) ?? '')
  if (parent !== undefined && specialUses(store, parent, userid).some((use) => childless.includes(use)))
    throw new SpecialUseError('Mailbox may not have children')
}

/**
 * Whether a user may delete a mailbox, or move it to another parent.
 * @throws {SpecialUseConflictError} if it has a use of `specialuse_protect`
 */
export function checkUnprotected(store: MailStore, mailbox: MailboxHeader, userid: string): void {
  const guarded = store.config.list('specialuse_protect').map((use) => use.toLowerCase())
  const owner = ownerOf(mailbox.name) ?? userid
  if (specialUses(store, mailbox, owner).some((use) => guarded.includes(use.toLowerCase())))
    throw new SpecialUseConflictError()
}
