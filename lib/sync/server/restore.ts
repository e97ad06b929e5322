/**
 * RESTORE (csync.md §16): what backup tools put back. Into a mailbox that is there, messages are added with new UIDs; one that is not there is
 * made, as it was if UNIQUEID, HIGHESTMODSEQ and UIDVALIDITY are all told.
 */
import { aclOfNewMailbox, nextUidvalidity } from '../../mailbox/folders.js'
import { newUniqueid } from '../../mailbox/uniqueid.js'
import {
  Flag,
  isPathSafe,
  MailboxExistsError,
  type MailboxWriter,
  now,
  type StoreTransaction,
  syncLogLine,
  TooManyFlagsError,
} from '../../store/store.js'
import { type Dlist, DlistFieldError, DlistMap, field } from '../dlist.js'
import { parseRecords, typeOf } from '../mailbox_codec.js'
import { isMailboxName } from '../names.js'
import { parseAnnotations, type SyncRecord, toStore } from '../record_codec.js'
import { appendRecord } from './append_record.js'
import type { SessionContext } from './context.js'
import { Refusal, Refused } from './refusal.js'

/** The RESTORE commands by their name in capitals. */
export const RESTORES: ReadonlyMap<string, (context: SessionContext, value: Dlist) => Promise<void>> = new Map([
  ['MAILBOX', restoreMailbox],
  ['LOCAL_MAILBOX', restoreMailbox],
])

/** Records in one transaction: a few milliseconds' work. */
const SLICE = 256

/** What makes a restored mailbox the one that it was. */
interface Identity {
  readonly uniqueid: string
  readonly highestModseq: number
  readonly uidvalidity: number
}

/** All or nothing, up to 256 messages; of more, what was taken before a failure stays. @throws {Refusal}, {DlistFieldError} */
async function restoreMailbox(context: SessionContext, value: Dlist): Promise<void> {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('MAILBOX is no list of keys')
  const { write } = context
  const name = field.string(value, 'MBOXNAME')
  if (!isMailboxName(name)) throw new DlistFieldError('MBOXNAME cannot name a mailbox')
  const mbtype = typeOf(field.optionalString(value, 'MBOXTYPE') ?? '')
  if (mbtype.includes('f') && !context.sieveMailbox) return
  const records = recordsOf(value)
  const identity = identityOf(value)
  try {
    let id: number | undefined
    // whether UIDs and mod-sequences are to be what they were
    let asItWas = false
    for (let at = 0; at === 0 || at < records.length; at += SLICE) {
      const slice = records.slice(at, at + SLICE)
      id = await write((txn) => {
        let writer = txn.mailbox(id ?? name)
        const isNew = writer === undefined
        if (writer === undefined) {
          if (id !== undefined) throw new Refusal(Refused.nonexistent)
          writer = create(context, txn, value, mbtype, identity)
          asItWas = identity !== undefined
        } else if (writer.header.mbtype !== mbtype) {
          throw new Refusal(Refused.unknown, `${name}: type ${mbtype} instead of ${writer.header.mbtype}`)
        }
        if (isNew) annotate(txn, writer, value)
        let appended = false
        for (const record of slice) appended = restoreRecord(context, writer, record, asItWas) || appended
        if (appended) txn.log(syncLogLine('APPEND', name))
        txn.log(syncLogLine('MAILBOX', name))
        return writer.header.id
      })
    }
  } catch (error) {
    if (error instanceof MailboxExistsError) throw new Refusal(Refused.moved, error.message)
    if (error instanceof TooManyFlagsError) throw new Refusal(Refused.unknown, error.message)
    throw error
  }
}

function recordsOf(value: DlistMap): SyncRecord[] {
  try {
    return parseRecords(value) ?? []
  } catch (error) {
    throw new Refusal(Refused.protocol, (error as Error).message)
  }
}

/** Undefined unless all of it is told. */
function identityOf(value: DlistMap): Identity | undefined {
  const uniqueid = field.optionalString(value, 'UNIQUEID')
  const highestModseq = field.optionalNumber(value, 'HIGHESTMODSEQ')
  const uidvalidity = field.optionalNumber32(value, 'UIDVALIDITY')
  if (!uniqueid || !highestModseq || !uidvalidity) return undefined
  if (!isPathSafe(uniqueid)) throw new DlistFieldError('UNIQUEID cannot name a mailbox')
  return { uniqueid, highestModseq, uidvalidity }
}

function create(
  { store }: SessionContext,
  txn: StoreTransaction,
  value: DlistMap,
  mbtype: string,
  identity: Identity | undefined,
): MailboxWriter {
  const name = field.string(value, 'MBOXNAME')
  const partition = field.optionalString(value, 'PARTITION') ?? store.config.string('defaultpartition')!
  if (!store.hasPartition(partition)) throw new Refusal(Refused.unknown, `RESTORE: unknown partition ${partition}`)
  const createdModseq = field.optionalNumber(value, 'CREATEDMODSEQ')
  const folderModseq = field.optionalNumber(value, 'FOLDERMODSEQ')
  const writer = txn.create({
    uniqueid: identity?.uniqueid ?? newUniqueid(),
    name,
    mbtype,
    partition,
    acl: field.optionalString(value, 'ACL') ?? aclOfNewMailbox(store, txn, name),
    uidvalidity: identity?.uidvalidity ?? nextUidvalidity(txn),
    options: (field.optionalString(value, 'OPTIONS') ?? '').replace(/[^PSDA]/g, ''),
    ...(identity && { highestModseq: identity.highestModseq }),
  })
  if (createdModseq) writer.header.createdModseq = createdModseq
  if (folderModseq) writer.header.folderModseq = folderModseq
  return writer
}

/** Those of a mailbox that was there stay as they are, and none is added, as 3.6.1 does it. */
function annotate(txn: StoreTransaction, writer: MailboxWriter, value: DlistMap): void {
  for (const annotation of parseAnnotations(value.get('ANNOTATIONS'))) txn.setAnnotation(writer.header.id, annotation)
  writer.touch()
}

function restoreRecord(context: SessionContext, writer: MailboxWriter, record: SyncRecord, asItWas: boolean): boolean {
  const { header } = writer
  const parts = toStore(record)
  for (const flag of parts.unknownFlags) context.log.warning(`Unknown system flag: ${flag}`)
  const { fields } = parts
  // what was expunged cannot be brought back, and needs no new UID
  if (!asItWas && fields.flags & Flag.Expunged) return false
  const keepsUid = asItWas && fields.uid > header.lastUid
  const keepsModseq = asItWas && fields.modseq > 0 && fields.modseq <= header.highestModseq
  const modseq = keepsModseq ? fields.modseq : writer.nextModseq()
  const restored = {
    ...fields,
    uid: keepsUid ? fields.uid : header.lastUid + 1,
    modseq,
    lastUpdated: keepsModseq ? fields.lastUpdated : now(),
    createdModseq: keepsModseq && fields.createdModseq > 0 ? fields.createdModseq : modseq,
    savedate: keepsModseq && fields.savedate > 0 ? fields.savedate : now(),
  }
  const appended = appendRecord(context, writer, { ...parts, fields: restored })
  if (appended) header.lastAppendDate = now()
  return appended
}
