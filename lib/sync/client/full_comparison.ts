/**
 * The full comparison (csync.md §9.1): takes over what only the replica has, before the ordinary delta puts the master's view on it.
 * Local changes are committed before anything is expunged on the replica, so that no message is ever on neither side.
 */
import { createHash } from 'node:crypto'
import { summarize } from '../../message/summary.js'
import {
  type Annotation,
  Flag,
  type MailboxHeader,
  type MessageRecord,
  now,
  type Staged,
  type StoreTransaction,
  syncLogLine,
} from '../../store/store.js'
import { bytesOf, DlistFile, DlistMap, kvlist, scalar } from '../dlist.js'
import { parseRecords, parseState } from '../mailbox_codec.js'
import { type SyncRecord, toStore } from '../record_codec.js'
import type { FileSinks } from '../wire_reader.js'
import { compareRecords, mergeAnnotations, type Resolution, sameAnnotations } from './plan.js'
import { type ClientSession, ItemError } from './session.js'
import { localOf, recordsOf } from './sync_mailbox.js'

/** Resolutions carried out in one transaction. */
const SLICE = 256

/** @throws {PeerRefusalError}, {PeerGoneError}, {ItemError} if a message that only the replica has cannot be had from it */
export async function compareFully(session: ClientSession, mailbox: MailboxHeader): Promise<void> {
  const { store, peer, log, options } = session
  options.tell(`FULLMAILBOX ${mailbox.name}`)
  const name = scalar(bytesOf(mailbox.name), 'client')
  const { items } = await peer.ask('GET', 'FULLMAILBOX', [name])
  const value = items.find(({ key }) => key.toUpperCase() === 'MAILBOX')?.value
  if (!(value instanceof DlistMap)) throw new ItemError(`${mailbox.name}: the replica does not tell it in full`)
  const theirs = parseState(value, 'server')
  const theirRecords = [...(parseRecords(value) ?? [])].sort((a, b) => a.uid - b.uid)
  if (theirs.uniqueid !== mailbox.uniqueid)
    throw new ItemError(`${mailbox.name}: the replica has another mailbox of that name`)

  const local = localOf(store, mailbox.id)
  if (local === undefined) return
  const { header } = local.index
  const comparison = compareRecords([...recordsOf(store, local.index)], theirRecords, header, theirs)
  const fetched = new Map<string, Staged>()
  try {
    for (const resolution of comparison.resolutions) {
      if (resolution.kind !== 'copyback' || fetched.has(resolution.guid)) continue
      fetched.set(
        resolution.guid,
        await fetchMessage(session, header, theirs.partition ?? header.partition, resolution.record),
      )
    }
    // same UIDs first, in order: after that LAST_UID is the higher of both, and new UIDs come after it
    const kept = comparison.resolutions.filter((each) => each.kind === 'copyback' && each.keepUid)
    const others = comparison.resolutions.filter((each) => !kept.includes(each))
    await store.write((txn) => {
      const writer = txn.mustMailbox(header.id)
      const own = writer.header
      if (own.highestModseq < theirs.highestModseq) {
        log.notice(`${own.name}: highestmodseq ${own.highestModseq} -> ${theirs.highestModseq + 1}: remote was higher`)
        own.highestModseq = theirs.highestModseq + 1
      }
      own.uidvalidity = Math.max(own.uidvalidity, theirs.uidvalidity)
      const wanted = mergeAnnotations(
        local.state.annotations,
        theirs.annotations,
        theirs.highestModseq > header.highestModseq,
      )
      if (!sameAnnotations(wanted, local.state.annotations))
        replaceAnnotations(txn, own.id, local.state.annotations, wanted)
      writer.touch()
    })
    for (const [slice, isLast] of slices(kept)) {
      await store.write((txn) => {
        carryOut(txn, session, header.id, slice, fetched)
        if (isLast) raiseLastUid(txn, header.id, theirs.lastUid)
      })
    }
    for (const [slice] of slices(others)) await store.write((txn) => carryOut(txn, session, header.id, slice, fetched))
  } finally {
    for (const staged of fetched.values()) store.unstage(staged)
  }
  if (comparison.expungeThere.length === 0) return
  const uids = `(${comparison.expungeThere.join(' ')})`
  await peer.ask('APPLY', 'EXPUNGE', [
    kvlist([
      ['MBOXNAME', name],
      ['UNIQUEID', scalar(mailbox.uniqueid, 'client')],
      ['UID', uids],
    ]),
  ])
}

function* slices<T>(items: readonly T[]): Generator<[slice: readonly T[], isLast: boolean]> {
  if (items.length === 0) yield [[], true]
  for (let at = 0; at < items.length; at += SLICE) yield [items.slice(at, at + SLICE), at + SLICE >= items.length]
}

function raiseLastUid(txn: StoreTransaction, id: number, lastUid: number): void {
  const writer = txn.mustMailbox(id)
  writer.header.lastUid = Math.max(writer.header.lastUid, lastUid)
  writer.touch()
}

