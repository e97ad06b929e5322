/**
 * What a command is: a name, the states in which it may be given, how its arguments are read and what it does.
 * Each stands in a file of its own below commands/; registry.ts knows them all.
 */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import type { Selected } from './selected.js'
import type { Session } from './session.js'

/** RFC 3501 §3. */
export type State = 'not authenticated' | 'authenticated' | 'selected'

export const ANY: readonly State[] = ['not authenticated', 'authenticated', 'selected']
export const LOGGED_IN: readonly State[] = ['authenticated', 'selected']
export const SELECTED: readonly State[] = ['selected']

/** What a running command works with. */
export interface CommandContext {
  readonly session: Session
  /** The command came as UID NAME: numbers are UIDs. */
  readonly uid: boolean
  readonly tag: string
}

/** A command's result when it has given its tagged answer itself. */
export const ANSWERED = Symbol('answered')

export interface Command<Args = unknown> {
  /** Upper case. */
  readonly name: string
  readonly states: readonly State[]
  /** Whether UID NAME exists. */
  readonly hasUidForm?: boolean
  /** Whether the client may be told of expunged messages at its end (not for FETCH, STORE, SEARCH: RFC 3501 §7.4.1). */
  readonly tellsExpunged?: boolean
  /** It removes messages, and the client is told so. */
  readonly expunges?: boolean
  /** Without UID its arguments or answers count messages (RFC 9586 §3.1). */
  readonly countsMessages?: boolean
  /** It leaves the mailbox, so that nothing need be told of it any more. */
  readonly leaves?: boolean
  /** @throws {ImapSyntaxError} */
  parse(args: ArgumentReader, uid: boolean): Args
  /** @returns the text of the OK, `Completed` if nothing @throws {No}, {Bad} and what errors.ts knows */
  run(context: CommandContext, args: Args): Promise<string | undefined | typeof ANSWERED>
}

/** A command with its types forgotten, as the registry keeps it. */
export function define<Args>(command: Command<Args>): Command {
  return command as Command
}

/** The mailbox that a command of the selected state works on. */
export function selectedOf(context: CommandContext): Selected {
  return context.session.selected!
}
