/** What a client knows of a mailbox that it watches without having it selected, and what it is told when that changes (RFC 5465 §5.1 to §5.3). */
import type { NotifyEvent } from '../../../lib/imap/notify_arguments.js'
import type { MailboxHeader } from '../../../lib/store/store.js'
import type { Features } from '../features.js'

/** The counters by which changes are noticed. */
export type MailboxState = Pick<
  MailboxHeader,
  'uidvalidity' | 'exists' | 'lastUid' | 'unseen' | 'crcBasic' | 'crcAnnot'
>

/** @param mailbox taken apart: a header is many times as large */
export function stateOf({ uidvalidity, exists, lastUid, unseen, crcBasic, crcAnnot }: MailboxHeader): MailboxState {
  return { uidvalidity, exists, lastUid, unseen, crcBasic, crcAnnot }
}

/** As a client knows a mailbox that has just been made. */
export function emptyState(header: MailboxHeader): MailboxState {
  if (header.lastUid === 0) return stateOf(header)
  return { uidvalidity: header.uidvalidity, exists: 0, lastUid: 0, unseen: 0, crcBasic: 0, crcAnnot: 0 }
}

/** Items of STATUS that tell the difference; none when there is nothing that the client wants to hear. */
export function statusItems(
  before: MailboxState,
  now: MailboxState,
  events: ReadonlySet<NotifyEvent>,
  { condstore }: Features,
): Set<string> {
  const items = new Set<string>()
  const another = now.uidvalidity !== before.uidvalidity
  const messages = another || now.exists !== before.exists || now.lastUid !== before.lastUid
  if (messages && events.has('MessageNew')) items.add('MESSAGES').add('UIDNEXT')
  const changed =
    (events.has('FlagChange') && now.crcBasic !== before.crcBasic) ||
    (events.has('AnnotationChange') && now.crcAnnot !== before.crcAnnot)
  if (changed && events.has('FlagChange') && now.unseen !== before.unseen) items.add('UIDVALIDITY').add('UNSEEN')
  // who does not know mod-sequences could not tell what has changed
  if (changed && condstore && !messages) items.add('UIDVALIDITY')
  if (another && events.size > 0) items.add('UIDVALIDITY')
  if (condstore && items.size > 0) items.add('HIGHESTMODSEQ')
  return items
}

/** Items of STATUS at the beginning (RFC 5465 §3.1). */
export function firstItems(events: ReadonlySet<NotifyEvent>): Set<string> {
  const items = new Set(['MESSAGES', 'UIDNEXT', 'UIDVALIDITY'])
  if (events.has('FlagChange') || events.has('AnnotationChange')) items.add('HIGHESTMODSEQ')
  if (events.has('FlagChange')) items.add('UNSEEN')
  return items
}
