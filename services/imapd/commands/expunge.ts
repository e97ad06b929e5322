/** EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1). */
import type { SequenceSet } from '../../../lib/imap/sequence_set.js'
import { expungeMessages } from '../../../lib/mailbox/messages.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { DENIED, No } from '../errors.js'

export const expunge = define<SequenceSet | undefined>({
  name: 'EXPUNGE',
  states: SELECTED,
  hasUidForm: true,
  tellsExpunged: true,
  parse(args, uid) {
    let only: SequenceSet | undefined
    if (uid) {
      args.space()
      only = args.sequenceSet()
    }
    args.end()
    return only
  },
  async run(context, only) {
    const selected = selectedOf(context)
    if (selected.readOnly) throw new No(DENIED)
    if (!selected.rights.has('e')) throw new No(`[NOPERM] ${DENIED}`)
    const { store } = context.session.imapd
    if (!only) await expungeMessages(store, selected.header)
    else await expungeMessages(store, selected.header, selected.uids(only, true), { onlyDeleted: true })
    return undefined
  },
})
