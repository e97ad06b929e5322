/**
 * One mailbox made the same on the replica (csync.md §8.4): nothing if nothing differs, else the delta above the replica's HIGHESTMODSEQ;
 * if the replica objects, again from its real state, and at last after a full comparison.
 */
import { quotaRootOf } from '../../mailbox/quota.js'
import type { MailboxHeader, MailboxIndex, MailStore } from '../../store/store.js'
import { bytesOf, scalar } from '../dlist.js'
import { type MailboxState, parseState, type Since, stateOf, writeMailbox } from '../mailbox_codec.js'
import { fromStore, type SyncRecord } from '../record_codec.js'
import { compareFully } from './full_comparison.js'
import { PeerRefusalError } from './peer_errors.js'
import { isUnchanged } from './plan.js'
import type { ClientSession } from './session.js'
import { messagesAbove, upload, type Wanted } from './upload.js'

/** A mailbox's state and records of one moment. */
export interface Local {
  readonly index: MailboxIndex
  readonly state: MailboxState
}

/** @returns undefined if the mailbox is gone */
export function localOf(store: MailStore, id: number): Local | undefined {
  const index = store.index(id)
  if (index === undefined) return undefined
  const { header } = index
  return { index, state: stateOf(header, store.annotations(id), quotaRootOf(store, header.name)?.[0]) }
}

/** Records as replication tells them. */
export function* recordsOf(store: MailStore, index: MailboxIndex, aboveModseq = -1): Generator<SyncRecord> {
  const { header } = index
  for (let row = 0; row < index.length; row++) {
    if (index.modseq(row) <= aboveModseq) continue
    const record = index.record(row)
    yield fromStore(
      record,
      header.userFlags,
      header.annotated === 0 ? [] : store.messageAnnotations(header.id, record.uid),
    )
  }
}

/** The replica's mailbox of that name, asked anew. */
export async function askMailbox(session: ClientSession, name: string): Promise<MailboxState | undefined> {
  const { items } = await session.peer.ask('GET', 'MAILBOXES', [`(${scalar(bytesOf(name), 'client')})`])
  const state = items
    .filter(({ key }) => key.toUpperCase() === 'MAILBOX')
    .map(({ value }) => parseState(value, 'server'))[0]
  if (state === undefined) session.known.delete(name)
  else session.remember(name, state)
  return state
}

/**
 * @param theirs the replica's state, undefined if it does not have the mailbox
 * @returns 'renamed' if it has another name here by now, and nothing was done: under the new one the replica may have something else
 * @throws {PeerRefusalError}, {PeerGoneError}, {ItemError}
 */
export async function syncMailbox(
  session: ClientSession,
  mailbox: MailboxHeader,
  theirs: MailboxState | undefined,
): Promise<'done' | 'renamed'> {
  const { store, log, options } = session
  if (
    theirs !== undefined &&
    mailbox.deletedModseq > theirs.highestModseq &&
    !options.noCopyback &&
    theirs.highestModseq > 0
  ) {
    log.notice(`inefficient replication: ${mailbox.name}: ${mailbox.deletedModseq} > ${theirs.highestModseq}`)
    await compareFully(session, mailbox)
    await sendAnew(session, mailbox)
    return 'done'
  }
  await takeHigherCounters(store, mailbox, theirs)
  const local = localOf(store, mailbox.id)
  if (local === undefined) return 'done'
  if (local.state.name !== mailbox.name) return 'renamed'
  if (theirs !== undefined && isUnchanged(local.state, theirs)) return 'done'
  options.tell(`MAILBOX ${mailbox.name}`)
  try {
    await sendDelta(session, local, theirs, true)
    return 'done'
  } catch (error) {
    session.known.delete(mailbox.name)
    if (!isRetriable(error)) throw error
  }
  try {
    await sendAnew(session, mailbox)
    return 'done'
  } catch (error) {
    if (!isChecksum(error) || options.noCopyback) throw error
  }
  await compareFully(session, mailbox)
  await sendAnew(session, mailbox)
  return 'done'
}

function isChecksum(error: unknown): boolean {
  return error instanceof PeerRefusalError && error.code === 'IMAP_SYNC_CHECKSUM'
}

/** Worth another try from the replica's real state: that which we thought it had was wrong. */
function isRetriable(error: unknown): boolean {
  return isChecksum(error) || (error instanceof PeerRefusalError && error.code === 'IMAP_SYNC_CHANGED')
}

/** The delta from what the replica says now, without SINCE_*. */
async function sendAnew(session: ClientSession, mailbox: MailboxHeader): Promise<void> {
  const theirs = await askMailbox(session, mailbox.name)
  const local = localOf(session.store, mailbox.id)
  if (local?.state.name === mailbox.name) await sendDelta(session, local, theirs, false)
}

