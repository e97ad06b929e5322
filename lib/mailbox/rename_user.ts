/**
 * Giving a user another name (RENAME of an INBOX by an administrator, with `allowusermoves`): all that is kept under the user id goes with the
 * mailboxes, in one change, with the replication log lines that Cyrus writes for it (csync.md §10.2).
 */
import { nameKey, nameOfKey } from '../store/keys.js'
import {
  MailboxExistsError,
  MailboxGoneError,
  type MailboxWriter,
  type MailStore,
  type StoreTransaction,
  syncLogLine,
} from '../store/store.js'
import { formatAcl, parseAcl } from './acl.js'
import { BadNameError, ForbiddenError } from './folders.js'
import { inboxOf, isWithin, nameProblem } from './names.js'

/**
 * @param from, to user ids
 * @returns the names of each mailbox, old and new, a parent before what is below it
 * @throws {ForbiddenError} unless `allowusermoves`; {MailboxGoneError}; {MailboxExistsError}; {BadNameError}
 */
export async function renameUser(
  store: MailStore,
  from: string,
  to: string,
): Promise<(readonly [from: string, to: string])[]> {
  if (!store.config.switch('allowusermoves')) throw new ForbiddenError('Operation is not supported on mailbox')
  const [old, fresh] = [inboxOf(from), inboxOf(to)]
  return store.write((txn) => {
    if (txn.mailbox(old) === undefined) throw new MailboxGoneError(old)
    if (txn.mailbox(fresh) !== undefined) throw new MailboxExistsError(fresh)
    const target = (name: string): string => fresh + name.slice(old.length)
    const names = [...txn.mailboxes(old)].map((writer) => writer.header.name)
    for (const name of names) {
      const problem = nameProblem(target(name))
      if (problem !== undefined) throw new BadNameError(`${target(name)}: ${problem}`)
      moveMailbox(txn, txn.mustMailbox(name), target(name), from, to)
    }
    moveQuotas(txn, old, target)
    moveSubscriptions(txn, from, to, old, target)
    for (const { key, value } of [...txn.tables.seen.getRange({ start: [from, ''], end: [from, '\uffff'] })]) {
      txn.setSeen(from, key[1], undefined)
      txn.setSeen(to, key[1], value)
    }
    for (const { key, value } of [...txn.tables.sieveFiles.getRange({ start: [from, ''], end: [from, '\uffff'] })]) {
      txn.setSieveFile(from, key[1], undefined)
      txn.setSieveFile(to, key[1], value)
    }
    txn.log(syncLogLine('UNUSER', from))
    txn.log(syncLogLine('USER', to))
    return names.map((name) => [name, target(name)] as const)
  })
}

function moveMailbox(txn: StoreTransaction, writer: MailboxWriter, to: string, user: string, newUser: string): void {
  const { header } = writer
  const from = header.name
  txn.rename(writer, to)
  const modseq = writer.nextModseq()
  header.folderModseq = modseq
  const pairs = parseAcl(header.acl)
  const own = pairs.filter(([who]) => who === user)
  header.acl = formatAcl([
    ...pairs.filter(([who]) => who !== user),
    ...own.map(([, rights]) => [newUser, rights] as const),
  ])
  for (const annotation of txn.annotations(header.id)) {
    if (annotation.userid !== user) continue
    txn.setAnnotation(header.id, { ...annotation, value: Buffer.alloc(0) })
    txn.setAnnotation(header.id, { ...annotation, userid: newUser })
  }
  if (header.annotated > 0) {
    for (const record of writer.records()) {
      const annotations = writer.messageAnnotations(record.uid)
      if (!annotations.some(({ userid }) => userid === user)) continue
      const renamed = annotations.map((each) => (each.userid === user ? { ...each, userid: newUser, modseq } : each))
      writer.update({ ...record, modseq }, renamed)
    }
  }
  txn.log(syncLogLine('RENAME', from, to))
  txn.log(syncLogLine('MAILBOX', from))
  txn.log(syncLogLine('MAILBOX', to))
}

function moveQuotas(txn: StoreTransaction, old: string, target: (name: string) => string): void {
  const start = nameKey(old)
  for (const { key, value } of [...txn.tables.quotas.getRange({ start, end: `${start}\x02` })]) {
    const root = nameOfKey(key)
    if (!isWithin(root, old)) continue
    txn.setQuota(root, undefined)
    txn.setQuota(target(root), value)
    txn.log(syncLogLine('QUOTA', target(root)))
  }
}

function moveSubscriptions(
  txn: StoreTransaction,
  from: string,
  to: string,
  old: string,
  target: (name: string) => string,
): void {
  for (const [, key] of [...txn.tables.subscriptions.getKeys({ start: [from, ''], end: [from, '\uffff'] })]) {
    const name = nameOfKey(key)
    txn.setSubscribed(from, name, false)
    txn.setSubscribed(to, isWithin(name, old) ? target(name) : name, true)
  }
}
