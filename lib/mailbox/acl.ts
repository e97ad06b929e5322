/**
 * Access control lists: `identifier TAB rights TAB …` and who may do what by one (RFC 4314, with Cyrus' letters).
 * Identifiers: a user id, `anyone`, `anonymous`, `group:` and a Unix group of this machine; a leading `-` takes rights away. Pure but for asking
 * who is in a group.
 */
import { isGroupMember } from '../os/groups.js'
import { ownerOf } from './names.js'

/** The rights of a user's own new mailboxes. */
export const OWNER_ACL_RIGHTS = 'lrswipkxtecdan'
/** All rights in the order in which Cyrus writes them; the digits are the administrator's to give a meaning. */
export const ALL_RIGHTS = `${OWNER_ACL_RIGHTS}0123456789`
/** What an owner of a mailbox can always do, whatever its ACL says (Cyrus' implicit_owner_rights, `c` shown for `kx`). */
const OWNER_RIGHTS = 'lkxcan'
/** What an administrator can always do: see a mailbox and change its ACL; for more they give themselves the rights, as with Cyrus. */
const ADMIN_RIGHTS = 'la'

/** A set of rights. */
export class Rights {
  constructor(readonly letters: string) {}

  /** Whether all of the given rights are there. `d` is met by `t` and `e`, `c` by `k`, as RFC 4314 §2.1.1 unfolds them. */
  has(rights: string): boolean {
    for (const right of rights) if (!this.letters.includes(right)) return false
    return true
  }

  hasAny(rights: string): boolean {
    for (const right of rights) if (this.letters.includes(right)) return true
    return false
  }
}

/** The ACL of a new INBOX. */
export function ownerAcl(userid: string): string {
  return `${userid}\t${OWNER_ACL_RIGHTS}\t`
}

/** An ACL as pairs, in its own order. A malformed tail is left out. */
export function parseAcl(acl: string): [identifier: string, rights: string][] {
  const fields = acl.split('\t')
  const pairs: [string, string][] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    if (fields[at] !== '') pairs.push([fields[at]!, fields[at + 1]!])
  }
  return pairs
}

export function formatAcl(pairs: readonly (readonly [identifier: string, rights: string])[]): string {
  return pairs.map(([identifier, rights]) => `${identifier}\t${rights}\t`).join('')
}

/** An ACL from configuration: `anyone lrs other lr`. */
export function aclOfWords(words: string): string {
  const parts = words.split(/\s+/).filter((word) => word !== '')
  let acl = ''
  for (let at = 0; at + 1 < parts.length; at += 2) acl += `${parts[at]}\t${parts[at + 1]}\t`
  return acl
}

const GROUP = 'group:'

/** Whether an identifier is a group that a user is in. */
function isGroupOf(identifier: string, userid: string): boolean {
  return identifier.startsWith(GROUP) && isGroupMember(userid, identifier.slice(GROUP.length))
}

/** What a user may do with a mailbox. */
export function rightsOf(mailbox: { name: string; acl: string }, userid: string, isAdmin: boolean): Rights {
  const granted = new Set<string>()
  const denied = new Set<string>()
  for (const [identifier, rights] of parseAcl(mailbox.acl)) {
    const negative = identifier.startsWith('-')
    const who = negative ? identifier.slice(1) : identifier
    if (who !== userid && who !== 'anyone' && !isGroupOf(who, userid)) continue
    for (const right of rights) (negative ? denied : granted).add(right)
  }
  for (const right of denied) granted.delete(right)
  for (const right of implicitRights(mailbox.name, userid)) granted.add(right)
  if (isAdmin) for (const right of ADMIN_RIGHTS) granted.add(right)
  return new Rights([...ALL_RIGHTS].filter((right) => granted.has(right)).join(''))
}

/** What somebody can do with a mailbox whatever its ACL says. */
export function implicitRights(name: string, userid: string): string {
  return ownerOf(name) === userid ? OWNER_RIGHTS : ''
}
