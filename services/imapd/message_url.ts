/** The bytes that an IMAP URL names, for CATENATE and URLFETCH. */
import type { ImapUrl } from '../../lib/imap/imap_url.js'
import { rightsOf } from '../../lib/mailbox/acl.js'
import { MessageSource } from '../../lib/mailbox/message_source.js'
import type { MailboxHeader } from '../../lib/store/store.js'
import { locate } from './fetch/section.js'
import type { Imapd } from './imapd.js'

/** A message that a URL names, to be closed by whoever asked for it. */
export interface UrlTarget {
  readonly header: MailboxHeader
  readonly source: MessageSource
}

/**
 * @param header the URL's mailbox, which must exist  @param userid who must be allowed to read it
 * @returns undefined when there is no such message, or it is not theirs to read
 */
export function openUrl(
  { store }: Imapd,
  url: ImapUrl,
  header: MailboxHeader,
  userid: string,
  isAdmin: boolean,
): UrlTarget | undefined {
  if (url.uidvalidity !== undefined && url.uidvalidity !== header.uidvalidity) return undefined
  if (!rightsOf(header, userid, isAdmin).has('r')) return undefined
  const index = store.index(header.id)
  const row = index?.findUid(url.uid) ?? -1
  if (!index || row < 0 || index.isExpunged(row)) return undefined
  return { header, source: new MessageSource(store, header, url.uid, index.size(row), undefined) }
}

/** The size and the pieces of what a URL's section names; undefined when there is no such part. @throws {MessageFileError} */
export async function bytesOfUrl(
  { source }: UrlTarget,
  { section }: ImapUrl,
): Promise<{ size: number; pieces: AsyncIterable<Buffer> } | undefined> {
  const data = await locate(source, section)
  if (!data) return undefined
  if (Buffer.isBuffer(data)) return { size: data.length, pieces: one(data) }
  await source.open()
  return { size: data.length, pieces: source.pieces(data.start, data.length) }
}

async function* one(piece: Buffer): AsyncGenerator<Buffer> {
  yield piece
}
