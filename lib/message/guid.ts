/** A message's GUID: the SHA-1 of its bytes (Cyrus' message_guid). Pure. */
import { createHash } from 'node:crypto'

/** @returns 40 lower-case hex digits */
export function guidOf(message: Buffer): string {
  return createHash('sha1').update(message).digest('hex')
}
