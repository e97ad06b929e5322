/** Which flags a set of rights lets a user change: \Seen is `s`, \Deleted `t`, all others `w` (RFC 4314 §4). */
import type { Rights } from '../../lib/mailbox/acl.js'
import { Flag, SYSTEM_FLAGS } from '../../lib/store/store.js'

/** Bits of Flag. */
export function settableBits(rights: Rights): number {
  let bits = rights.has('w') ? SYSTEM_FLAGS & ~(Flag.Seen | Flag.Deleted) : 0
  if (rights.has('s')) bits |= Flag.Seen
  if (rights.has('t')) bits |= Flag.Deleted
  return bits
}
