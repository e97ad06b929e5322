/** What differs between the messages of a mailbox here and on a replica of the 2.3 generation (csync-2.3.md §6.1); the master wins. Pure. */
import { Flag, type MailboxIndex, type MessageRecord } from '../../../store/store.js'
import { flagList } from '../text.js'
import type { RemoteMessage } from './remote.js'
import type { ClientSession23 } from './session.js'

/** How messages are known to a replica. */
export function idOf(session: ClientSession23, record: Pick<MessageRecord, 'uuid' | 'guid'>): string {
  return session.peer.release.guids ? record.guid : record.uuid
}

/** Whether a row is a message that a replica is to have. */
export function isLive(index: MailboxIndex, row: number): boolean {
  return (index.flags(row) & (Flag.Expunged | Flag.Unlinked)) === 0
}

/** What differs in a mailbox. */
export interface Differences {
  /** arguments of SETFLAGS and SETMODSEQ */
  readonly flags: string[]
  readonly modseqs: string[]
  /** UIDs */
  readonly expunge: number[]
  /** rows */
  readonly upload: number[]
}

/** @param there what the replica has told, in UID order */
export function differences(
  session: ClientSession23,
  index: MailboxIndex,
  there: readonly RemoteMessage[],
): Differences {
  const found: Differences = { flags: [], modseqs: [], expunge: [], upload: [] }
  const keywords = index.header.userFlags
  const { modseqs } = session.peer.release
  let at = 0
  for (let row = 0; row < index.length; row++) {
    if (!isLive(index, row)) continue
    const uid = index.uid(row)
    while (at < there.length && there[at]!.uid < uid) found.expunge.push(there[at++]!.uid)
    const their = there[at]?.uid === uid ? there[at++] : undefined
    if (their === undefined) {
      found.upload.push(row)
      continue
    }
    const record = index.record(row)
    const flags = flagList(record, keywords)
    if (!sameFlags(flags, their.flags)) found.flags.push(` ${uid} ${flags}`)
    if (idOf(session, record) !== their.id) found.upload.push(row)
    else if (modseqs && record.modseq !== their.modseq) found.modseqs.push(` ${uid} ${record.modseq}`)
  }
  while (at < there.length) found.expunge.push(there[at++]!.uid)
  return found
}

/** Keywords have no order. */
function sameFlags(ours: string, theirs: readonly string[]): boolean {
  const text = `(${theirs.join(' ')})`
  if (ours === text) return true
  if (ours.length !== text.length) return false
  const known = new Set(theirs)
  return ours
    .slice(1, -1)
    .split(' ')
    .every((flag) => known.has(flag))
}

/** What has changed here since a mailbox was in line: flags, expunged messages, and new ones. */
export function changesSince(
  session: ClientSession23,
  index: MailboxIndex,
  { modseq, lastUid }: { readonly modseq: number; readonly lastUid: number },
): Differences {
  const found: Differences = { flags: [], modseqs: [], expunge: [], upload: [] }
  const { modseqs } = session.peer.release
  for (let row = 0; row < index.length; row++) {
    if (index.modseq(row) <= modseq) continue
    const uid = index.uid(row)
    if (!isLive(index, row)) {
      if (uid <= lastUid) found.expunge.push(uid)
      continue
    }
    const record = index.record(row)
    // what came later may have come under a UID below others
    if (uid > lastUid || record.createdModseq > modseq) found.upload.push(row)
    else {
      found.flags.push(` ${uid} ${flagList(record, index.header.userFlags)}`)
      if (modseqs) found.modseqs.push(` ${uid} ${record.modseq}`)
    }
  }
  return found
}
