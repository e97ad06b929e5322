/** LISTRIGHTS (RFC 4314 §3.4): what an identifier always has, and what it can be given, each by itself. */
import { astring, quotedOrLiteral } from '../../../lib/imap/wire_text.js'
import { ALL_RIGHTS, implicitRights } from '../../../lib/mailbox/acl.js'
import { ownerOf } from '../../../lib/mailbox/names.js'
import { define, LOGGED_IN } from '../command.js'
import { mustFind } from '../mailboxes.js'

export const listrights = define<{ mailbox: string; identifier: string }>({
  name: 'LISTRIGHTS',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.space()
    const identifier = args.astring().toString('latin1')
    args.end()
    return { mailbox, identifier }
  },
  async run({ session }, { mailbox, identifier }) {
    const { header } = mustFind(session, mailbox, 'a')
    const owner = ownerOf(header.name)
    // mail may be posted to users' mailboxes by everybody, says Cyrus
    const always = implicitRights(header.name, identifier) || (owner === undefined ? '' : 'p')
    const optional = [...ALL_RIGHTS].filter((right) => !always.includes(right)).join(' ')
    const name = astring(session.namespace!.toExternal(header.name))
    session.reply.untagged(`LISTRIGHTS ${name} ${astring(identifier)} ${always || quotedOrLiteral('')} ${optional}`)
    return undefined
  },
})
