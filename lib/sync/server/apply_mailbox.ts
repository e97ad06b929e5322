/**
 * APPLY MAILBOX (csync.md §6.3): the replica's copy becomes what the client says, after checks that nothing it does not know of is lost.
 *
 * Order: checks first, with nothing changed; then ACL, annotations, records, and last the header fields, HIGHESTMODSEQ among them. Large
 * deltas take several transactions of 256 records; whoever dies in between leaves a mailbox whose HIGHESTMODSEQ is still the old one, so that
 * the same delta is sent and fits again. When the answer is OK, everything is on disk.
 */
import {
  type Annotation,
  Flag,
  isPathSafe,
  MailboxExistsError,
  type MailboxWriter,
  type StoreTransaction,
  syncLogLine,
  TooManyFlagsError,
} from '../../store/store.js'
import { type Dlist, DlistFieldError, type DlistMap } from '../dlist.js'
import {
  isListEntryOnly,
  type MailboxState,
  parseRecords,
  parseSince,
  parseState,
  type Since,
} from '../mailbox_codec.js'
import { isMailboxName } from '../names.js'
import { isExpunged, type StoreParts, type SyncRecord } from '../record_codec.js'
import { appendRecord } from './append_record.js'
import type { SessionContext } from './context.js'
import { RecordSlice } from './record_slice.js'
import { Refusal, Refused } from './refusal.js'

/** Records in one transaction: a few milliseconds' work. */
const SLICE = 256

/** @throws {Refusal}, {DlistFieldError} */
export async function applyMailbox(context: SessionContext, value: Dlist): Promise<void> {
  const { store, write } = context
  const state = parseState(value, 'client')
  const map = value as DlistMap
  const since = parseSince(map)
  checkState(context, state)
  if (isListEntryOnly(state.mbtype)) return applyListEntry(context, state)
  const records = recordsOf(map)
  if (state.partition === null || !store.hasPartition(state.partition)) {
    // only an existing mailbox may do without: where it is, it stays
    if (store.mailbox(state.name) === undefined)
      throw new Refusal(Refused.unknown, `unknown partition ${state.partition}`)
  }

  const begin = (txn: StoreTransaction): MailboxWriter => {
    const writer = prepare(txn, context, state, since, records)
    replaceRightsAndAnnotations(txn, writer, state)
    return writer
  }
  try {
    let id: number | undefined
    // a new mailbox comes first, so that its directory is there for the messages; not if it would have to stay without them
    if (store.mailbox(state.name)?.uniqueid !== state.uniqueid && hasAll(context, state, records)) {
      id = await write((txn) => {
        const writer = begin(txn)
        txn.log(syncLogLine('MAILBOX', writer.header.name))
        return writer.header.id
      })
      store.refresh()
    }
    let at = 0
    let slice = new RecordSlice(context, state, records.slice(0, SLICE))
    for (;;) {
      await slice.ready
      at += SLICE
      const last = at >= records.length
      // while these are committed, the files of the next are made
      const next = last ? undefined : new RecordSlice(context, state, records.slice(at, at + SLICE))
      let result: { id: number; matches: boolean }
      try {
        const { parts } = slice
        result = await write((txn) => {
          const writer = id === undefined ? begin(txn) : txn.mustMailbox(id)
          let appended = false
          for (const part of parts) appended = applyRecord(context, writer, part) || appended
          const { name } = writer.header
          if (appended) txn.log(syncLogLine('APPEND', name))
          txn.log(syncLogLine('MAILBOX', name))
          return { id: writer.header.id, matches: !last || finish(context, writer, state) }
        })
      } catch (error) {
        await slice.drop()
        await next?.drop()
        throw error
      }
      id = result.id
      slice.taken()
      if (!result.matches) throw new Refusal(Refused.checksum)
      if (next === undefined) return
      slice = next
    }
  } catch (error) {
    if (error instanceof TooManyFlagsError || error instanceof MailboxExistsError)
      throw new Refusal(Refused.unknown, error.message)
    throw error
  }
}

/** Whether there are messages, and all of them have been sent. */
function hasAll({ staging }: SessionContext, { partition }: MailboxState, records: readonly SyncRecord[]): boolean {
  const sent = records.filter((record) => !isExpunged(record))
  return sent.length > 0 && sent.every(({ guid }) => staging.find(partition ?? '', guid)?.guid === guid)
}

function checkState({ sieveMailbox }: SessionContext, { name, uniqueid, mbtype }: MailboxState): void {
  if (!isMailboxName(name)) throw new DlistFieldError('MBOXNAME cannot name a mailbox')
  if (!isPathSafe(uniqueid)) throw new DlistFieldError('UNIQUEID cannot name a mailbox')
  if (mbtype.includes('f') && !sieveMailbox) throw new DlistFieldError('SIEVE-MAILBOX is not enabled')
  if (/[^abcnpsjdfilmrz]/.test(mbtype)) throw new Refusal(Refused.unknown, `${name}: unknown mailbox type ${mbtype}`)
}

