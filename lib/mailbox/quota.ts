/**
 * Quota roots: the nearest mailbox at or above that has limits. Usage is added up from the mailboxes' own counters when it is asked for,
 * so that it can never drift from what is there.
 */
import { type MailStore, type QuotaResource, type QuotaRoot, syncLogLine } from '../store/store.js'
import { ownerOf } from './names.js'

/** A mailbox would go over one of its limits. */
export class OverQuotaError extends Error {
  override name = 'OverQuotaError'
  constructor(
    readonly root: string,
    readonly resource: QuotaResource,
  ) {
    super(`${root}: over its ${resource} quota`)
  }
}

/** The quota root that a mailbox counts against. */
export function quotaRootOf(store: MailStore, name: string): [root: string, quota: QuotaRoot] | undefined {
  // dots of a domain are none of the name
  const domain = name.indexOf('!')
  for (let at = name.length; at > domain; at = name.lastIndexOf('.', at - 1)) {
    const root = name.slice(0, at)
    const quota = store.quota(root)
    if (quota !== undefined) return [root, quota]
  }
  return undefined
}

/** What the mailboxes of a root hold. */
export interface QuotaUsage {
  /** STORAGE, bytes */
  bytes: number
  /** MESSAGE */
  messages: number
  /** X-ANNOTATION-STORAGE, bytes */
  annotationBytes: number
  /** X-NUM-FOLDERS */
  folders: number
}

/** What the mailboxes of a root hold. Mailboxes below a nearer root are not counted. */
export function quotaUsage(store: MailStore, root: string): QuotaUsage {
  const nested = [...store.quotas(root)].map(([name]) => name).filter((name) => name !== root)
  let [bytes, messages, annotationBytes, folders] = [0, 0, 0, 0]
  for (const mailbox of store.mailboxes(root)) {
    if (nested.some((name) => mailbox.name === name || mailbox.name.startsWith(`${name}.`))) continue
    bytes += mailbox.octets
    messages += mailbox.exists
    annotationBytes += mailbox.annotationOctets
    folders++
  }
  return { bytes, messages, annotationBytes, folders }
}

/**
 * Checks that a mailbox's annotations may grow.
 * @param bytes by how much
 * @throws {OverQuotaError}
 */
export function checkAnnotationQuota(store: MailStore, name: string, bytes: number): void {
  const found = quotaRootOf(store, name)
  const limit = found?.[1].limits['X-ANNOTATION-STORAGE']
  if (found === undefined || limit === undefined) return
  if (quotaUsage(store, found[0]).annotationBytes + bytes > limit * 1024)
    throw new OverQuotaError(found[0], 'X-ANNOTATION-STORAGE')
}

/**
 * Checks that mailboxes may be added.
 * @param folders how many
 * @throws {OverQuotaError}
 */
export function checkFolderQuota(store: MailStore, name: string, folders: number): void {
  const found = quotaRootOf(store, name)
  const limit = found?.[1].limits['X-NUM-FOLDERS']
  if (found === undefined || limit === undefined) return
  if (quotaUsage(store, found[0]).folders + folders > limit) throw new OverQuotaError(found[0], 'X-NUM-FOLDERS')
}

/**
 * Checks that messages may be added.
 * @param bytes, messages to be added; with 0 only being over already counts, as Cyrus delivers without lmtp_strict_quota (exactly full is not over)
 * @throws {OverQuotaError}
 */
export function checkQuota(store: MailStore, name: string, bytes: number, messages: number): void {
  const found = quotaRootOf(store, name)
  if (found === undefined) return
  const [root, { limits }] = found
  if (limits.STORAGE === undefined && limits.MESSAGE === undefined) return
  const usage = quotaUsage(store, root)
  if (limits.STORAGE !== undefined && usage.bytes + bytes > limits.STORAGE * 1024) {
    throw new OverQuotaError(root, 'STORAGE')
  }
  if (limits.MESSAGE !== undefined && usage.messages + messages > limits.MESSAGE)
    throw new OverQuotaError(root, 'MESSAGE')
}

/** Sets or, without limits, removes a quota root. */
export async function setQuota(store: MailStore, root: string, limits: QuotaRoot['limits'] | undefined): Promise<void> {
  await store.write((txn) => {
    const mailbox = txn.mailbox(root)
    const before = txn.quota(root)
    if (limits === undefined && before === undefined) return
    txn.setQuota(
      root,
      limits === undefined ? undefined : { limits, modseq: (before?.modseq ?? mailbox?.header.highestModseq ?? 0) + 1 },
    )
    txn.log(syncLogLine('QUOTA', root))
    const owner = ownerOf(root)
    if (owner !== undefined && mailbox === undefined) txn.log(syncLogLine('USER', owner))
  })
}
