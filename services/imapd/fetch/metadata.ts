/** Items of FETCH that the index alone answers, in the order in which Cyrus writes them. */
import { formatDateTime } from '../../../lib/imap/date_time.js'
import type { MetadataItem } from '../../../lib/imap/fetch_items.js'
import { astring } from '../../../lib/imap/wire_text.js'
import type { Namespace } from '../../../lib/mailbox/names.js'
import { type MailboxIndex, NULL_THRID } from '../../../lib/store/store.js'
import type { Selected } from '../selected.js'
import type { Computed } from './computed.js'

/** `NAME value` of one row. */
export type WriteMetadata = (selected: Selected, row: number, computed: Computed | undefined) => string

const computedItem =
  (item: MetadataItem): WriteMetadata =>
  (_, __, computed) =>
    `${item} ${computed!.get(item)}`

const WRITERS: readonly (readonly [MetadataItem, WriteMetadata])[] = [
  ['FLAGS', (selected, row) => `FLAGS ${selected.flagText(row)}`],
  ['UID', ({ index }, row) => `UID ${index.uid(row)}`],
  ['DIGEST.SHA1', ({ index }, row) => `DIGEST.SHA1 ${index.guid(row)}`],
  ['INTERNALDATE', ({ index }, row) => `INTERNALDATE "${formatDateTime(index.internaldate(row))}"`],
  ['LASTUPDATED', ({ index }, row) => `LASTUPDATED "${formatDateTime(index.lastUpdated(row))}"`],
  ['MODSEQ', ({ index }, row) => `MODSEQ (${index.modseq(row)})`],
  ['RFC822.SIZE', ({ index }, row) => `RFC822.SIZE ${index.size(row)}`],
  ['PREVIEW', computedItem('PREVIEW')],
  ['RFC822.FILESIZE', computedItem('RFC822.FILESIZE')],
  ['RFC822.SHA1', computedItem('RFC822.SHA1')],
  ['EMAILID', ({ index }, row) => `EMAILID (${emailId(index, row)})`],
  ['THREADID', ({ index }, row) => `THREADID ${threadId(index, row) ?? 'NIL'}`],
  ['SAVEDATE', ({ index }, row) => `SAVEDATE "${formatDateTime(savedate(index, row))}"`],
  ['CREATEDMODSEQ', ({ index }, row) => `CREATEDMODSEQ (${index.createdModseq(row)})`],
  ['FOLDER', ({ header }) => `FOLDER ${header.name}`],
  ['UIDVALIDITY', ({ header }) => `UIDVALIDITY ${header.uidvalidity}`],
]

/** The writers of the items wanted. @param namespace the client's, for FOLDER */
export function metadataWriters(
  wanted: ReadonlySet<MetadataItem>,
  namespace: Pick<Namespace, 'toExternal'>,
): WriteMetadata[] {
  const folder: WriteMetadata = ({ header }) => `FOLDER ${astring(namespace.toExternal(header.name))}`
  return WRITERS.filter(([item]) => wanted.has(item)).map(([item, write]) => (item === 'FOLDER' ? folder : write))
}

/** EMAILID (RFC 8474 §5.1) as Cyrus makes it: of the message's digest. */
export function emailId(index: MailboxIndex, row: number): string {
  return `M${index.guid(row).slice(0, 24)}`
}

/** THREADID (RFC 8474 §5.2) in parentheses; undefined where nobody has given the message one. */
function threadId(index: MailboxIndex, row: number): string | undefined {
  const thrid = index.thrid(row)
  return thrid === NULL_THRID ? undefined : `(T${thrid})`
}

/** When a message came into the mailbox (RFC 8514); for those of older stores when it came at all. */
export function savedate(index: MailboxIndex, row: number): number {
  return index.savedate(row) || index.internaldate(row)
}
