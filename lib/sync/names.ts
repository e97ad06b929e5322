/**
 * Internal mailbox names and the users they belong to, as replication needs them (csync.md §1): `user.NAME`, `DOMAIN!user.NAME`, deleted
 * ones below `DELETED.`; a dot inside a user name is written `^`. Pure.
 */

/** The internal name of a user's INBOX. */
export function inboxOf(userid: string): string {
  const at = userid.lastIndexOf('@')
  const local = (at < 0 ? userid : userid.slice(0, at)).replace(/\./g, '^')
  return at < 0 ? `user.${local}` : `${userid.slice(at + 1)}!user.${local}`
}

/** Where a user's deleted mailboxes are. @param deleted `deletedprefix` */
export function deletedOf(userid: string, deleted = 'DELETED'): string {
  const inbox = inboxOf(userid)
  const domain = inbox.indexOf('!')
  return domain < 0 ? `${deleted}.${inbox}` : `${inbox.slice(0, domain + 1)}${deleted}.${inbox.slice(domain + 1)}`
}

/** The user to whom a mailbox belongs, deleted ones included; '' for shared ones. */
export function ownerOf(name: string, deleted = 'DELETED'): string {
  const split = name.indexOf('!')
  const domain = split < 0 ? '' : name.slice(0, split)
  let local = name.slice(split + 1)
  if (local.startsWith(`${deleted}.`)) local = local.slice(deleted.length + 1)
  const match = /^user\.([^.]+)(?:\.|$)/.exec(local)
  if (match === null) return ''
  const user = match[1]!.replace(/\^/g, '.')
  return domain === '' ? user : `${user}@${domain}`
}

/** Whether a name is that of a user's Sieve scripts. */
export function isSieveMailbox(name: string): boolean {
  return name.endsWith('.#sieve')
}

/** Whether a name lies below the deleted ones. */
export function isDeletedName(name: string, deleted = 'DELETED'): boolean {
  return name.slice(name.indexOf('!') + 1).startsWith(`${deleted}.`)
}

/** A name that can stand in a mailbox list: not empty, no empty part, no control characters, of bounded length. */
export function isMailboxName(name: string): boolean {
  return name.length > 0 && name.length <= 1023 && !/(?:^|\.)(?:\.|$)|[\x00-\x1f\x7f/]/.test(name)
}
