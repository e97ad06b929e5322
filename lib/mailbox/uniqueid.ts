/** Identities of new mailboxes: 24 random lower-case letters and digits, as Cyrus 3.6 makes them; the first two name directories. */
import { randomBytes } from 'node:crypto'

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

export function newUniqueid(): string {
  let id = ''
  while (id.length < 24) {
    // bytes from 252 on would make the first letters likelier
    for (const byte of randomBytes(32)) if (byte < 252 && id.length < 24) id += LETTERS[byte % 36]
  }
  return id
}
