/** MOVE and UID MOVE (RFC 6851): copied first, then expunged, so nothing is ever lost between. */
import { SAVED_RESULT, type SequenceSet } from '../../../lib/imap/sequence_set.js'
import { expungeMessages } from '../../../lib/mailbox/messages.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { copyTo, copyUid, parseCopy } from '../copying.js'
import { DENIED, No } from '../errors.js'

export const move = define<{ set: SequenceSet; mailbox: string }>({
  name: 'MOVE',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  tellsExpunged: true,
  parse: parseCopy,
  async run(context, { set, mailbox }) {
    const { session, uid } = context
    const selected = selectedOf(context)
    if (selected.readOnly) throw new No(DENIED)
    if (!selected.rights.has('te')) throw new No(`[NOPERM] ${DENIED}`)
    const copied = await copyTo(session, selected, selected.uids(set, uid), mailbox)
    if (copied.uids.length === 0 && !uid && set !== SAVED_RESULT) throw new No('No matching messages')
    if (copied.uids.length === 0) return undefined
    session.reply.untagged(`OK ${copyUid(copied)} Completed`)
    await expungeMessages(session.imapd.store, selected.header, copied.sourceUids)
    return undefined
  },
})

/** XMOVE: what Cyrus had before there was an RFC; the same. */
export const xmove = { ...move, name: 'XMOVE' }
