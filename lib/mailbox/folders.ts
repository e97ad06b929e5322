/**
 * Creating, deleting, renaming mailboxes: the rules of Cyrus 3.6 over the store, with the replication log lines that go with them (csync.md §10.2).
 * Rights are the caller's matter; what may be a name, what has to stay together, and what is remembered of the dead is decided here.
 */
import { nameKey } from '../store/keys.js'
import {
  MailboxExistsError,
  MailboxGoneError,
  type MailboxHeader,
  type MailStore,
  now,
  type StoreTransaction,
  syncLogLine,
} from '../store/store.js'
import { aclOfWords, ownerAcl } from './acl.js'
import { type AnnotationChange, annotateMailbox } from './annotations.js'
import { deletedName, inboxOf, isDeleted, isInbox, isReserved, nameProblem, ownerOf, parentOf } from './names.js'
import { checkFolderQuota, quotaRootOf } from './quota.js'
import { newUniqueid } from './uniqueid.js'

/** A name that no mailbox can have; the message is for the client. */
export class BadNameError extends Error {
  override name = 'BadNameError'
}

/** An operation that the rules forbid; the message is for the client. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError'
}

/** A UIDVALIDITY never given before on this server: the time, or one more than the last. */
export function nextUidvalidity(txn: StoreTransaction): number {
  const last = txn.tables.meta.get('lastUidvalidity') ?? 0
  const next = Math.max(now(), last + 1)
  txn.tables.meta.put('lastUidvalidity', next)
  return next
}

/**
 * Makes a mailbox. It inherits ACL and partition from the nearest existing parent; a user's INBOX belongs to the user.
 * @param name internal
 * @param annotations that it has from the beginning
 * @param mbtype letters of csync.md §6.2; '' ordinary mail
 * @throws {BadNameError}; {MailboxExistsError}; {MailboxGoneError} if it would be below the INBOX of a user who has none; {OverQuotaError}
 */
export async function createMailbox(
  store: MailStore,
  name: string,
  {
    partition,
    annotations = [],
    mbtype = '',
  }: { partition?: string; annotations?: readonly AnnotationChange[]; mbtype?: string } = {},
): Promise<MailboxHeader> {
  const problem = nameProblem(name)
  if (problem !== undefined || isReserved(name)) {
    throw new BadNameError(problem ?? 'the name is reserved')
  }
  if (partition !== undefined && !store.hasPartition(partition)) throw new BadNameError(`no partition "${partition}"`)
  checkFolderQuota(store, name, 1)
  return store.write((txn) => {
    if (txn.mailbox(name) !== undefined) throw new MailboxExistsError(name)
    const owner = ownerOf(name)
    const parent = nearestParent(txn, name)
    if (owner !== undefined && !isInbox(name) && parent === undefined) throw new MailboxGoneError(inboxOf(owner))
    const acl =
      owner !== undefined && isInbox(name)
        ? ownerAcl(owner)
        : (parent?.acl ?? aclOfWords(store.config.string('defaultacl')!))
    const writer = txn.create({
      uniqueid: newUniqueid(),
      name,
      mbtype,
      partition: partition ?? parent?.partition ?? store.config.string('defaultpartition')!,
      acl,
      uidvalidity: nextUidvalidity(txn),
      options: 'P',
    })
    if (annotations.length > 0) annotateMailbox(txn, writer, annotations)
    txn.log(syncLogLine('MAILBOX', name))
    return { ...writer.header }
  })
}

function nearestParent(txn: StoreTransaction, name: string): MailboxHeader | undefined {
  for (let parent = parentOf(name); parent !== undefined; parent = parentOf(parent)) {
    const writer = txn.mailbox(parent)
    if (writer !== undefined) return writer.header
  }
  return undefined
}

/**
 * Deletes a mailbox as `delete_mode` says: at once, leaving a tombstone, or by moving it below DELETED.
 * An INBOX takes the user's other mailboxes, subscriptions, seen state and quota with it; another mailbox leaves its children alone.
 * @throws {MailboxGoneError}
 */
