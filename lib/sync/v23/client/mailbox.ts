/**
 * The messages of one mailbox brought into line (csync-2.3.md §6.1): flags, mod-sequences, expunged ones, new ones; and only new ones, where only
 * those are asked for (APPEND of the log). The master always wins.
 */
import {
  type MailboxHeader,
  type MailboxIndex,
  MessageFileError,
  type MessageRecord,
  now,
} from '../../../store/store.js'
import { ItemError } from '../../client/session.js'
import { CACHE_VERSION, parsedMessage } from '../cache_record.js'
import { CONDSTORE } from '../mailbox_lines.js'
import { flagList, nameArgument, numberOf } from '../text.js'
import { changesSince, type Differences, differences, idOf, isLive } from './differences.js'
import { isRestart, type Piece } from './peer.js'
import type { RemoteMailbox } from './remote.js'
import type { ClientSession23 } from './session.js'

const NULL_ID = /^0+$/
const DAY = 86400

/** A mailbox is another one there, or not there at all. */
export class OtherMailboxError extends ItemError {
  override name = 'OtherMailboxError'
}

/** SELECT. @returns last_uid there  @throws {OtherMailboxError} if its unique id is another; {PeerRefusalError}, {PeerGoneError} */
async function select({ peer }: ClientSession23, { name, uniqueid }: MailboxHeader): Promise<number> {
  const answer = await peer.say('SELECT', nameArgument(name))
  const id = await answer.astring()
  answer.blank()
  const lastUid = numberOf(await answer.astring())
  if (lastUid === undefined) return peer.refuse('SELECT', 'no last UID')
  if (id !== uniqueid) throw new OtherMailboxError(`${name} is another mailbox there`)
  return lastUid
}

/** What the replica has of a mailbox, as far as it counts. */
interface There {
  readonly lastUid: number
  readonly highestModseq: number | undefined
}

/**
 * Brings a mailbox into line with ours.
 * @param theirs undefined: it has just been made
 * @returns the header as of which it is in line now; undefined if it is gone here
 * @throws as `select`, and {ItemError}
 */
export async function syncMessages(
  session: ClientSession23,
  header: MailboxHeader,
  theirs: RemoteMailbox | undefined,
): Promise<MailboxHeader | undefined> {
  const index = session.store.index(header.id)
  if (index === undefined) return undefined
  await say(session, index, differences(session, index, theirs?.messages ?? []), theirs, false)
  return index.header
}

/**
 * As `syncMessages`, for a mailbox that was in line once: only what has changed here since is looked at and said.
 * @param known what was then
 * @returns undefined, too, if that cannot be told, or something has changed there
 */
export async function syncChanges(
  session: ClientSession23,
  header: MailboxHeader,
  known: { readonly modseq: number; readonly lastUid: number },
): Promise<MailboxHeader | undefined> {
  const index = session.store.index(header.id)
  if (index === undefined || index.header.deletedModseq > known.modseq) return undefined
  if ((await select(session, index.header)) !== known.lastUid) return undefined
  const { lastUid, modseq: highestModseq } = known
  await say(session, index, changesSince(session, index, known), { lastUid, highestModseq }, true)
  return index.header
}

/** Says what differs. @param there undefined: nothing is there  @param selected whether the mailbox is */
async function say(
  session: ClientSession23,
  index: MailboxIndex,
  { flags, modseqs, expunge, upload }: Differences,
  there: There | undefined,
  selected: boolean,
): Promise<void> {
  const { peer } = session
  let done = selected
  const selectOnce = async (): Promise<void> => {
    if (!done) await select(session, index.header)
    done = true
  }
  if (flags.length > 0) {
    await selectOnce()
    await peer.ask('SETFLAGS', ['SETFLAGS', ...flags])
  }
  const { highestModseq } = index.header
  if (peer.release.modseqs && (modseqs.length > 0 || highestModseq !== (there?.highestModseq ?? highestModseq))) {
    await selectOnce()
    await peer.ask('SETMODSEQ', [`SETMODSEQ ${highestModseq}`, ...modseqs])
  }
  if (expunge.length > 0) {
    await selectOnce()
    await peer.ask('EXPUNGE', ['EXPUNGE', ...expunge.map((uid) => ` ${uid}`)])
  }
  if (upload.length > 0) {
    await selectOnce()
    await uploadRows(session, index, upload)
  } else if (there === undefined || there.lastUid !== index.header.lastUid) {
    await selectOnce()
    await peer.say('UIDLAST', `${index.header.lastUid}`, `${index.header.lastAppendDate}`)
  }
}