function recordsOf(map: DlistMap): SyncRecord[] {
  let records: SyncRecord[] | undefined
  try {
    records = parseRecords(map)
  } catch (error) {
    throw new Refusal(Refused.protocol, (error as Error).message)
  }
  if (records === undefined) throw new DlistFieldError('RECORD is missing')
  for (let at = 1; at < records.length; at++) {
    if (records[at]!.uid <= records[at - 1]!.uid) throw new Refusal(Refused.protocol, 'records are not in UID order')
  }
  return records
}

/** An intermediate mailbox or a tombstone: only an entry of the list. */
async function applyListEntry({ store, write }: SessionContext, state: MailboxState): Promise<void> {
  const { name, uniqueid, mbtype } = state
  await write((txn) => {
    const existing = txn.mailbox(name)
    if (mbtype.includes('d')) {
      if (existing?.header.mbtype.includes('i')) txn.remove(existing, { tombstone: true })
      return
    }
    if (existing !== undefined && !existing.header.mbtype.includes('i'))
      throw new Refusal(Refused.unknown, `${name} is a mailbox`)
    if (existing !== undefined && existing.header.uniqueid !== uniqueid) txn.remove(existing, { tombstone: false })
    const writer =
      existing?.removed === false
        ? existing
        : txn.mailboxByUniqueid(uniqueid) === undefined
          ? txn.create({
              uniqueid,
              name,
              mbtype: 'i',
              partition: store.config.string('defaultpartition')!,
              acl: '',
              uidvalidity: 0,
              options: '',
            })
          : undefined
    if (writer === undefined) throw new Refusal(Refused.moved)
    writer.header.createdModseq = state.createdModseq ?? 0
    // as Cyrus, which does not look at FOLDERMODSEQ here
    writer.header.folderModseq = state.highestModseq
    writer.touch()
  })
}

/** Steps 3 to 8: finds or makes the mailbox and checks everything. Throws before anything is changed, but for an empty mailbox replaced. */
function prepare(
  txn: StoreTransaction,
  { force, log }: SessionContext,
  state: MailboxState,
  since: Since | undefined,
  records: readonly SyncRecord[],
): MailboxWriter {
  const { name, uniqueid } = state
  let writer = txn.mailbox(name)
  if (writer !== undefined && writer.header.uniqueid !== uniqueid) {
    if (writer.header.lastUid !== 0 && !force && !writer.header.mbtype.includes('i')) {
      log.error(`SYNCERROR: mailbox uniqueid changed - retry: ${name} (${writer.header.uniqueid} -> ${uniqueid})`)
      throw new Refusal(Refused.moved)
    }
    log.notice(`SYNCNOTICE: mailbox uniqueid changed - replacing: ${name} (${writer.header.uniqueid} -> ${uniqueid})`)
    txn.remove(writer, { tombstone: false })
    writer = undefined
  } else if (writer?.header.mbtype.includes('i')) {
    txn.remove(writer, { tombstone: false })
    writer = undefined
  }
  if (writer === undefined) {
    const usedBy = txn.mailboxByUniqueid(uniqueid)
    if (usedBy !== undefined) {
      log.notice(
        `SYNCNOTICE: mailbox uniqueid already in use: mailbox=<${name}> uniqueid=<${uniqueid}> usedby=<${usedBy.header.name}>`,
      )
      throw new Refusal(Refused.moved)
    }
    const { mbtype, acl, uidvalidity } = state
    const partition = state.partition!
    writer = txn.create({ uniqueid, name, mbtype, partition, acl, uidvalidity, options: '', highestModseq: 0 })
    writer.header.createdModseq = state.createdModseq ?? 0
  }
  const { header } = writer
  if (since !== undefined && (since.modseq !== header.highestModseq || !crcsMatch(since, writer)))
    throw new Refusal(Refused.changed)
  if (header.mbtype !== state.mbtype)
    throw new Refusal(Refused.unknown, `${name}: type ${state.mbtype} instead of ${header.mbtype}`)
  if (!force) {
    const lower = (what: string, theirs: number, ours: number): void => {
      if (theirs >= ours) return
      log.notice(`higher ${what} on replica ${name} - ${theirs} < ${ours}`)
      throw new Refusal(Refused.checksum)
    }
    lower('modseq', state.highestModseq, header.highestModseq)
    lower('uidvalidity', state.uidvalidity, header.uidvalidity)
    lower('last_uid', state.lastUid, header.lastUid)
    if (state.xconvModseq !== undefined) lower('xconvmodseq', state.xconvModseq, header.xconvModseq)
  }
  for (const record of records) checkRecord(writer, record, force, log)
  return writer
}