/** UIDVALIDITY and the like never go down: a replica that has higher ones has its way. */
async function takeHigherCounters(
  store: MailStore,
  mailbox: MailboxHeader,
  theirs: MailboxState | undefined,
): Promise<void> {
  if (theirs === undefined || mailbox.mbtype.includes('i')) return
  const higher = (header: MailboxHeader): boolean =>
    theirs.uidvalidity > header.uidvalidity ||
    (theirs.raclModseq ?? 0) > header.raclModseq ||
    (theirs.folderModseq ?? 0) > header.folderModseq
  if (!higher(mailbox)) return
  await store.write((txn) => {
    const header = txn.mailbox(mailbox.id)?.header
    if (header === undefined || !higher(header)) return
    header.uidvalidity = Math.max(header.uidvalidity, theirs.uidvalidity)
    header.raclModseq = Math.max(header.raclModseq, theirs.raclModseq ?? 0)
    header.folderModseq = Math.max(header.folderModseq, theirs.folderModseq ?? 0)
    txn.mailbox(mailbox.id)!.touch()
  })
}

async function sendDelta(
  session: ClientSession,
  local: Local,
  theirs: MailboxState | undefined,
  withSince: boolean,
): Promise<void> {
  const { index } = local
  let known = theirs
  let useSince = withSince
  for (;;) {
    const batch = session.store.config.int('sync_batchsize')
    // one more than a step has, to know whether it is the last
    const fresh = messagesAbove(index, known?.lastUid ?? 0, batch + 1)
    // a message above LAST_UID that the delta does not name would be lost without a trace
    const unnamed = fresh.find(({ uid }) => index.modseq(index.findUid(uid)) <= (known?.highestModseq ?? 0))
    if (unnamed !== undefined && known !== undefined)
      throw new PeerRefusalError(
        `APPLY MAILBOX ${index.header.name}`,
        'IMAP_SYNC_CHECKSUM',
        `message ${unnamed.uid} is older than the replica's HIGHESTMODSEQ`,
      )
    const cut = fresh.length > batch ? stepAt(index, fresh[batch - 1]!.uid, known?.highestModseq ?? 0) : undefined
    known = await sendStep(session, local, known, useSince, cut === undefined ? fresh : fresh.slice(0, batch), cut)
    if (cut === undefined) return
    useSince = true
  }
}

/** A state between the replica's and ours, in which many new messages are told in steps: a lost connection then repeats one step only. */
interface Step {
  readonly lastUid: number
  readonly highestModseq: number
}

/**
 * The greatest HIGHESTMODSEQ below that of everything still to be told. Records up to the UID that have a higher one are told with this one,
 * and so again in a later step (csync.md §8.4, batching).
 */
function stepAt(index: MailboxIndex, lastUid: number, aboveModseq: number): Step {
  let lowest = index.header.highestModseq
  for (let row = index.lowerBound(lastUid + 1); row < index.length; row++) {
    const modseq = index.modseq(row)
    if (modseq > aboveModseq && modseq < lowest) lowest = modseq
  }
  return { lastUid, highestModseq: Math.max(aboveModseq, lowest - 1) }
}

function* recordsOfStep(store: MailStore, index: MailboxIndex, aboveModseq: number, step: Step): Generator<SyncRecord> {
  for (const record of recordsOf(store, index, aboveModseq)) {
    if (record.uid > step.lastUid) return
    yield record.modseq > step.highestModseq ? { ...record, modseq: step.highestModseq } : record
  }
}

/** @returns the replica's state after it */
async function sendStep(
  session: ClientSession,
  { index, state }: Local,
  theirs: MailboxState | undefined,
  withSince: boolean,
  fresh: readonly Wanted[],
  step: Step | undefined,
): Promise<MailboxState> {
  const { store, peer, options } = session
  const { header } = index
  // where the replica has the mailbox is where its files must be staged
  const partition = theirs?.partition ?? options.partition ?? header.partition
  const aboveModseq = theirs?.highestModseq ?? 0
  const since: Since | undefined =
    withSince && theirs !== undefined && theirs.highestModseq > 0
      ? { modseq: theirs.highestModseq, crc: theirs.crc ?? 0, crcAnnot: theirs.crcAnnot ?? 0 }
      : undefined
  await upload(session, header, partition, fresh)
  const told: MailboxState =
    step === undefined ? { ...state, partition } : { ...state, ...step, partition, crc: 0, crcAnnot: undefined }
  const records =
    step === undefined ? recordsOf(store, index, aboveModseq) : recordsOfStep(store, index, aboveModseq, step)
  await peer.ask('APPLY', session.verb('MAILBOX'), writeMailbox(told, 'client', since, records))
  session.remember(header.name, told)
  return told
}
