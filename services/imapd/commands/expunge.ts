/** EXPUNGE and UID EXPUNGE (RFC 3501 §6.4.3, RFC 4315 §2.1). */
import type { SequenceSet } from '../../../lib/imap/sequence_set.js'
import { expungeMessages } from '../../../lib/mailbox/messages.js'
import { define, SELECTED, selectedOf } from '../command.js'
import { DENIED, No } from '../errors.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'

/** The new HIGHESTMODSEQ, if there is one (RFC 7162 §3.2.10). */
function modseqCode({ imapd, features }: Session, selected: Selected, before: number): string | undefined {
  // not beyond changes of flags that NOTIFY keeps from the client
  if (!features.events.flags) return undefined
  const now = imapd.store.mailboxById(selected.id)?.highestModseq ?? 0
  return now > before ? `[HIGHESTMODSEQ ${now}] Completed` : undefined
}

export const expunge = define<SequenceSet | undefined>({
  name: 'EXPUNGE',
  states: SELECTED,
  hasUidForm: true,
  tellsExpunged: true,
  expunges: true,
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
    const before = selected.highestModseq
    if (!only) await expungeMessages(store, selected.header)
    else await expungeMessages(store, selected.header, selected.uids(only, true), { onlyDeleted: true })
    return modseqCode(context.session, selected, before)
  },
})
