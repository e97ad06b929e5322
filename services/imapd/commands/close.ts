/** CLOSE (RFC 3501 §6.4.2): expunges without telling, where that is allowed, and leaves the mailbox. */
import { expungeMessages } from '../../../lib/mailbox/messages.js'
import { define, SELECTED } from '../command.js'
import { rightsIn } from '../mailboxes.js'

export const close = define({
  name: 'CLOSE',
  states: SELECTED,
  leaves: true,
  parse: (args) => args.end(),
  async run({ session }) {
    const selected = session.selected!
    session.deselect()
    const { store } = session.imapd
    const header = store.mailboxById(selected.id)
    if (header && !selected.readOnly && rightsIn(session, header).has('e') && header.deleted > 0)
      await expungeMessages(store, header)
    return undefined
  },
})
