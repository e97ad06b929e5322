/** MYRIGHTS (RFC 4314 §3.5). */
import { astring } from '../../../lib/imap/wire_text.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { mustFind } from '../mailboxes.js'

export const myrights = define<string>({
  name: 'MYRIGHTS',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.end()
    return mailbox
  },
  async run({ session }, mailbox) {
    const { header, rights } = mustFind(session, mailbox, '')
    if (!rights.hasAny('lrikxa')) throw new No(`[NOPERM] ${DENIED}`)
    session.reply.untagged(`MYRIGHTS ${astring(session.namespace!.toExternal(header.name))} ${rights.letters}`)
    return undefined
  },
})
