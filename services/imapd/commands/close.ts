/** CLOSE (RFC 3501 §6.4.2): expunges without telling, where that is allowed, and leaves the mailbox. */
import { expungeMessages } from '../../../lib/mailbox/messages.js'
import { define, SELECTED } from '../command.js'

export const close = define({
  name: 'CLOSE',
  states: SELECTED,
  parse: (args) => args.end(),
  async run({ session }) {
    const selected = session.selected!
    session.deselect()
    if (!selected.readOnly && selected.rights.has('e') && selected.header.deleted > 0)
      await expungeMessages(session.imapd.store, selected.header)
    return undefined
  },
})