function checkRecord(writer: MailboxWriter, record: SyncRecord, force: boolean, log: SessionContext['log']): void {
  const { name, lastUid } = writer.header
  if (record.uid > lastUid) return
  const refuse = (text: string): never => {
    log.notice(text)
    throw new Refusal(Refused.checksum)
  }
  const ours = writer.record(record.uid)
  const expunged = isExpunged(record)
  if (ours === undefined) {
    if (!expunged) refuse(`SYNCNOTICE: uid not on replica: mailbox=<${name}> uid=<${record.uid}>`)
    return
  }
  const expungedHere = (ours.flags & Flag.Expunged) !== 0
  if (expunged && expungedHere) return
  if (ours.guid !== record.guid) refuse(`SYNCNOTICE: guid mismatch: mailbox=<${name}> uid=<${record.uid}>`)
  if (ours.modseq > record.modseq && !force)
    refuse(`higher modseq on replica ${name} uid ${record.uid} - ${record.modseq} < ${ours.modseq}`)
  if (expungedHere) refuse(`SYNCNOTICE: expunged on replica: mailbox=<${name}> uid=<${record.uid}>`)
}

/** 0 on either side, or absent, matches anything (csync.md §7.4). */
function crcsMatch({ crc, crcAnnot }: { crc?: number; crcAnnot?: number }, { header }: MailboxWriter): boolean {
  const same = (a: number | undefined, b: number): boolean => !a || b === 0 || a === b
  return same(crc, header.crcBasic) && same(crcAnnot, header.crcAnnot)
}

function replaceRightsAndAnnotations(txn: StoreTransaction, writer: MailboxWriter, state: MailboxState): void {
  const { header } = writer
  if (header.acl !== state.acl) {
    header.acl = state.acl
    txn.headerFiles.set(header.id, header)
  }
  writer.touch()
  const key = ({ entry, userid }: Annotation): string => `${entry}\0${userid}`
  const wanted = new Map(state.annotations.map((annotation) => [key(annotation), annotation]))
  for (const annotation of txn.annotations(header.id)) {
    if (!wanted.has(key(annotation))) txn.setAnnotation(header.id, { ...annotation, value: Buffer.alloc(0) })
  }
  for (const annotation of wanted.values()) txn.setAnnotation(header.id, annotation)
}

/** @returns whether a message was added */
function applyRecord(context: SessionContext, writer: MailboxWriter, parts: StoreParts): boolean {
  const { store } = context
  const { fields, keywords, annotations } = parts
  const { header } = writer
  const immediate = store.config.string('expunge_mode') === 'immediate'
  const expunged = (fields.flags & Flag.Expunged) !== 0
  const ours = fields.uid <= header.lastUid ? writer.record(fields.uid) : undefined
  if (ours !== undefined) {
    if (expunged && ours.flags & Flag.Expunged) return false
    const gone = expunged && immediate ? Flag.Unlinked : 0
    // what cannot change on one message stays ours: size, header size, sent date, UUID
    const { flags, modseq, lastUpdated, internaldate, thrid, savedate, createdModseq } = fields
    const changed = { flags: flags | gone, modseq, lastUpdated, internaldate, thrid, savedate, createdModseq }
    writer.update({ ...ours, ...changed, userFlags: writer.flagBits(keywords) }, annotations)
    if (gone) writer.removeFile(fields.uid)
    return false
  }
  if (fields.uid <= header.lastUid) return false // expunged before it came here
  return appendRecord(context, writer, parts)
}

/** Steps 11 and 12. @returns whether the checksums are as the client says */
function finish({ log }: SessionContext, writer: MailboxWriter, state: MailboxState): boolean {
  const { header } = writer
  header.highestModseq = state.highestModseq
  header.lastUid = Math.max(header.lastUid, state.lastUid)
  header.recentUid = state.recentUid
  header.recentTime = state.recentTime
  header.lastAppendDate = state.lastAppendDate
  header.pop3LastLogin = state.pop3LastLogin
  header.pop3ShowAfter = state.pop3ShowAfter ?? 0
  header.options = state.options.replace(/[^PSDA]/g, '')
  header.createdModseq = state.createdModseq ?? header.createdModseq
  header.folderModseq = state.folderModseq ?? state.highestModseq
  header.raclModseq = state.raclModseq ?? header.raclModseq
  header.xconvModseq = state.xconvModseq ?? header.xconvModseq
  if (state.uidvalidity > header.uidvalidity) {
    log.notice(`${header.name}: uidvalidity changed, updating ${header.uidvalidity} => ${state.uidvalidity}`)
    header.uidvalidity = state.uidvalidity
  }
  writer.touch()
  if (crcsMatch(state, writer)) return true
  log.notice(
    `SYNCNOTICE: mailbox sync mismatch: mailbox=<${header.name}> hms_master=<${state.highestModseq}> crcs_master=<${state.crc ?? 0}/${state.crcAnnot ?? 0}> crcs_replica=<${header.crcBasic}/${header.crcAnnot}>`,
  )
  return false
}
