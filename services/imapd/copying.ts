/** What COPY and MOVE have in common. */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { formatNumbers, type SequenceSet } from '../../lib/imap/sequence_set.js'
import { type Added, copyMessages, moveMessages } from '../../lib/mailbox/messages.js'
import { checkQuota, quotaRootOf } from '../../lib/mailbox/quota.js'
import type { MailboxHeader, MailStore } from '../../lib/store/store.js'
import { mustFind } from './mailboxes.js'
import type { Selected } from './selected.js'
import type { Session } from './session.js'

/** @throws {ImapSyntaxError} */
export function parseCopy(args: ArgumentReader): { set: SequenceSet; mailbox: string } {
  args.space()
  const set = args.sequenceSet()
  args.space()
  const mailbox = args.mailbox()
  args.end()
  return { set, mailbox }
}

export type Copied = Added & { sourceUids: number[] }

/** Copies messages of the selected mailbox, all or none. @throws {No}, {OverQuotaError} */
export function copyTo(
  session: Session,
  selected: Selected,
  uids: readonly number[],
  mailbox: string,
): Promise<Copied> {
  return transfer(session, selected, uids, mailbox, copyMessages)
}

/** Moves messages of the selected mailbox, one after the other. @throws {No}, {OverQuotaError} */
export function moveTo(
  session: Session,
  selected: Selected,
  uids: readonly number[],
  mailbox: string,
): Promise<Copied & { failure?: unknown }> {
  return transfer(session, selected, uids, mailbox, moveMessages)
}

async function transfer(
  session: Session,
  selected: Selected,
  uids: readonly number[],
  mailbox: string,
  way: typeof moveMessages,
): Promise<Copied & { failure?: unknown }> {
  const { store } = session.imapd
  const { header } = mustFind(session, mailbox, 'i', true)
  if (uids.length === 0) return { uidvalidity: header.uidvalidity, uids: [], sourceUids: [] }
  let bytes = 0
  for (const uid of uids) {
    const row = selected.index.findUid(uid)
    if (row >= 0) bytes += selected.index.size(row)
  }
  // what moves within a quota root makes it no larger
  const stays = way === moveMessages && rootOf(store, header) === rootOf(store, selected.header)
  if (!stays) checkQuota(store, header.name, bytes, uids.length)
  const done = await way(store, selected.header, uids, header, session.user!, (uid) => selected.hasSeenUid(uid))
  session.added(header.id, done.uids)
  return done
}

const rootOf = (store: MailStore, { name }: MailboxHeader): string | undefined => quotaRootOf(store, name)?.[0]

/** `[COPYUID …]`. */
export function copyUid({ uidvalidity, sourceUids, uids }: Copied): string {
  return `[COPYUID ${uidvalidity} ${formatNumbers(sourceUids)} ${formatNumbers(uids)}]`
}
