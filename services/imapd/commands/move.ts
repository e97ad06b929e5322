/** MOVE and UID MOVE (RFC 6851): a message is in one of the two mailboxes at any time. */
import { SAVED_RESULT, type SequenceSet } from '../../../lib/imap/sequence_set.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { copyUid, moveTo, parseCopy } from '../copying.js'
import { DENIED, No } from '../errors.js'

export const move = define<{ set: SequenceSet; mailbox: string }>({
  name: 'MOVE',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  tellsExpunged: true,
  expunges: true,
  parse: parseCopy,
  async run(context, { set, mailbox }) {
    const { session, uid } = context
    const selected = selectedOf(context)
    if (selected.readOnly) throw new No(DENIED)
    if (!selected.rights.has('te')) throw new No(`[NOPERM] ${DENIED}`)
    const moved = await moveTo(session, selected, selected.uids(set, uid), mailbox)
    if (moved.uids.length > 0) session.reply.untagged(`OK ${copyUid(moved)} Completed`)
    // the client knows of those that were moved before it
    if (moved.failure !== undefined) throw moved.failure
    if (moved.uids.length === 0 && !uid && set !== SAVED_RESULT) throw new No('No matching messages')
    return undefined
  },
})

/** XMOVE: what Cyrus had before there was an RFC; the same. */
export const xmove = { ...move, name: 'XMOVE' }
