/** SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2), with CONDSTORE and QRESYNC (RFC 7162). */
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { resolve, type SequenceSet } from '../../../lib/imap/sequence_set.js'
import type { MailboxIndex } from '../../../lib/store/store.js'
import { type Command, define, LOGGED_IN } from '../command.js'
import { Bad, NO_MAILBOX, No } from '../errors.js'
import { enableCondstore } from '../features.js'
import { tellChanged, tellVanished } from '../fetch/changed_since.js'
import { tellName } from '../listing.js'
import { mustFind } from '../mailboxes.js'
import { warnAboutQuota } from '../quota_warning.js'
import { Selected } from '../selected.js'
import type { Session } from '../session.js'

/** Bytes of an annotation's value that are certainly taken (RFC 5257 §4.1). */
const LONGEST_ANNOTATION = 65536
/** Rights that let a session change something. */
const WRITING = 'swite'

/** By snapshot, for those whose \Seen stands in the records. */
const firstUnseenOf = new WeakMap<MailboxIndex, number>()

/** Sequence number of the first message that is not read; 0 if none. The view must be that of the snapshot. */
function firstUnseen(selected: Selected): number {
  if (selected.guestSeen) return scanUnseen(selected)
  if (selected.header.unseen === 0) return 0
  let first = firstUnseenOf.get(selected.index)
  if (first === undefined) {
    first = scanUnseen(selected)
    firstUnseenOf.set(selected.index, first)
  }
  return first
}

function scanUnseen(selected: Selected): number {
  const { index } = selected
  for (let row = 0; row < index.length; row += 1) {
    if (!index.isExpunged(row) && !selected.isSeen(row)) return selected.sequenceOf(index.uid(row))
  }
  return 0
}

/** `(QRESYNC (uidvalidity modseq [uids [(sequences uids)]]))` (RFC 7162 §3.2.5). */
interface Resync {
  readonly uidvalidity: number
  readonly modseq: number
  readonly known: SequenceSet | undefined
  readonly match: { readonly sequences: SequenceSet; readonly uids: SequenceSet } | undefined
}

interface Arguments {
  readonly mailbox: string
  condstore: boolean
  resync: Resync | undefined
}

function parseResync(args: ArgumentReader): Resync {
  args.space()
  args.open()
  const uidvalidity = args.number('Invalid argument to QRESYNC')
  args.space()
  const modseq = args.modseq('Invalid argument to QRESYNC')
  let known: SequenceSet | undefined
  let match: Resync['match']
  if (args.tryChar(' ')) {
    if (args.peek() !== '(') {
      known = args.sequenceSet()
      if (isOpenEnded(known)) args.fail('Invalid argument to QRESYNC', '* is no known UID')
    }
    if (args.peek() === '(' || args.tryChar(' ')) {
      args.open()
      const sequences = args.sequenceSet()
      args.space()
      match = { sequences, uids: args.sequenceSet() }
      if (isOpenEnded(sequences) || isOpenEnded(match.uids)) args.fail('Invalid argument to QRESYNC', '* is not known')
      args.close()
    }
  }
  args.close()
  return { uidvalidity, modseq, known, match }
}

function isOpenEnded(set: SequenceSet): boolean {
  return set.some(({ first, last }) => !Number.isFinite(first) || !Number.isFinite(last))
}

/** The first UID that is not covered by pairs of sequence number and UID which are still right. */
function firstUnmatched({ view }: Selected, { sequences, uids }: NonNullable<Resync['match']>): number {
  const known = numbersOf(uids)
  let first = 1
  for (const sequence of numbersOf(sequences)) {
    const uid = known.next().value
    if (uid === undefined || view[sequence - 1] !== uid) break
    first = uid + 1
  }
  return first
}

function* numbersOf(set: SequenceSet): Generator<number, undefined> {
  for (const { first, last } of resolve(set, 1)) for (let number = first; number <= last; number += 1) yield number
}

async function open(
  session: Session,
  { mailbox: name, condstore, resync }: Arguments,
  examine: boolean,
): Promise<string> {
  const { reply, imapd, features } = session
  if (resync?.match && features.uidOnly) throw new Bad('[UIDREQUIRED] Sequence numbers are not used with UIDONLY')
  if (resync && !session.features.qresync)
    throw new Bad(`Invalid ${examine ? 'Examine' : 'Select'} modifier QRESYNC: it is not enabled`)
  if (session.selected) {
    session.deselect()
    reply.untagged('OK [CLOSED] Ok')
  }
  const { header, rights } = mustFind(session, name, 'r')
  const index = imapd.store.index(header.id)
  if (!index) throw new No(`[NONEXISTENT] ${NO_MAILBOX}`)
  const readOnly = examine || !rights.hasAny(WRITING)
  const selected = new Selected(imapd.store, index, session.user!, session.isAdmin, readOnly, session.features)
  await selected.recentNoted
  if (condstore) enableCondstore(session, 'SELECT')
  session.select(selected)
  reply.untagged(`${selected.exists} EXISTS`)
  if (!features.imap4rev2) reply.untagged(`${selected.recentCount} RECENT`)
  selected.tellFlagNames(reply)
  const unseen = firstUnseen(selected)
  if (unseen > 0 && !features.imap4rev2 && !features.uidOnly) reply.untagged(`OK [UNSEEN ${unseen}] Ok`)
  reply.untagged(`OK [UIDVALIDITY ${index.header.uidvalidity}] Ok`)
  reply.untagged(`OK [UIDNEXT ${index.header.lastUid + 1}] Ok`)
  reply.untagged(`OK [HIGHESTMODSEQ ${index.header.highestModseq}] Ok`)
  reply.untagged(`OK [MAILBOXID (${index.header.uniqueid})] Ok`)
  reply.untagged('OK [URLMECH INTERNAL] Ok')
  reply.untagged(`OK [ANNOTATIONS ${LONGEST_ANNOTATION}] Ok`)
  warnAboutQuota(session, header.name)
  if (features.imap4rev2) tellName(session, header.name) // RFC 9051 §6.3.2
  if (resync?.uidvalidity === index.header.uidvalidity) {
    const known = resync.known && resolve(resync.known, 1)
    tellVanished(session, selected, resync.modseq, known, resync.match && firstUnmatched(selected, resync.match))
    await tellChanged(session, selected, resync.modseq, known)
  }
  return readOnly ? '[READ-ONLY] Completed' : '[READ-WRITE] Completed'
}

function parameter(args: ArgumentReader, found: Arguments): void {
  const name = args.keyword()
  if (name === 'CONDSTORE') found.condstore = true
  // message annotations are told when they are asked for; there is nothing to switch on (RFC 5257 §4.1)
  else if (name === 'ANNOTATE') return
  else if (name === 'QRESYNC') found.resync = parseResync(args)
  else args.fail(`Invalid ${args.command} modifier ${name.slice(0, 40)}`)
}

function command(name: string, examine: boolean): Command {
  return define<Arguments>({
    name,
    states: LOGGED_IN,
    parse(args) {
      args.space()
      const mailbox = args.mailbox()
      const found: Arguments = { mailbox, condstore: false, resync: undefined }
      if (args.tryChar(' ')) {
        if (args.peek() !== '(') args.fail(`Invalid modifier list in ${args.command}`)
        const names = args.list(() => parameter(args, found))
        if (names.length === 0) args.fail(`Invalid modifier list in ${args.command}`)
      }
      args.end()
      return found
    },
    run: ({ session }, args) => open(session, args, examine),
  })
}

export const select = command('SELECT', false)
export const examine = command('EXAMINE', true)
