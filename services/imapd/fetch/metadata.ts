/** Items of FETCH that the index alone answers, in the order in which Cyrus writes them. */
import { formatDateTime } from '../../../lib/imap/date_time.js'
import type { MetadataItem } from '../../../lib/imap/fetch_items.js'
import type { Selected } from '../selected.js'

/** `NAME value` of one row. */
export type WriteMetadata = (selected: Selected, row: number) => string

const WRITERS: readonly (readonly [MetadataItem, WriteMetadata])[] = [
  ['FLAGS', (selected, row) => `FLAGS ${selected.flagText(row)}`],
  ['UID', ({ index }, row) => `UID ${index.uid(row)}`],
  ['INTERNALDATE', ({ index }, row) => `INTERNALDATE "${formatDateTime(index.internaldate(row))}"`],
  ['MODSEQ', ({ index }, row) => `MODSEQ (${index.modseq(row)})`],
  ['RFC822.SIZE', ({ index }, row) => `RFC822.SIZE ${index.size(row)}`],
]

/** The writers of the items wanted. */
export function metadataWriters(wanted: ReadonlySet<MetadataItem>): WriteMetadata[] {
  return WRITERS.filter(([item]) => wanted.has(item)).map(([, write]) => write)
}
