/** What the commands of a 2.3 session work with, and how they fail. */
import type { Config } from '../../../config/config.js'
import type { Logger } from '../../../process/log.js'
import { MailboxExistsError, MailboxGoneError, type MailStore, type StoreTransaction } from '../../../store/store.js'
import { type LineArguments, MissingArgumentError } from '../line_reader.js'
import type { Release } from '../release.js'
import type { SyncLock } from './lock.js'
import type { Staging } from './staging.js'

/** A session's state, apart from its connection. */
export interface Context {
  readonly config: Config
  readonly store: MailStore
  readonly log: Logger
  /** who has logged in */
  readonly user: string
  readonly staging: Staging
  readonly lock: SyncLock
  /** what is spoken; changes when the peer shows to be newer than was thought */
  readonly release: Release
  /** store id of the selected mailbox */
  selected: number | undefined
  /** store ids of mailboxes that were empty when they were selected: nobody has seen a mod-sequence of theirs */
  readonly fresh: Set<number>
  /** A change that the peer asks for; logged only for chains of replicas. */
  write<T>(change: (transaction: StoreTransaction) => T): Promise<T>
  /** Adds text of bytes to the answer; waits when much has gathered and the peer is slow. */
  send(text: string): void | Promise<void>
  /** The peer has used what only releases from this one on have. */
  saw(patch: number): void
}

/** Does a command whose name has been read. @returns its last line, text of bytes without its end */
export type Command = (context: Context, line: LineArguments) => Promise<string>

/** The command ends with this line; whatever is left of it is read and dropped. */
export class Refused extends Error {
  override name = 'Refused'
  constructor(readonly line: string) {
    super(line)
  }
}

/** The command's arguments are not what it wants (csync-2.3.md §2.2). */
export class ArgumentFault extends Error {
  override name = 'ArgumentFault'
  constructor(readonly fault: 'missing' | 'invalid' | 'extra') {
    super(`${fault} argument`)
  }
}

/** The next argument, with the blank before it, as a string of bytes. @throws {ArgumentFault} */
export async function nextArgument(line: LineArguments): Promise<string> {
  if (!line.blank()) throw new ArgumentFault('missing')
  try {
    return await line.astring()
  } catch (error) {
    if (error instanceof MissingArgumentError) throw new ArgumentFault('missing')
    throw error
  }
}

/** Exactly that many arguments. @throws {ArgumentFault} */
export async function argumentsOf(line: LineArguments, count: number): Promise<string[]> {
  const found: string[] = []
  while (found.length < count) found.push(await nextArgument(line))
  if (!line.ended) throw new ArgumentFault('extra')
  return found
}

/** Why something failed, in the words of the generation. */
export const Reason = {
  nonexistent: 'Mailbox does not exist',
  exists: 'Mailbox already exists',
  partition: 'Unknown/invalid partition',
  badName: 'Invalid mailbox name',
  denied: 'Permission denied',
  io: 'System I/O error',
} as const

/** The words for an error of the store; others are logged and become an I/O error. */
export function reasonOf({ log }: Context, error: unknown): string {
  if (error instanceof MailboxGoneError) return Reason.nonexistent
  if (error instanceof MailboxExistsError) return Reason.exists
  log.error(`IOERROR: ${(error as Error).stack ?? error}`)
  return Reason.io
}
