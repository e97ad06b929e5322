/** SETACL and DELETEACL (RFC 4314 §3.1, §3.2). */
import { changedAcl, type RightsChange, setAcl } from '../../../lib/mailbox/access.js'
import { implicitRights, parseAcl } from '../../../lib/mailbox/acl.js'
import { ownerOf } from '../../../lib/mailbox/names.js'
import { groupExists } from '../../../lib/os/groups.js'
import { canonicalUser } from '../../../lib/sasl/identity.js'
import { define, LOGGED_IN } from '../command.js'
import { Bad, DENIED, No } from '../errors.js'
import { mustFind } from '../mailboxes.js'
import type { Session } from '../session.js'

/** An identifier as ACLs hold it: a user id, `anyone`, `anonymous`, `group:NAME`, each perhaps with `-` before. @throws {No} */
function identifierOf(session: Session, text: string): string {
  const negative = text.startsWith('-') ? '-' : ''
  const name = text.slice(negative.length)
  if (/^(?:anyone|anonymous)$/i.test(name)) return negative + name.toLowerCase()
  if (/^group:./i.test(name)) {
    if (!groupExists(name.slice(6))) throw new No('Invalid identifier')
    return `${negative}group:${name.slice(6)}`
  }
  const user = canonicalUser(session.imapd.config, name)
  if (user === undefined) throw new No('Invalid identifier')
  return negative + user
}

async function change(session: Session, mailbox: string, text: string, rights: RightsChange): Promise<undefined> {
  const { config } = session.imapd
  if (!config.switch('allowsetacl')) throw new Bad('SETACL is not allowed on this server')
  const { header } = mustFind(session, mailbox, 'a')
  const identifier = identifierOf(session, text)
  if (/^-?anyone$/.test(identifier) && !session.isAdmin && !config.switch('anyoneuseracl'))
    throw new No(`[NOPERM] ${DENIED}`)
  const owner = ownerOf(header.name)
  await setAcl(session.imapd.store, header, (acl) => {
    const changed = changedAcl(acl, identifier, rights, implicitRights(header.name, identifier))
    const left = parseAcl(changedAcl(acl, identifier, rights)).find(([who]) => who === identifier)?.[1] ?? ''
    // an owner cannot lock themselves out
    if (identifier === owner && !session.isAdmin && !left.includes('a')) throw new No(`[NOPERM] ${DENIED}`)
    return changed
  })
  return undefined
}

export const setacl = define<{ mailbox: string; identifier: string; rights: RightsChange }>({
  name: 'SETACL',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.space()
    const identifier = args.astring().toString('utf8')
    args.space()
    const text = args.astring().toString('latin1')
    args.end()
    const mode = text.startsWith('+') ? 'add' : text.startsWith('-') ? 'remove' : 'replace'
    return { mailbox, identifier, rights: { mode, rights: mode === 'replace' ? text : text.slice(1) } }
  },
  run: ({ session }, { mailbox, identifier, rights }) => change(session, mailbox, identifier, rights),
})

export const deleteacl = define<{ mailbox: string; identifier: string }>({
  name: 'DELETEACL',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.space()
    const identifier = args.astring().toString('utf8')
    args.end()
    return { mailbox, identifier }
  },
  run: ({ session }, { mailbox, identifier }) => change(session, mailbox, identifier, { mode: 'replace', rights: '' }),
})
