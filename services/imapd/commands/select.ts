/** SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2). */
import type { MailboxIndex } from '../../../lib/store/store.js'
import { type Command, define, LOGGED_IN } from '../command.js'
import { NO_MAILBOX, No } from '../errors.js'
import { mustFind } from '../mailboxes.js'
import { Selected } from '../selected.js'
import type { Session } from '../session.js'

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

async function open(session: Session, name: string, examine: boolean): Promise<string> {
  const { reply, imapd } = session
  if (session.selected) {
    session.deselect()
    reply.untagged('OK [CLOSED] Ok')
  }
  const { header, rights } = mustFind(session, name, 'r')
  const index = imapd.store.index(header.id)
  if (!index) throw new No(`[NONEXISTENT] ${NO_MAILBOX}`)
  const readOnly = examine || !rights.hasAny(WRITING)
  const selected = new Selected(imapd.store, index, session.user!, session.isAdmin, readOnly)
  await selected.recentNoted
  session.selected = selected
  session.service.setMailbox(header.name)
  reply.untagged(`${selected.exists} EXISTS`)
  reply.untagged(`${selected.recentCount} RECENT`)
  selected.tellFlagNames(reply)
  const unseen = firstUnseen(selected)
  if (unseen > 0) reply.untagged(`OK [UNSEEN ${unseen}] Ok`)
  reply.untagged(`OK [UIDVALIDITY ${index.header.uidvalidity}] Ok`)
  reply.untagged(`OK [UIDNEXT ${index.header.lastUid + 1}] Ok`)
  return readOnly ? '[READ-ONLY] Completed' : '[READ-WRITE] Completed'
}

function command(name: string, examine: boolean): Command {
  return define<string>({
    name,
    states: LOGGED_IN,
    parse(args) {
      args.space()
      const mailbox = args.mailbox()
      if (!args.atEnd) args.fail(`Invalid modifier list in ${args.command}`)
      return mailbox
    },
    run: ({ session }, mailbox) => open(session, mailbox, examine),
  })
}

export const select = command('SELECT', false)
export const examine = command('EXAMINE', true)
