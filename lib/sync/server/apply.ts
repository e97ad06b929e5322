/** APPLY of replication (csync.md §5), but for MAILBOX, RESERVE and MESSAGE, which have files of their own. */

import { forgetUser } from '../../mailbox/folders.js'
import { stageAll } from '../../mailbox/partition.js'
import { Flag, MailboxExistsError, type Staged, syncLogLine } from '../../store/store.js'
import { type Dlist, DlistFieldError, DlistMap, field, list, stringsOf, textOf } from '../dlist.js'
import { inboxOf, isMailboxName, ownerOf } from '../names.js'
import { parseAnnotation, parseQuota, parseSeen, parseSubscription } from '../user_codec.js'
import { applyMailbox } from './apply_mailbox.js'
import type { SessionContext } from './context.js'
import { Refusal, Refused } from './refusal.js'
import { applyMessage, applyReserve } from './reserve.js'
import { applyActivateSieve, applySieve, applyUnactivateSieve, applyUnsieve } from './sieve.js'

type Apply = (context: SessionContext, value: Dlist) => Promise<void>

const EMPTY = Buffer.alloc(0)

/** The APPLY commands by their name in capitals. Each throws {Refusal} or {DlistFieldError}. */
export const APPLIES: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ['RESERVE', applyReserve],
  ['MESSAGE', applyMessage],
  ['MAILBOX', applyMailbox],
  ['LOCAL_MAILBOX', applyMailbox],
  ['UNMAILBOX', unmailbox],
  ['LOCAL_UNMAILBOX', unmailbox],
  ['RENAME', rename],
  ['LOCAL_RENAME', rename],
  ['SUB', (context, value) => subscribe(context, value, true)],
  ['UNSUB', (context, value) => subscribe(context, value, false)],
  ['SEEN', seen],
  ['QUOTA', quota],
  ['UNQUOTA', unquota],
  ['ANNOTATION', (context, value) => annotation(context, value, true)],
  ['UNANNOTATION', (context, value) => annotation(context, value, false)],
  ['EXPUNGE', expunge],
  ['UNUSER', unuser],
  ['LOCAL_UNUSER', unuser],
  ['SIEVE', applySieve],
  ['UNSIEVE', applyUnsieve],
  ['ACTIVATE_SIEVE', applyActivateSieve],
  ['UNACTIVATE_SIEVE', applyUnactivateSieve],
  ['FORCE', force],
  ['CAPABILITIES', capabilities],
])

function scalarOf(value: Dlist): string {
  if (typeof value !== 'string') throw new DlistFieldError('a single value is needed')
  return textOf(value)
}

function mapOf(value: Dlist): DlistMap {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('a list of keys is needed')
  return value
}

async function unmailbox({ write }: SessionContext, value: Dlist): Promise<void> {
  const name = scalarOf(value)
  await write((txn) => {
    const writer = txn.mailbox(name)
    if (writer === undefined) {
      if (txn.tombstone(name) === undefined) throw new Refusal(Refused.nonexistent)
      return
    }
    if (writer.header.mbtype.includes('i')) return
    txn.remove(writer, { tombstone: true })
    txn.log(syncLogLine('UNMAILBOX', name))
  })
}

async function rename({ store, write, log }: SessionContext, value: Dlist): Promise<void> {
  const map = mapOf(value)
  const from = field.string(map, 'OLDMBOXNAME')
  const to = field.string(map, 'NEWMBOXNAME')
  const partition = field.string(map, 'PARTITION')
  if (!isMailboxName(to)) throw new DlistFieldError('NEWMBOXNAME cannot name a mailbox')
  log.info(`Rename: ${from} -> ${to}`)
  const mailbox = store.mailbox(from)
  if (mailbox === undefined) throw new Refusal(Refused.nonexistent)
  const moves = mailbox.partition !== partition && !mailbox.mbtype.includes('i')
  if (moves && !store.hasPartition(partition)) throw new Refusal(Refused.unknown, `unknown partition ${partition}`)
  const moved = moves ? await stageAll(store, mailbox, partition) : undefined
  try {
    await renameNow(write, map, moved)
  } finally {
    for (const staged of moved?.values() ?? []) store.unstage(staged)
  }
}

async function renameNow(
  write: SessionContext['write'],
  map: DlistMap,
  moved: ReadonlyMap<number, Staged> | undefined,
): Promise<void> {
  const from = field.string(map, 'OLDMBOXNAME')
  const to = field.string(map, 'NEWMBOXNAME')
  const partition = field.string(map, 'PARTITION')
  const uidvalidity = field.optionalNumber32(map, 'UIDVALIDITY')
  await write((txn) => {
    const writer = txn.mailbox(from)
    if (writer === undefined) throw new Refusal(Refused.nonexistent)
    const { header } = writer
    if (moved !== undefined) txn.move(writer, partition, new Map([...moved].map(([uid, { path }]) => [uid, path])))
    const target = txn.mailbox(to)
    if (target !== undefined && target !== writer) {
      if (!target.header.mbtype.includes('i')) throw new Refusal(Refused.unknown, `${to} exists`)
      txn.remove(target, { tombstone: false })
    }
    try {
      if (from !== to) txn.rename(writer, to)
    } catch (error) {
      if (error instanceof MailboxExistsError) throw new Refusal(Refused.unknown, error.message)
      throw error
    }
    if (uidvalidity) header.uidvalidity = uidvalidity
    header.folderModseq = header.highestModseq
    writer.touch()
    txn.log(syncLogLine('RENAME', from, to))
    txn.log(syncLogLine('MAILBOX', from))
    txn.log(syncLogLine('MAILBOX', to))
  })
}

