/**
 * UPLOAD (csync-2.3.md §5): messages for the selected mailbox, sent whole or taken from what is staged. Bytes go to disk as they come; when all
 * items are here they are put into the mailbox, where those under a UID that is in use take that message's place: the peer is the master.
 * The answer is OK when everything is on disk. A large command takes several transactions; who dies in between leaves some of its messages in
 * the mailbox, and the peer, who was not told OK, sends those that are missing.
 */
import { contains, parseUidSet } from '../../../mailbox/uid_set.js'
import {
  Flag,
  type MailboxWriter,
  type MessageRecord,
  NULL_THRID,
  NULL_UUID,
  type Stager,
  type StoreTransaction,
  syncLogLine,
} from '../../../store/store.js'
import { textOf } from '../../dlist.js'
import { type LineArguments, MissingArgumentError } from '../line_reader.js'
import { type Flags, number32Of, numberOf, parseFlags } from '../text.js'
import { ArgumentFault, type Command, type Context, nextArgument, Reason, Refused, reasonOf } from './context.js'
import { idOf, keywordBits, setLast } from './messages.js'
import type { ReadyMessage } from './staging.js'

/** Messages put into the mailbox in one transaction. */
const SLICE = 128

interface Item {
  readonly id: string
  readonly uid: number
  readonly internaldate: number
  readonly lastUpdated: number
  readonly modseq: number
  readonly flags: Flags
  readonly message: ReadyMessage
}

/** An item cannot be read; the message is why, as the peer is told. */
class ItemFault extends Error {
  override name = 'ItemFault'
}

const KINDS = ['SIMPLE', 'PARSED', 'COPY'] as const

export const upload: Command = async (context, line) => {
  const { store, staging } = context
  const [first, second] = [await nextArgument(line), await nextArgument(line)]
  if (line.ended) throw new ArgumentFault('missing')
  const [lastUid, lastAppendDate] = [number32Of(first), number32Of(second)]
  if (lastUid === undefined || lastAppendDate === undefined) throw new ArgumentFault('invalid')
  const mailbox = context.selected === undefined ? undefined : store.mailboxById(context.selected)
  if (mailbox === undefined) return 'NO Mailbox not selected'
  const items: Item[] = []
  do {
    try {
      if (!line.blank()) throw new ItemFault('Invalid end of sequence')
      items.push(await readItem(context, line, mailbox.partition))
    } catch (error) {
      const count = items.length + 1
      if (error instanceof ItemFault) throw new Refused(`BAD Syntax error in Append at item ${count}: ${error.message}`)
      throw error
    }
  } while (!line.ended)
  try {
    await commit(context, mailbox.id, items, lastUid, lastAppendDate)
  } catch (error) {
    return `NO Failed to commit message upload to ${mailbox.name}: ${reasonOf(context, error)}`
  }
  const restart = staging.full
  if (restart) staging.clear()
  return `OK [${restart ? 'RESTART' : 'CONTINUE'}] Upload ${items.length} messages okay`
}

/** An argument that another one follows. */
async function argument(line: LineArguments, fault: string): Promise<string> {
  try {
    const value = await line.astring()
    if (line.blank()) return value
  } catch (error) {
    if (!(error instanceof MissingArgumentError)) throw error
  }
  throw new ItemFault(fault)
}

async function readItem(context: Context, line: LineArguments, partition: string): Promise<Item> {
  const { staging } = context
  const kind = (await argument(line, 'Invalid type')).toUpperCase()
  if (!(KINDS as readonly string[]).includes(kind)) throw new ItemFault('Invalid type')
  const idText = await argument(line, 'Invalid sequence ID')
  const id = idText === 'NIL' ? NULL_UUID : idOf(context, idText)
  if (id === undefined) throw new ItemFault('Invalid Message-UUID')
  const number = async (fault: string, read: (text: string) => number | undefined, least: number): Promise<number> => {
    const value = read(await argument(line, fault))
    if (value === undefined || value < least) throw new ItemFault(fault)
    return value
  }
  const uid = await number('Invalid UID', number32Of, 1)
  const internaldate = await number('Invalid Internaldate', number32Of, 1)
  await number('Invalid Sentdate', number32Of, 1)
  const lastUpdated = await number('Invalid Last update', number32Of, 1)
  const modseq = await number('Invalid modseq', numberOf, 0)
  const words = line.list()
  const flags = words && parseFlags(words.map(textOf))
  if (flags === undefined) throw new ItemFault('Invalid flags')
  for (const flag of flags.unknown) context.log.error(`Unknown system flag: ${flag}`)
  let message: ReadyMessage | undefined
  if (kind === 'COPY') {
    message = await staging.find(id, partition)
    if (message === undefined) throw new ItemFault('Unknown Reserved message')
  } else {
    if (!line.blank()) throw new ItemFault('Invalid flags')
    // what the peer worked out of the message we work out ourselves
    if (kind === 'PARSED') await skipParsed(line)
    message = await readMessage(context, line, partition)
    // a body that was never promised to be what its id says is not to be copied
    if (id.length === 40 && id !== message.guid && !/^0+$/.test(id)) {
      context.log.error(`UPLOAD: message ${uid} was announced as ${id}, but its bytes are ${message.guid}`)
      staging.addUnnamed(message)
      throw new ItemFault('Invalid Message')
    }
    if (/^0+$/.test(id)) staging.addUnnamed(message)
    else staging.add(id, message)
  }
  return { id, uid, internaldate, lastUpdated, modseq, flags, message }
}

