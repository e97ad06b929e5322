/** Changing who may do what with a mailbox (RFC 4314), with the replication log line that goes with it. */
import { type MailboxHeader, type MailStore, syncLogLine } from '../store/store.js'
import { ALL_RIGHTS, formatAcl, parseAcl } from './acl.js'

/** A right that does not exist; the message is for the client. */
export class UnknownRightError extends Error {
  override name = 'UnknownRightError'
  constructor(right: string) {
    super(`The ${right} right is not supported`)
  }
}

/** How rights are changed: replaced, or added to or taken from what is there. */
export interface RightsChange {
  readonly mode: 'replace' | 'add' | 'remove'
  readonly rights: string
}

/** `c` and `d` of RFC 2086 as the rights they became (RFC 4314 §2.1.1). @throws {UnknownRightError} */
function expanded(rights: string): Set<string> {
  const found = new Set<string>()
  for (const right of rights) {
    if (!ALL_RIGHTS.includes(right)) throw new UnknownRightError(right)
    for (const each of right === 'c' ? 'kx' : right === 'd' ? 'te' : right) found.add(each)
  }
  return found
}

/** What an ACL holds, where `c` and `d` only show that others are there (old ACLs: stand for them). */
function stored(rights: string): Set<string> {
  const plain = [...rights].filter((right) => ALL_RIGHTS.includes(right)).join('')
  const shown = `${/[kx]/.test(plain) ? 'c' : ''}${/[te]/.test(plain) ? 'd' : ''}`
  return expanded([...plain].filter((right) => !shown.includes(right)).join(''))
}

/** In Cyrus' order, with `c` and `d` shown where any right they became is there. */
function written(rights: ReadonlySet<string>): string {
  const shown = new Set(rights)
  if (rights.has('k') || rights.has('x')) shown.add('c')
  if (rights.has('t') || rights.has('e')) shown.add('d')
  return [...ALL_RIGHTS].filter((right) => shown.has(right)).join('')
}

/**
 * An ACL after a change. An identifier without rights is left out. Pure.
 * @param always rights that the identifier keeps in any case, and that are written down
 * @throws {UnknownRightError}
 */
export function changedAcl(acl: string, identifier: string, { mode, rights }: RightsChange, always = ''): string {
  const named = expanded(rights)
  const pairs = parseAcl(acl)
  const at = pairs.findIndex(([who]) => who === identifier)
  const before = at < 0 ? new Set<string>() : stored(pairs[at]![1])
  const kept = [...before].filter((right) => mode === 'add' || (mode === 'remove' && !named.has(right)))
  const after = written(new Set([...kept, ...(mode === 'remove' ? [] : named), ...expanded(always)]))
  if (at < 0) return after === '' ? acl : formatAcl([...pairs, [identifier, after]])
  if (after === '') pairs.splice(at, 1)
  else pairs[at] = [identifier, after]
  return formatAcl(pairs)
}

/** Puts a new ACL in place. @throws {MailboxGoneError} */
export async function setAcl(store: MailStore, mailbox: MailboxHeader, change: (acl: string) => string): Promise<void> {
  await store.write((txn) => {
    const writer = txn.mustMailbox(mailbox.id)
    const acl = change(writer.header.acl)
    if (acl === writer.header.acl) return
    writer.header.acl = acl
    writer.header.folderModseq = writer.nextModseq()
    writer.touch()
    txn.log(syncLogLine('MAILBOX', writer.header.name))
  })
}