async function subscribe({ write }: SessionContext, value: Dlist, on: boolean): Promise<void> {
  const { userid, name } = parseSubscription(value)
  if (userid === '' || name === '' || name.length > 1023)
    throw new DlistFieldError('USERID or MBOXNAME is empty or too long')
  await write((txn) => {
    if (txn.setSubscribed(userid, name, on)) txn.log(syncLogLine('SUB', userid, name))
  })
}

async function seen({ write }: SessionContext, value: Dlist): Promise<void> {
  const { userid, uniqueid, entry } = parseSeen(value)
  if (userid === '' || uniqueid === '' || uniqueid.length > 128 || userid.length > 512)
    throw new DlistFieldError('USERID or UNIQUEID is empty or too long')
  await write((txn) => {
    txn.setSeen(userid, uniqueid, entry)
    txn.log(syncLogLine('SEEN', userid, uniqueid))
  })
}

async function quota({ write }: SessionContext, value: Dlist): Promise<void> {
  const { root, quota: limits } = parseQuota(value)
  if (!isMailboxName(root)) throw new DlistFieldError('ROOT cannot name a mailbox')
  await write((txn) => {
    const modseq = limits.modseq || (txn.quota(root)?.modseq ?? 0) + 1
    txn.setQuota(root, { ...limits, modseq })
    txn.log(syncLogLine('QUOTA', root))
  })
}

async function unquota({ write }: SessionContext, value: Dlist): Promise<void> {
  const root = scalarOf(value)
  await write((txn) => {
    if (txn.quota(root) === undefined) return
    txn.setQuota(root, undefined)
    txn.log(syncLogLine('QUOTA', root))
  })
}

async function annotation({ write }: SessionContext, value: Dlist, set: boolean): Promise<void> {
  const { name, entry, userid, value: bytes } = parseAnnotation(value, set)
  if (entry === '' || entry.length > 1024) throw new DlistFieldError('ENTRY is empty or too long')
  await write((txn) => {
    const writer = name === '' ? undefined : txn.mailbox(name)
    if (name !== '' && writer === undefined) throw new Refusal(Refused.nonexistent)
    if (writer !== undefined) writer.header.folderModseq = writer.nextModseq()
    txn.setAnnotation(writer?.header.id ?? 0, { entry, userid, modseq: 0, value: set ? bytes : EMPTY })
    txn.log(syncLogLine('ANNOTATION', name))
  })
}

/** Marks records \Expunged without raising any modseq. UIDs that are not there are skipped. */
async function expunge({ store, write }: SessionContext, value: Dlist): Promise<void> {
  const map = mapOf(value)
  const name = field.string(map, 'MBOXNAME')
  const uniqueid = field.string(map, 'UNIQUEID')
  const uids = stringsOf(field.list(map, 'UID')).map(Number)
  const immediate = store.config.string('expunge_mode') === 'immediate'
  await write((txn) => {
    const writer = txn.mailbox(name)
    if (writer === undefined) throw new Refusal(Refused.nonexistent)
    if (writer.header.uniqueid !== uniqueid) throw new Refusal(Refused.moved)
    for (const uid of uids) {
      const record = Number.isInteger(uid) && uid > 0 ? writer.record(uid) : undefined
      if (record === undefined || record.flags & Flag.Expunged) continue
      writer.update({ ...record, flags: record.flags | Flag.Expunged | (immediate ? Flag.Unlinked : 0) })
      if (immediate) writer.removeFile(uid)
    }
    txn.log(syncLogLine('MAILBOX', name))
  })
}

/** Removes a user: mailboxes (not those below DELETED), subscriptions, seen state, quota roots. */
async function unuser({ write }: SessionContext, value: Dlist): Promise<void> {
  const userid = scalarOf(value)
  if (userid === '') return
  const inbox = inboxOf(userid)
  if (!isMailboxName(inbox) || ownerOf(inbox) !== userid) return
  await write((txn) => {
    for (const writer of [...txn.mailboxes(inbox)]) {
      const { name } = writer.header
      txn.remove(writer, { tombstone: true })
      txn.log(syncLogLine('UNMAILBOX', name))
    }
    forgetUser(txn, userid)
    txn.log(syncLogLine('UNUSER', userid))
  })
}

async function force(context: SessionContext): Promise<void> {
  context.log.notice('SYNCNOTICE: enabling force mode')
  context.force = true
}

async function capabilities(context: SessionContext, value: Dlist): Promise<void> {
  const enabled = stringsOf(value).filter((name) => name.toUpperCase() === 'SIEVE-MAILBOX')
  if (enabled.length > 0) context.sieveMailbox = true
  await context.send(`* ENABLED ${list(enabled, 'server')}\r\n`)
}
