/** GETACL (RFC 4314 §3.3). */
import { astring } from '../../../lib/imap/wire_text.js'
import { parseAcl } from '../../../lib/mailbox/acl.js'
import { define, LOGGED_IN } from '../command.js'
import { mustFind } from '../mailboxes.js'

export const getacl = define<string>({
  name: 'GETACL',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.end()
    return mailbox
  },
  async run({ session }, mailbox) {
    const { header } = mustFind(session, mailbox, 'a')
    const words = parseAcl(header.acl).map(([identifier, rights]) => ` ${astring(identifier)} ${rights}`)
    session.reply.untagged(`ACL ${astring(session.namespace!.toExternal(header.name))}${words.join('')}`)
    return undefined
  },
})
