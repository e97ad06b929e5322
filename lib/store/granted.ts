/**
 * Which mailboxes somebody may see, by who is named in their ACLs: so that listing costs what is listed, however many mailboxes a server has.
 * The ACL itself decides; this only says where to look.
 */
import type { Tables } from './database.js'
import { nameKey } from './keys.js'

/** A mailbox as the table knows it. */
export interface Granted {
  readonly name: string
  /** `identifier TAB rights TAB …` */
  readonly acl: string
}

/** As long as a login name can be, bytes. */
const LONGEST_IDENTIFIER = 512

/** Identifiers that an ACL gives the right to look the mailbox up. */
function identifiersOf(acl: string): Set<string> {
  const fields = acl.split('\t')
  const found = new Set<string>()
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const identifier = fields[at]!
    // longer ones, which only a replication peer could send, are nobody's who can log in, and no key of the table
    if (identifier === '' || Buffer.byteLength(identifier) > LONGEST_IDENTIFIER) continue
    if (!identifier.startsWith('-') && fields[at + 1]!.includes('l')) found.add(identifier)
  }
  return found
}

/** Inside a transaction: a mailbox has come, changed its name or ACL, or gone. */
export function updateGranted(
  { granted }: Tables,
  id: number,
  before: Granted | undefined,
  after: Granted | undefined,
): void {
  if (before?.name === after?.name && before?.acl === after?.acl) return
  const old = before === undefined ? new Set<string>() : identifiersOf(before.acl)
  const now = after === undefined ? new Set<string>() : identifiersOf(after.acl)
  const moved = before?.name !== after?.name
  for (const identifier of old) if (moved || !now.has(identifier)) granted.remove([identifier, nameKey(before!.name)])
  for (const identifier of now) if (moved || !old.has(identifier)) granted.put([identifier, nameKey(after!.name)], id)
}
