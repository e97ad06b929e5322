/** CREATE (RFC 3501 §6.3.3); an administrator may name the partition, as in Cyrus. */
import { createMailbox } from '../../../lib/mailbox/folders.js'
import { nameProblem } from '../../../lib/mailbox/names.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { lookUp, mayCreate } from '../mailboxes.js'

export const create = define<{ name: string; partition: string | undefined }>({
  name: 'CREATE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const name = args.mailbox()
    const partition = args.tryChar(' ') ? args.astring().toString('latin1') : undefined
    args.end()
    return { name, partition }
  },
  async run({ session }, { name: wanted, partition }) {
    const namespace = session.namespace!
    // a separator at the end only announces that there will be mailboxes below
    const external = wanted.endsWith(namespace.separator) ? wanted.slice(0, -1) : wanted
    const name = namespace.toInternal(external)
    const problem = external === '' ? 'it is empty' : nameProblem(name)
    if (problem !== undefined) throw new No(`[CANNOT] Invalid mailbox name: ${problem}`)
    if (lookUp(session, name)) throw new No('[ALREADYEXISTS] Mailbox already exists')
    if (!mayCreate(session, name) || (partition !== undefined && !session.isAdmin)) throw new No(`[NOPERM] ${DENIED}`)
    const created = await createMailbox(session.imapd.store, name, partition === undefined ? {} : { partition })
    return `[MAILBOXID (${created.uniqueid})] Completed`
  },
})
