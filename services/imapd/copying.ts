/** What COPY and MOVE have in common. */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { formatNumbers, type SequenceSet } from '../../lib/imap/sequence_set.js'
import { type Added, copyMessages } from '../../lib/mailbox/messages.js'
import { checkQuota } from '../../lib/mailbox/quota.js'
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
export async function copyTo(
  session: Session,
  selected: Selected,
  uids: readonly number[],
  mailbox: string,
): Promise<Copied> {
  const { store } = session.imapd
  const { header } = mustFind(session, mailbox, 'i', true)
  if (uids.length === 0) return { uidvalidity: header.uidvalidity, uids: [], sourceUids: [] }
  let bytes = 0
  for (const uid of uids) {
    const row = selected.index.findUid(uid)
    if (row >= 0) bytes += selected.index.size(row)
  }
  checkQuota(store, header.name, bytes, uids.length)
  return copyMessages(store, selected.header, uids, header, session.user!, (uid) => selected.hasSeenUid(uid))
}

/** `[COPYUID …]`. */
export function copyUid({ uidvalidity, sourceUids, uids }: Copied): string {
  return `[COPYUID ${uidvalidity} ${formatNumbers(sourceUids)} ${formatNumbers(uids)}]`
}
