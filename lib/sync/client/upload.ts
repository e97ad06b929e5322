/** Getting messages to the replica: RESERVE for those it may have already, MESSAGE for the rest (csync.md §5.1, §5.2, §8.3). */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { guidOf } from '../../message/summary.js'
import { Flag, type MailboxHeader, type MailboxIndex } from '../../store/store.js'
import { bytesOf, fileHead, list, scalar, stringsOf } from '../dlist.js'
import type { Piece } from './peer_wire.js'
import { type ClientSession, ItemError } from './session.js'

/** GUIDs in one RESERVE, files in one MESSAGE: as many as Cyrus takes at a time. */
const MOST_GUIDS = 8192
const MOST_FILES = 1024
/** Messages read ahead while others are being sent, and up to which size they are held in memory. */
const AHEAD = 16
const IN_MEMORY = 1024 * 1024
/** So few small messages, fresh ones as a rule, are read without a thread: that takes less than handing them over. */
const FEW = 4
const SMALL = 64 * 1024

/** A message of a mailbox that the replica needs. */
export interface Wanted {
  readonly uid: number
  readonly guid: string
  readonly size: number
}

/** Messages above a UID that have content, each GUID once. @param most how many to find, the first ones */
export function messagesAbove(index: MailboxIndex, uid: number, most = Number.POSITIVE_INFINITY): Wanted[] {
  const found = new Map<string, Wanted>()
  for (let row = index.lowerBound(uid + 1); row < index.length && found.size < most; row++) {
    if (index.flags(row) & Flag.Expunged) continue
    const record = index.record(row)
    if (!found.has(record.guid)) found.set(record.guid, { uid: record.uid, guid: record.guid, size: record.size })
  }
  return [...found.values()]
}

/** Asks the replica to find messages in its own mailboxes. @param names mailboxes to look in */
export async function reserve(
  session: ClientSession,
  partition: string,
  names: readonly string[],
  guids: readonly string[],
): Promise<void> {
  const staged = session.staged(partition)
  const wanted = guids.filter((guid) => !staged.has(guid))
  for (let at = 0; at < wanted.length; at += MOST_GUIDS) {
    const some = wanted.slice(at, at + MOST_GUIDS)
    const value = `%(PARTITION ${scalar(bytesOf(partition), 'client')} MBOXNAME ${list(names, 'client')} GUID ${list(some, 'client')})`
    const { items } = await session.peer.ask('APPLY', 'RESERVE', [value])
    const missing = new Set(
      items.flatMap(({ key, value: guid }) => (key.toUpperCase() === 'MISSING' ? stringsOf(guid) : [])),
    )
    for (const guid of some) if (!missing.has(guid)) staged.add(guid)
  }
}

/**
 * Sends those messages that are not staged yet.
 * @throws {ItemError} if a message's file is missing or is not what its record says: the mailbox cannot be replicated until it is repaired
 */
export async function upload(
  session: ClientSession,
  mailbox: MailboxHeader,
  partition: string,
  messages: readonly Wanted[],
): Promise<void> {
  const staged = session.staged(partition)
  const wanted = messages.filter(({ guid }) => !staged.has(guid))
  for (let at = 0; at < wanted.length; at += MOST_FILES) {
    const some = wanted.slice(at, at + MOST_FILES)
    const damaged: string[] = []
    await session.peer.ask('APPLY', 'MESSAGE', fileList(session, mailbox, partition, some, damaged))
    if (damaged.length > 0) {
      // what was sent of them must not stay staged under their GUIDs
      await session.forget()
      throw new ItemError(`${mailbox.name}: ${damaged.join('; ')}`)
    }
    const { sent } = session.options
    for (const { guid, size } of some) {
      staged.add(guid)
      if (sent === undefined) continue
      sent.messages++
      sent.bytes += size
    }
  }
}

async function* fileList(
  session: ClientSession,
  mailbox: MailboxHeader,
  partition: string,
  messages: readonly Wanted[],
  damaged: string[],
): AsyncGenerator<Piece> {
  yield '('
  let separator = ''
  const reading: Array<Promise<Content> | Content> = []
  const few = messages.length <= FEW
  for (let at = 0; at < messages.length; at++) {
    while (reading.length < AHEAD && at + reading.length < messages.length) {
      const next = messages[at + reading.length]!
      reading.push(few && next.size <= SMALL ? readNow(session, mailbox, next) : read(session, mailbox, next))
    }
    const { uid, guid, size } = messages[at]!
    const ready = reading.shift()!
    const content = ready instanceof Promise ? await ready : ready
    yield separator
    separator = ' '
    if (typeof content === 'string') {
      damaged.push(`message ${uid}: ${content}`)
      yield 'NIL'
      continue
    }
    yield fileHead(partition, guid, size, 'client')
    if (Buffer.isBuffer(content)) yield content
    else {
      try {
        yield* pieces(content, size, () => damaged.push(`message ${uid}: file has changed while it was sent`))
      } finally {
        await content.close()
      }
    }
  }
  yield ')'
}

/** A message's bytes, or for a large one its file, or what is wrong with it. */
type Content = Buffer | FileHandle | string

async function read({ store }: ClientSession, mailbox: MailboxHeader, { uid, guid, size }: Wanted): Promise<Content> {
  try {
    if (size <= IN_MEMORY) {
      return verified(await store.readMessage(mailbox, uid, size), guid, size)
    }
    const file = await store.openMessage(mailbox, uid)
    try {
      const { size: actual } = await file.stat()
      if (actual !== size) throw new Error(`file has ${actual} bytes instead of ${size}`)
      const hash = createHash('sha1')
      for await (const piece of pieces(file, size, () => {})) hash.update(piece)
      if (hash.digest('hex') !== guid) throw new Error('file is damaged: its SHA-1 is not the GUID')
      return file
    } catch (error) {
      await file.close()
      throw error
    }
  } catch (error) {
    return problemOf(error)
  }
}

function readNow({ store }: ClientSession, mailbox: MailboxHeader, { uid, guid, size }: Wanted): Content {
  try {
    return verified(store.readMessageSync(mailbox, uid), guid, size)
  } catch (error) {
    return problemOf(error)
  }
}

function verified(message: Buffer, guid: string, size: number): Content {
  if (message.length !== size) return `file has ${message.length} bytes instead of ${size}`
  return guidOf(message) === guid ? message : 'file is damaged: its SHA-1 is not the GUID'
}

/** What is wrong with a file, without the name of the mailbox and the message, which whoever tells it adds. */
function problemOf(error: unknown): string {
  return (error as Error).message.replace(/^.*: message \d+: /, '')
}

/** Exactly `size` bytes, since so many have been announced; what a file cannot give any more is zeros, and `spoiled` is told. */
async function* pieces(file: FileHandle, size: number, spoiled: () => void): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const buffer = Buffer.alloc(Math.min(65536, size - at))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at).catch(() => ({ bytesRead: 0 }))
    if (bytesRead === 0) spoiled()
    const piece = bytesRead === 0 ? buffer : buffer.subarray(0, bytesRead)
    at += piece.length
    yield piece
  }
}
