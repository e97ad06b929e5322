/** What a replica of the 2.3 generation tells of its mailboxes (csync-2.3.md §4.3 to §4.5), read from its lines. */
import { textOf } from '../../dlist.js'
import type { LineArguments } from '../line_reader.js'
import type { Release } from '../release.js'
import { nameArgument, numberOf } from '../text.js'
import type { ClientSession23 } from './session.js'

/** A message there. */
export interface RemoteMessage {
  readonly uid: number
  /** UUID, or from 2.3.10 on GUID */
  readonly id: string
  /** as told: system flags in lower case, keywords */
  readonly flags: readonly string[]
  /** 0 before 2.3.11 */
  readonly modseq: number
}

/** A mailbox there, with its messages in UID order. */
export interface RemoteMailbox {
  readonly uniqueid: string
  readonly name: string
  readonly acl: string
  readonly lastUid: number
  /** bits, see mailbox_lines.ts */
  readonly options: number
  /** KiB, -1 no limit; undefined if it is no quota root */
  readonly quota: number | undefined
  /** undefined before 2.3.10 */
  readonly uidvalidity: number | undefined
  /** undefined before 2.3.11 */
  readonly highestModseq: number | undefined
  readonly messages: RemoteMessage[]
}

/** A file of a Sieve directory there. */
export interface RemoteFile {
  readonly name: string
  readonly mtime: number
  readonly active: boolean
}

/** A line that cannot be what it should be. */
class LineFault extends Error {
  override name = 'LineFault'
}

async function numberIn(line: LineArguments): Promise<number> {
  const text = await line.astring()
  const value = text === '-1' ? -1 : numberOf(text)
  if (value === undefined) throw new LineFault(`"${text.slice(0, 40)}" is no number`)
  line.blank()
  return value
}

async function textIn(line: LineArguments): Promise<string> {
  const text = textOf(await line.astring())
  line.blank()
  return text
}

async function readMailbox(line: LineArguments, release: Release): Promise<RemoteMailbox> {
  const [uniqueid, name, acl] = [await textIn(line), await textIn(line), await textIn(line)]
  const uidvalidity = release.guids ? await numberIn(line) : undefined
  const lastUid = await numberIn(line)
  const highestModseq = release.modseqs ? await numberIn(line) : undefined
  const options = await numberIn(line)
  const quota = line.ended ? undefined : await numberIn(line)
  return { uniqueid, name, acl, lastUid, options, quota, uidvalidity, highestModseq, messages: [] }
}

async function readMessage(line: LineArguments, release: Release): Promise<RemoteMessage> {
  const uid = await numberIn(line)
  const modseq = release.modseqs ? await numberIn(line) : 0
  const id = (await textIn(line)).toLowerCase()
  const flags = line.list()
  if (flags === undefined || !/^[0-9a-f]{24,40}$/.test(id)) throw new LineFault('no message')
  return { uid, id, flags: flags.map(textOf), modseq }
}

/** A listed file: `name mtime`, and ` *` if it is the active one. */
export async function readFile(line: LineArguments): Promise<RemoteFile> {
  const name = await textIn(line)
  const mtime = await numberIn(line)
  return { name, mtime, active: line.take('*') }
}

/** What USER tells. */
export interface RemoteUser {
  readonly mailboxes: RemoteMailbox[]
  /** as told: `INBOX…` for the user's own */
  readonly subscriptions: string[]
  /** undefined: none were told, which may also be a replica's fault (csync-2.3.md §4.5) */
  readonly files: RemoteFile[] | undefined
}

async function listen(session: ClientSession23, command: string, text: string): Promise<RemoteUser> {
  const { peer } = session
  const { release } = peer
  const mailboxes: RemoteMailbox[] = []
  const subscriptions: string[] = []
  const files: RemoteFile[] = []
  await peer.ask(command, [text], async (stars, line) => {
    try {
      if (stars === 2) mailboxes.push(await readMailbox(line, release))
      else if (stars === 3) subscriptions.push(await textIn(line))
      else if (stars === 4) files.push(await readFile(line))
      else {
        const mailbox = mailboxes.at(-1)
        if (mailbox === undefined) throw new LineFault('a message of no mailbox')
        mailbox.messages.push(await readMessage(line, release))
      }
    } catch (error) {
      if (error instanceof LineFault)
        peer.refuse(command, `${error.message}; is the replica of ${release.name}? sync_protocol can say what it is`)
      throw error
    }
  })
  return { mailboxes, subscriptions, files: files.length === 0 ? undefined : files }
}

/** USER. @throws {PeerRefusalError} with code IMAP_MAILBOX_NONEXISTENT if the user has no INBOX there; {PeerGoneError} */
export function askUser(session: ClientSession23, userid: string): Promise<RemoteUser> {
  return listen(session, 'USER', `USER ${nameArgument(userid)}`)
}

/** MAILBOXES: those of the names that are there. @throws {PeerRefusalError}, {PeerGoneError} */
export async function askMailboxes(session: ClientSession23, names: readonly string[]): Promise<RemoteMailbox[]> {
  if (names.length === 0) return []
  return (await listen(session, 'MAILBOXES', `MAILBOXES ${names.map(nameArgument).join(' ')}`)).mailboxes
}

/** Lines of one star with one kind of thing each. */
export async function askLines<T>(
  { peer }: ClientSession23,
  command: string,
  text: string,
  read: (line: LineArguments) => Promise<T>,
): Promise<T[]> {
  const found: T[] = []
  await peer.ask(command, [text], async (_stars, line) => {
    try {
      found.push(await read(line))
    } catch (error) {
      if (error instanceof LineFault) peer.refuse(command, error.message)
      throw error
    }
  })
  return found
}

/** A text as the line's next argument. */
export const oneText = textIn