export async function deleteMailbox(store: MailStore, name: string): Promise<void> {
  const delayed = store.config.string('delete_mode') === 'delayed' && !isDeleted(name)
  const suffix = now().toString(16).toUpperCase().padStart(8, '0')
  await store.write((txn) => {
    txn.mustMailbox(name)
    const owner = isInbox(name) ? ownerOf(name) : undefined
    const doomed = owner === undefined ? [name] : [...txn.mailboxes(name)].map((writer) => writer.header.name)
    for (const each of doomed) {
      if (delayed) moveOne(txn, each, uniqueDeletedName(txn, each, suffix))
      else removeOne(txn, each)
    }
    if (owner !== undefined) {
      forgetUser(txn, owner)
      txn.log(syncLogLine('UNUSER', owner))
    }
  })
}

function uniqueDeletedName(txn: StoreTransaction, name: string, suffix: string): string {
  let candidate = `${deletedName(name)}.${suffix}`
  for (let n = 1; txn.mailbox(candidate) !== undefined; n++) {
    candidate = `${deletedName(name)}.${(Number.parseInt(suffix, 16) + n).toString(16).toUpperCase().padStart(8, '0')}`
  }
  return candidate
}

function removeOne(txn: StoreTransaction, name: string): void {
  txn.remove(txn.mustMailbox(name), { tombstone: true })
  txn.log(syncLogLine('UNMAILBOX', name))
}

/** Renames one mailbox and logs the triple that a Cyrus writes. */
function moveOne(txn: StoreTransaction, from: string, to: string): void {
  const writer = txn.mustMailbox(from)
  txn.rename(writer, to)
  writer.header.folderModseq = writer.nextModseq()
  txn.log(syncLogLine('RENAME', from, to))
  txn.log(syncLogLine('MAILBOX', from))
  txn.log(syncLogLine('MAILBOX', to))
}

/** Drops what is kept by user id. The user's mailboxes are the caller's matter. */
export function forgetUser(txn: StoreTransaction, userid: string): void {
  const { seen, subscriptions, quotas, sieveFiles } = txn.tables
  for (const key of [...seen.getKeys({ start: [userid, ''], end: [userid, '\uffff'] })]) seen.remove(key)
  for (const key of [...subscriptions.getKeys({ start: [userid, ''], end: [userid, '\uffff'] })])
    subscriptions.remove(key)
  for (const key of [...sieveFiles.getKeys({ start: [userid, ''], end: [userid, '\uffff'] })]) sieveFiles.remove(key)
  const root = nameKey(inboxOf(userid))
  for (const key of [...quotas.getKeys({ start: root, end: `${root}\x02` })]) {
    if (key === root || key.startsWith(`${root}\x01`)) quotas.remove(key)
  }
}

/**
 * Renames a mailbox and all below it. UIDVALIDITY, uniqueids, messages and subscriptions of others stay as they are.
 * @returns the names of each, old and new, a parent before what is below it
 * @throws {BadNameError}; {MailboxExistsError}; {MailboxGoneError}; {ForbiddenError} for an INBOX or for moving a mailbox below itself
 */
export async function renameMailbox(
  store: MailStore,
  from: string,
  to: string,
): Promise<(readonly [from: string, to: string])[]> {
  const problem = nameProblem(to)
  if (problem !== undefined || isReserved(to)) throw new BadNameError(problem ?? 'the name is reserved')
  if (isInbox(from) || isInbox(to)) throw new ForbiddenError('Operation is not supported on mailbox')
  if (to.startsWith(`${from}.`)) throw new ForbiddenError('a mailbox cannot move below itself')
  if (quotaRootOf(store, to)?.[0] !== quotaRootOf(store, from)?.[0])
    checkFolderQuota(store, to, [...store.mailboxes(from)].length)
  return store.write((txn) => {
    if (txn.mailbox(from) === undefined) throw new MailboxGoneError(from)
    if (txn.mailbox(to) !== undefined) throw new MailboxExistsError(to)
    const owner = ownerOf(to)
    if (owner !== undefined && txn.mailbox(inboxOf(owner)) === undefined) throw new MailboxGoneError(inboxOf(owner))
    const names = [...txn.mailboxes(from)].map((writer) => writer.header.name)
    return names.map((name) => {
      const target = to + name.slice(from.length)
      const tooLong = nameProblem(target)
      if (tooLong !== undefined) throw new BadNameError(`${target}: ${tooLong}`)
      moveOne(txn, name, target)
      return [name, target] as const
    })
  })
}
