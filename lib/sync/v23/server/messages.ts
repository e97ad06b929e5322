/** Messages of the selected mailbox (csync-2.3.md §4.13, §4.6): SETFLAGS, SETMODSEQ, EXPUNGE, UIDLAST; and RESERVE. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  Flag,
  type MailboxWriter,
  MessageFileError,
  now,
  type StoreTransaction,
  syncLogLine,
  TooManyFlagsError,
} from '../../../store/store.js'
import { textOf } from '../../dlist.js'
import type { LineArguments } from '../line_reader.js'
import { shownMailbox } from '../shown.js'
import { type Flags, number32Of, numberOf, parseFlags, WIRE_FLAGS } from '../text.js'
import {
  ArgumentFault,
  argumentsOf,
  type Command,
  type Context,
  nextArgument,
  Reason,
  Refused,
  reasonOf,
} from './context.js'

/** Records changed in one transaction: a few milliseconds' work. */
const SLICE = 256
/** Rows looked at before other conversations get their turn. */
const ROWS = 5000

/** Does some items of a list at a time to the selected mailbox. */
async function changeSelected<T>(
  context: Context,
  items: readonly T[],
  change: (writer: MailboxWriter, some: readonly T[], txn: StoreTransaction) => void,
): Promise<void> {
  for (let at = 0; at === 0 || at < items.length; at += SLICE) {
    await context.write((txn) => {
      const writer = txn.mustMailbox(context.selected!)
      change(writer, items.slice(at, at + SLICE), txn)
      txn.log(syncLogLine('MAILBOX', writer.header.name))
    })
  }
}

/** Bits of keywords; those beyond what a mailbox can have are dropped with a line in the log. */
export function keywordBits(
  writer: MailboxWriter,
  keywords: readonly string[],
  { log }: Pick<Context, 'log'>,
): Uint32Array {
  const bits = new Uint32Array(4)
  for (const keyword of keywords) {
    try {
      const slot = writer.flagSlot(keyword)
      bits[slot >>> 5]! |= 1 << (slot & 31)
    } catch (error) {
      if (!(error instanceof TooManyFlagsError)) throw error
      log.error(`Unable to record user flag: ${keyword}: ${error.message}`)
    }
  }
  return bits
}

/** A UID as the next argument of a list. @throws {Refused} saying what is wrong with it */
async function listedUid(line: LineArguments, lastUid: number, command: string): Promise<number> {
  const refuse = (why: string): never => {
    throw new Refused(`BAD Syntax error in ${command}: ${why}`)
  }
  const uid = number32Of(await nextArgument(line))
  if (uid === undefined || uid === 0 || line.ended) return refuse('Invalid UID')
  return uid > lastUid ? refuse('UID out of range') : uid
}

/** SETFLAGS: all flags of each message, but \Seen. UIDs that are not there are passed over. */
export const setFlags: Command = async (context, line) => {
  const index = context.selected === undefined ? undefined : context.store.index(context.selected)
  if (index === undefined) return 'NO Mailbox not open'
  const items: [uid: number, flags: Flags][] = []
  do {
    const uid = await listedUid(line, index.header.lastUid, 'Setflags')
    const words = line.blank() ? line.list() : undefined
    const flags = words && parseFlags(words.map(textOf))
    if (flags === undefined) throw new Refused('BAD Syntax error in Setflags: Invalid flags')
    for (const flag of flags.unknown) context.log.error(`Unknown system flag: ${flag}`)
    items.push([uid, flags])
  } while (!line.ended)
  try {
    await changeSelected(context, items, (writer, some) => {
      let modseq = 0
      for (const [uid, { system, keywords }] of some) {
        const record = writer.record(uid)
        if (record === undefined || record.flags & Flag.Expunged) continue
        modseq ||= writer.nextModseq()
        const lastUpdated = Math.max(now(), record.lastUpdated + 1)
        const flags = (record.flags & ~WIRE_FLAGS) | system
        writer.update({ ...record, flags, userFlags: keywordBits(writer, keywords, context), modseq, lastUpdated })
      }
    })
  } catch (error) {
    return `NO Failed to commit flag update for ${index.header.name}: ${reasonOf(context, error)}`
  }
  return `OK Updated flags on ${items.length} messages okay`
}

/**
 * SETMODSEQ (2.3.11): HIGHESTMODSEQ, then UIDs and their mod-sequences. None of ours becomes smaller: clients here have seen them, and so may a
 * replica of this one. A change that the peer does not count, of \Seen say, makes ours run ahead; then it says this again at its next look.
 */
export const setModseq: Command = async (context, line) => {
  const index = context.selected === undefined ? undefined : context.store.index(context.selected)
  if (index === undefined) return 'NO Mailbox not open'
  context.saw(11)
  const highest = numberOf(await nextArgument(line))
  if (highest === undefined) throw new ArgumentFault('invalid')
  const items: [uid: number, modseq: number][] = []
  while (!line.ended) {
    const uid = await listedUid(line, index.header.lastUid, 'Setmodseq')
    const modseq = numberOf(await nextArgument(line))
    if (modseq === undefined || modseq === 0) throw new Refused('BAD Syntax error in Setmodseq: Invalid modseq')
    items.push([uid, modseq])
  }
  try {
    await changeSelected(context, items, (writer, some) => {
      for (const [uid, modseq] of some) {
        const record = writer.record(uid)
        if (record !== undefined && record.modseq < modseq) writer.update({ ...record, modseq })
      }
      writer.header.highestModseq = Math.max(writer.header.highestModseq, highest, ...some.map(([, modseq]) => modseq))
      writer.touch()
    })
  } catch (error) {
    return `NO Failed to commit modseq update for ${index.header.name}: ${reasonOf(context, error)}`
  }
  return `OK Updated modseqs on ${items.length} messages okay`
}

