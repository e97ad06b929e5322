/**
 * Keys of the database's tables.
 * Mailbox names are keyed with '.' as byte 1, so that a mailbox's children follow it directly (`a`, `a.b`, `a-b`), as Cyrus sorts them. Dots of
 * a domain (`DOMAIN!name`) stay: a domain is below no mailbox.
 */

/** Key of a record block or of a cached summary: mailbox id and UID, big endian, so that ranges run in UID order. */
export function uidKey(id: number, uid: number): Buffer {
  const key = Buffer.allocUnsafe(8)
  key.writeUInt32BE(id, 0)
  key.writeUInt32BE(uid, 4)
  return key
}

/** UID of such a key. */
export function uidOfKey(key: Buffer): number {
  return key.readUInt32BE(4)
}

/** Sort key of an internal mailbox name. */
export function nameKey(name: string): string {
  const domain = name.indexOf('!') + 1
  return name.slice(0, domain) + name.slice(domain).replaceAll('.', '\x01')
}

/** The name back from its sort key. */
export function nameOfKey(key: string): string {
  return key.replaceAll('\x01', '.')
}
