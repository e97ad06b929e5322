/** DELETE (RFC 3501 §6.3.4). A user cannot delete their own INBOX. */
import { deleteMailbox, HasChildrenError, hasChildren } from '../../../lib/mailbox/folders.js'
import { isInbox } from '../../../lib/mailbox/names.js'
import { checkUnprotected } from '../../../lib/mailbox/special_use.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { mustFind } from '../mailboxes.js'
import { changeKey } from '../notify/notifier.js'

export const deleteCommand = define<string>({
  name: 'DELETE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const name = args.mailbox()
    args.end()
    return name
  },
  async run({ session }, external) {
    const { header, rights } = mustFind(session, external, '')
    if (!isInbox(header.name) && hasChildren(session.imapd.store, header.name)) throw new HasChildrenError(header.name)
    if (!rights.has('x')) throw new No(`[NOPERM] ${DENIED}`)
    if (isInbox(header.name) && !session.isAdmin) throw new No('[CANNOT] Operation is not supported on mailbox')
    if (!session.isAdmin) checkUnprotected(session.imapd.store, header, session.user!)
    session.notifier?.causes(changeKey('mailbox', header.name))
    await deleteMailbox(session.imapd.store, header.name)
    if (session.selected?.id === header.id) session.deselect()
    return undefined
  },
})