/** EXPUNGE: at once, those of the list that are there. */
export const expunge: Command = async (context, line) => {
  const mailbox = context.selected === undefined ? undefined : context.store.mailboxById(context.selected)
  if (line.ended) throw new ArgumentFault('missing')
  if (mailbox === undefined) return 'NO Mailbox not open'
  const uids: number[] = []
  do {
    const uid = number32Of(await nextArgument(line))
    if (uid === undefined) throw new Refused('BAD Non integer argument')
    if (uid < (uids.at(-1) ?? 0)) throw new Refused('BAD UID list out of order')
    uids.push(uid)
  } while (!line.ended)
  const gone = context.config.string('expunge_mode') === 'immediate' ? Flag.Unlinked : 0
  try {
    await changeSelected(context, uids, (writer, some) => {
      let modseq = 0
      for (const uid of some) {
        const record = writer.record(uid)
        if (record === undefined || record.flags & Flag.Expunged) continue
        modseq ||= writer.nextModseq()
        writer.update({ ...record, flags: record.flags | Flag.Expunged | gone, modseq, lastUpdated: now() })
        if (gone) writer.removeFile(uid)
      }
    })
  } catch (error) {
    return `NO Expunge failed on ${mailbox.name}: ${reasonOf(context, error)}`
  }
  return 'OK Expunge Complete'
}

/**
 * Inside a transaction: the header's last UID and time of the last append, as a peer dictates them. The UID may become smaller, since the peer may
 * have undone what it was told of; then expunged records above it are dropped, so that the UIDs can be given again.
 */
export function setLast(writer: MailboxWriter, lastUid: number, lastAppendDate: number): void {
  const { header } = writer
  if (lastUid < header.lastUid) {
    let live = 0
    const dropped: number[] = []
    for (const { uid, flags } of writer.records()) {
      if (uid <= lastUid) continue
      if (flags & Flag.Expunged) dropped.push(uid)
      else live = uid
    }
    for (const uid of dropped) if (uid > live) writer.unlink(uid)
    header.lastUid = Math.max(lastUid, live)
  } else header.lastUid = lastUid
  header.lastAppendDate = lastAppendDate
  writer.touch()
}

/** UIDLAST: both header fields, whatever they were. */
export const uidLast: Command = async (context, line) => {
  const [lastUid, lastAppendDate] = (await argumentsOf(line, 2)).map(number32Of)
  if (lastUid === undefined || lastAppendDate === undefined) throw new ArgumentFault('invalid')
  if (context.selected === undefined || context.store.mailboxById(context.selected) === undefined)
    return 'NO Mailbox not open'
  await context.write((txn) => {
    const writer = txn.mustMailbox(context.selected!)
    setLast(writer, lastUid, lastAppendDate)
    txn.log(syncLogLine('MAILBOX', writer.header.name))
  })
  return 'OK Uidlast succeeded'
}

const ID = /^(?:[0-9a-f]{24}|[0-9a-f]{40})$/i

/** A UUID or GUID, lower case; undefined if it is none. @returns what the peer means, which may show it to be newer than was thought */
export function idOf(context: Context, text: string): string | undefined {
  if (!ID.test(text)) return undefined
  if (text.length === 40) context.saw(10)
  return text.toLowerCase()
}

/**
 * RESERVE: stages messages that are in a mailbox here, and names those. In whatever order they stand there (2.3.8 wants theirs); those that are
 * staged already are not named again.
 */
export const reserve: Command = async (context, line) => {
  const { store, staging } = context
  const mailbox = shownMailbox(store, textOf(await nextArgument(line)))
  if (line.ended) throw new ArgumentFault('missing')
  if (mailbox === undefined) return `NO ${Reason.nonexistent}`
  const ids: string[] = []
  do {
    const id = idOf(context, await nextArgument(line))
    if (id === undefined) throw new Refused(`BAD Syntax error in Reserve at item ${ids.length}: Not a MessageID`)
    ids.push(id)
  } while (!line.ended)
  const wanted = new Set(ids.filter((id) => !staging.has(id)))
  for (const [id, row] of await findIds(context, mailbox.id, wanted)) {
    const index = store.index(mailbox.id)
    if (index === undefined) break
    const at = index.findUid(row)
    if (at < 0) continue
    const { guid, size, headerSize, sentdate, uid } = index.record(at)
    try {
      const path = await store.stageMessage(index.header, uid)
      const { partition } = index.header
      staging.add(id, { partition, path, guid, size, headerSize, sentdate, cache: store.readCache(mailbox.id, uid) })
    } catch (error) {
      if (!(error instanceof MessageFileError)) throw error
      context.log.error(error.message)
      wanted.delete(id)
    }
  }
  for (const id of ids) if (wanted.delete(id) && staging.has(id)) await context.send(`* ${id}\r\n`)
  return 'OK Reserve complete'
}

/** UIDs of messages by their id; of several the first. */
async function findIds({ store }: Context, mailbox: number, wanted: ReadonlySet<string>): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const index = store.index(mailbox)
  const guids = [...wanted].some((id) => id.length === 40)
  for (let row = 0; row < (index?.length ?? 0) && found.size < wanted.size; row++) {
    if (row % ROWS === ROWS - 1) await nextTurn()
    if (index!.flags(row) & (Flag.Expunged | Flag.Unlinked)) continue
    const record = index!.record(row)
    for (const id of guids ? [record.guid, record.uuid] : [record.uuid])
      if (wanted.has(id) && !found.has(id)) found.set(id, record.uid)
  }
  return found
}