/** Header size, content lines, cache version and cache record. */
async function skipParsed(line: LineArguments): Promise<void> {
  await argument(line, 'Invalid Header Size')
  await argument(line, 'Invalid Content Lines')
  const version = await argument(line, 'Invalid Cache entry')
  const size = line.literal()
  if (number32Of(version) === undefined || size === undefined) throw new ItemFault('Invalid Cache entry')
  await line.literalStream(size, () => {})
}

/** The literal that is next, written to disk as it comes. A full disk fails the command; the conversation stays in step. */
async function readMessage({ store, staging }: Context, line: LineArguments, partition: string): Promise<ReadyMessage> {
  const size = line.literal()
  if (size === undefined) throw new ItemFault('Invalid Message')
  let stager: Stager | undefined
  let failure: unknown
  const attempt = (work: () => void): void => {
    if (failure !== undefined) return
    try {
      work()
    } catch (error) {
      failure = error
      stager?.abort()
    }
  }
  attempt(() => {
    stager = store.stage(partition)
  })
  try {
    await line.literalStream(size, (piece) => attempt(() => stager!.write(piece)))
  } catch (error) {
    if (failure === undefined) stager?.abort()
    throw error
  }
  if (failure === undefined) {
    try {
      return await staging.read(await stager!.finish())
    } catch (error) {
      failure = error
      stager!.abort()
    }
  }
  throw new Refused(`NO Failed to commit message upload: ${(failure as Error).message.slice(0, 200) || Reason.io}`)
}

async function commit(
  context: Context,
  mailbox: number,
  items: readonly Item[],
  lastUid: number,
  lastAppendDate: number,
): Promise<void> {
  const index = context.store.index(mailbox)
  // a file under one of these UIDs may be about to be removed
  if (index !== undefined && items.some(({ uid }) => uid <= (index.length === 0 ? 0 : index.uid(index.length - 1))))
    await context.store.settled()
  for (let at = 0; at < items.length; at += SLICE) {
    const some = items.slice(at, at + SLICE)
    await context.write((txn) => {
      const writer = txn.mustMailbox(mailbox)
      for (const item of some) put(context, writer, item)
      if (at + SLICE >= items.length) setLast(writer, lastUid, lastAppendDate)
      log(txn, writer.header.name)
    })
  }
}

function log(txn: StoreTransaction, name: string): void {
  txn.log(syncLogLine('APPEND', name))
  txn.log(syncLogLine('MAILBOX', name))
}

function put(context: Context, writer: MailboxWriter, item: Item): void {
  const { header } = writer
  const { id, uid, internaldate, lastUpdated, flags, message } = item
  const { guid, size, headerSize, sentdate, cache, path } = message
  const { ownerSeen } = header
  // from 2.3.11 on the master's mod-sequences are ours, but below what clients may have seen here; before, it has none to tell
  const counts = context.release.modseqs && (item.modseq > header.highestModseq || context.fresh.has(header.id))
  const modseq = counts && item.modseq > 0 ? item.modseq : writer.nextModseq()
  header.highestModseq = Math.max(header.highestModseq, modseq)
  const before = writer.record(uid)
  const ahead = ownerSeen === 0 ? [] : parseUidSet(ownerSeen[1])
  const seen = before === undefined ? contains(ahead, uid) : (before.flags & Flag.Seen) !== 0
  const record: MessageRecord = {
    uid,
    modseq,
    createdModseq: modseq,
    lastUpdated,
    internaldate,
    sentdate,
    // when it came to the master's mailbox is not told; it was not later
    savedate: lastUpdated,
    size,
    headerSize,
    guid,
    uuid: id.length === 24 ? id : NULL_UUID,
    thrid: NULL_THRID,
    flags: flags.system | (seen ? Flag.Seen : 0),
    userFlags: keywordBits(writer, flags.keywords, context),
  }
  writer.put(record, path, cache)
  header.ownerSeen = ownerSeen
}
