/** COPY and UID COPY (RFC 3501 §6.4.7), with COPYUID (RFC 4315 §3). */

import { SAVED_RESULT, type SequenceSet } from '../../../lib/imap/sequence_set.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { copyTo, copyUid, parseCopy } from '../copying.js'
import { No } from '../errors.js'

export const copy = define<{ set: SequenceSet; mailbox: string }>({
  name: 'COPY',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  tellsExpunged: true,
  parse: parseCopy,
  async run(context, { set, mailbox }) {
    const selected = selectedOf(context)
    const copied = await copyTo(context.session, selected, selected.uids(set, context.uid), mailbox)
    if (copied.uids.length > 0) return `${copyUid(copied)} Completed`
    if (!context.uid && set !== SAVED_RESULT) throw new No('No matching messages')
    return undefined
  },
})