function replaceAnnotations(
  txn: StoreTransaction,
  id: number,
  before: readonly Annotation[],
  after: readonly Annotation[],
): void {
  for (const annotation of before) txn.setAnnotation(id, { ...annotation, value: Buffer.alloc(0) })
  for (const annotation of after) txn.setAnnotation(id, annotation)
}

function carryOut(
  txn: StoreTransaction,
  session: ClientSession,
  id: number,
  resolutions: readonly Resolution[],
  fetched: ReadonlyMap<string, Staged>,
): void {
  if (resolutions.length === 0) return
  const writer = txn.mustMailbox(id)
  const { header } = writer
  const modseq = writer.nextModseq()
  const time = now()
  for (const resolution of resolutions) {
    if (resolution.kind === 'copyback') {
      const { record, keepUid, guid } = resolution
      const uid = keepUid ? record.uid : header.lastUid + 1
      if (uid <= header.lastUid) throw new ItemError(`${header.name}: UID ${uid} has been given meanwhile`)
      append(session, writer, { ...record, uid }, fetched.get(guid)!, modseq)
      session.log.notice(`${header.name}: message ${record.uid} of the replica is now message ${uid}`)
      continue
    }
    const ours = writer.record(resolution.uid)
    if (ours === undefined) continue
    if (resolution.kind === 'renumber') {
      if (ours.flags & Flag.Expunged) continue
      const uid = header.lastUid + 1
      const source = session.store.messagePath(header, ours.uid)
      const annotations = writer.messageAnnotations(ours.uid)
      writer.append(
        { ...ours, uid, modseq, createdModseq: modseq, lastUpdated: time },
        source,
        session.store.readCache(id, ours.uid),
        annotations,
      )
      writer.update({ ...ours, modseq, lastUpdated: time, flags: ours.flags | Flag.Expunged })
      session.log.notice(`${header.name}: message ${ours.uid} is now message ${uid}`)
      continue
    }
    let changed: MessageRecord = { ...ours, modseq, lastUpdated: time }
    let annotations: readonly Annotation[] | undefined
    if (resolution.expunge) changed.flags |= Flag.Expunged
    else if (resolution.from !== undefined) {
      const parts = toStore(resolution.from)
      const { flags, thrid, savedate, createdModseq, internaldate } = parts.fields
      changed = {
        ...changed,
        flags,
        thrid,
        savedate,
        createdModseq,
        internaldate,
        userFlags: writer.flagBits(parts.keywords),
      }
      annotations = parts.annotations
    }
    writer.update(changed, annotations)
  }
  txn.log(syncLogLine('MAILBOX', header.name))
}

function append(
  { store }: ClientSession,
  writer: ReturnType<StoreTransaction['mustMailbox']>,
  record: SyncRecord,
  staged: Staged,
  modseq: number,
): void {
  const { headerSize, sentdate, cache } = summarize(store.readStaged(staged))
  const { fields, keywords, annotations } = toStore(record)
  const time = now()
  writer.append(
    {
      ...fields,
      modseq,
      lastUpdated: time,
      createdModseq: modseq,
      savedate: fields.savedate || time,
      headerSize,
      sentdate,
      userFlags: writer.flagBits(keywords),
    },
    staged.path,
    cache,
    annotations,
  )
  writer.header.lastAppendDate = time
}

/** A message's bytes from the replica, on disk here. */
async function fetchMessage(
  session: ClientSession,
  header: MailboxHeader,
  theirPartition: string,
  record: SyncRecord,
): Promise<Staged> {
  const { store, peer } = session
  let finishing: Promise<Staged> | undefined
  const hash = createHash('sha1')
  const sinks: FileSinks = () => {
    const stager = store.stage(header.partition)
    return {
      write: (chunk) => {
        hash.update(chunk)
        stager.write(chunk)
      },
      end: () => {
        finishing = stager.finish()
        return finishing.then(() => true)
      },
      abort: () => stager.abort(),
    }
  }
  const { items } = await peer.ask(
    'GET',
    'FETCH',
    [
      kvlist([
        ['MBOXNAME', scalar(bytesOf(header.name), 'client')],
        ['PARTITION', scalar(bytesOf(theirPartition), 'client')],
        ['UNIQUEID', scalar(header.uniqueid, 'client')],
        ['GUID', record.guid],
        ['UID', record.uid],
      ]),
    ],
    sinks,
  )
  const staged = finishing === undefined ? undefined : await finishing
  if (staged === undefined || !items.some(({ value }) => value instanceof DlistFile))
    throw new ItemError(`${header.name}: message ${record.uid} of the replica cannot be had from it`)
  if (hash.digest('hex') !== record.guid) {
    store.unstage(staged)
    throw new ItemError(`${header.name}: message ${record.uid} of the replica is damaged there`)
  }
  return staged
}
