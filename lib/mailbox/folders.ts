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

/** A mailbox that has others below it, which is why it cannot be deleted. */
export class HasChildrenError extends Error {
  override name = 'HasChildrenError'
}

/** A UIDVALIDITY never given before on this server: the time, or one more than the last. */
export function nextUidvalidity(txn: StoreTransaction): number {
  const last = txn.tables.meta.get('lastUidvalidity') ?? 0
  const next = Math.max(now(), last + 1)
  txn.tables.meta.put('lastUidvalidity', next)
  return next
}

/**
 * Makes a mailbox, and those above it that are missing, as Cyrus does. It inherits ACL and partition from the nearest existing parent; a user's
 * INBOX belongs to the user.
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
  checkFolderQuota(store, name, 1 + missingAbove(name, (each) => store.mailbox(each) !== undefined).length)
  return store.write((txn) => {
    if (txn.mailbox(name) !== undefined) throw new MailboxExistsError(name)
    const owner = ownerOf(name)
    if (owner !== undefined && !isInbox(name) && nearestParent(txn, name) === undefined)
      throw new MailboxGoneError(inboxOf(owner))
    makeAbove(store, txn, name)
    const writer = txn.create({
      uniqueid: newUniqueid(),
      name,
      mbtype,
      partition: partition ?? nearestParent(txn, name)?.partition ?? store.config.string('defaultpartition')!,
      acl: aclOfNewMailbox(store, txn, name),
      uidvalidity: nextUidvalidity(txn),
      options: 'P',
    })
    if (annotations.length > 0) annotateMailbox(txn, writer, annotations)
    txn.log(syncLogLine('MAILBOX', name))
    return { ...writer.header }
  })
}

/** Names above one that are no mailboxes, the uppermost first. */
function missingAbove(name: string, exists: (name: string) => boolean): string[] {
  const missing: string[] = []
  for (let parent = parentOf(name); parent !== undefined && !exists(parent); parent = parentOf(parent))
    // below INBOX for clients of the alternative namespace there is no mailbox INBOX
    if (!(parent.endsWith('.INBOX') && isInbox(parent.slice(0, -6)))) missing.unshift(parent)
  return missing
}

/** The ACL that a new mailbox gets: its owner's if it is an INBOX, else that of the nearest one above, else `defaultacl`. */
export function aclOfNewMailbox(store: MailStore, txn: StoreTransaction, name: string): string {
  const owner = ownerOf(name)
  if (owner !== undefined && isInbox(name)) return ownerAcl(owner)
  return nearestParent(txn, name)?.acl ?? aclOfWords(store.config.string('defaultacl')!)
}

/** Makes the mailboxes that are missing above a name. */
function makeAbove(store: MailStore, txn: StoreTransaction, name: string): void {
  for (const each of missingAbove(name, (above) => txn.mailbox(above) !== undefined)) {
    const parent = nearestParent(txn, each)
    txn.create({
      uniqueid: newUniqueid(),
      name: each,
      mbtype: '',
      partition: parent?.partition ?? store.config.string('defaultpartition')!,
      acl: parent?.acl ?? aclOfWords(store.config.string('defaultacl')!),
      uidvalidity: nextUidvalidity(txn),
      options: 'P',
    })
    txn.log(syncLogLine('MAILBOX', each))
  }
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
 * An INBOX takes the user's other mailboxes, subscriptions, seen state and quota with it.
 * @throws {MailboxGoneError}; {HasChildrenError} for another mailbox with some below it
 */
export async function deleteMailbox(store: MailStore, name: string): Promise<void> {
  const delayed = store.config.string('delete_mode') === 'delayed' && !isDeleted(name)
  const suffix = now().toString(16).toUpperCase().padStart(8, '0')
  await store.write((txn) => {
    txn.mustMailbox(name)
    const owner = isInbox(name) ? ownerOf(name) : undefined
    if (owner === undefined && !isDeleted(name) && [...txn.mailboxes(name)].length > 1) throw new HasChildrenError(name)
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

/** Whether there are mailboxes below one, for whomever. */
export function hasChildren(store: MailStore, name: string): boolean {
  for (const header of store.mailboxes(name)) if (header.name !== name) return true
  return false
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
  // as 3.6.1 logs it (csync.md, capture 27); and the one of the two that a sync_client of 2.3 reads
  txn.log(syncLogLine('MAILBOX', name))
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
 * Renames a mailbox and all below it, and makes those that are missing above its new name. To a name below itself it moves alone: an empty
 * one takes its place. UIDVALIDITY, uniqueids, messages and subscriptions of others stay as they are.
 * @returns the names of each, old and new, a parent before what is below it
 * @throws {BadNameError}; {MailboxExistsError}; {MailboxGoneError}; {ForbiddenError} for an INBOX
 */
export async function renameMailbox(
  store: MailStore,
  from: string,
  to: string,
): Promise<(readonly [from: string, to: string])[]> {
  const problem = nameProblem(to)
  if (problem !== undefined || isReserved(to)) throw new BadNameError(problem ?? 'the name is reserved')
  if (isInbox(from) || isInbox(to)) throw new ForbiddenError('Operation is not supported on mailbox')
  if (quotaRootOf(store, to)?.[0] !== quotaRootOf(store, from)?.[0])
    checkFolderQuota(store, to, [...store.mailboxes(from)].length)
  return store.write((txn) => {
    if (txn.mailbox(from) === undefined) throw new MailboxGoneError(from)
    if (txn.mailbox(to) !== undefined) throw new MailboxExistsError(to)
    const owner = ownerOf(to)
    if (owner !== undefined && txn.mailbox(inboxOf(owner)) === undefined) throw new MailboxGoneError(inboxOf(owner))
    if (to.startsWith(`${from}.`)) {
      moveOne(txn, from, to)
      makeAbove(store, txn, to)
      return []
    }
    const names = [...txn.mailboxes(from)].map((writer) => writer.header.name)
    const renamed = names.map((name) => {
      const target = to + name.slice(from.length)
      const tooLong = nameProblem(target)
      if (tooLong !== undefined) throw new BadNameError(`${target}: ${tooLong}`)
      moveOne(txn, name, target)
      return [name, target] as const
    })
    makeAbove(store, txn, to)
    return renamed
  })
}