/** All that is new, if the mailbox is the same one there; nothing else is looked at. @throws as `syncMessages` */
export async function appendMessages(session: ClientSession23, header: MailboxHeader): Promise<void> {
  const index = session.store.index(header.id)
  if (index === undefined) return
  const lastUid = await select(session, index.header)
  if (lastUid >= index.header.lastUid) return
  const rows: number[] = []
  for (let row = index.lowerBound(lastUid + 1); row < index.length; row++) if (isLive(index, row)) rows.push(row)
  if (rows.length > 0) await uploadRows(session, index, rows)
  else await session.peer.say('UIDLAST', `${index.header.lastUid}`, `${index.header.lastAppendDate}`)
}

/** UPLOAD into the selected mailbox, in batches. */
async function uploadRows(session: ClientSession23, index: MailboxIndex, rows: readonly number[]): Promise<void> {
  const { peer, staged, options } = session
  const { lastUid, lastAppendDate, id, uidvalidity } = index.header
  const size = options.batchSize > 0 ? options.batchSize : rows.length
  const condstore = peer.release.modseqs || session.store.annotation(id, CONDSTORE, '')?.toString() === 'true'
  for (let at = 0; at < rows.length; at += size) {
    const some = rows.slice(at, at + size)
    const missing: number[] = []
    const head = `UPLOAD ${lastUid} ${lastAppendDate || uidvalidity || now()}`
    try {
      const answer = await peer.ask('UPLOAD', pieces(head, session, index, some, condstore, missing))
      if (isRestart(answer)) staged.clear()
    } catch (error) {
      // nothing is known of what is staged there
      staged.clear()
      throw error
    }
    if (missing.length > 0)
      throw new ItemError(`${index.header.name}: the files of messages ${missing.join(' ')} are missing`)
  }
}

/** @param condstore whether mod-sequences mean anything in this mailbox there  @param missing is told UIDs that have no file */
async function* pieces(
  head: string,
  session: ClientSession23,
  index: MailboxIndex,
  rows: readonly number[],
  condstore: boolean,
  missing: number[],
): AsyncGenerator<Piece> {
  const { store, staged, peer, options } = session
  yield head
  for (const row of rows) {
    const record = index.record(row)
    const { uid, internaldate, lastUpdated, modseq } = record
    const id = idOf(session, record)
    const what = [
      id,
      uid,
      internaldate || lastUpdated || 1,
      sentDate(record),
      lastUpdated || internaldate || 1,
      condstore ? modseq : 1,
      flagList(record, index.header.userFlags),
    ].join(' ')
    if (staged.has(id)) {
      yield ` COPY ${what}`
      continue
    }
    let message: Buffer
    try {
      message = await store.readMessage(index.header, uid, record.size)
    } catch (error) {
      if (!(error instanceof MessageFileError)) throw error
      missing.push(uid)
      continue
    }
    // later releases parse themselves; what is not PARSED cannot be copied on 2.3.8
    const parsed = peer.release.guids ? undefined : parsedMessage(message)
    if (parsed === undefined) yield ` SIMPLE ${what} {${message.length}+}\r\n`
    else {
      const { headerSize, contentLines, cache } = parsed
      yield ` PARSED ${what} ${headerSize} ${contentLines} ${CACHE_VERSION} {${cache.length}+}\r\n`
      yield cache
      yield `{${message.length}+}\r\n`
    }
    yield message
    if (!NULL_ID.test(id) && (parsed !== undefined || peer.release.guids)) staged.add(id)
    if (options.sent) {
      options.sent.messages++
      options.sent.bytes += message.length
    }
  }
}

/** Noon of the Date: field's day; of a message without one, when it came to this mailbox. */
function sentDate({ sentdate, savedate, internaldate }: MessageRecord): number {
  if (sentdate > 0) return sentdate - (sentdate % DAY) + DAY / 2
  return savedate || internaldate || 1
}
