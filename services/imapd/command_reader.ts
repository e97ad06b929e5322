/**
 * Reads whole commands: lines and the literals they announce, bounded. A message to be stored is left on the
 * connection for APPEND or REPLACE to stream.
 */
import { announcedLiteral, literalHeader } from '../../lib/imap/argument_reader.js'
import type { Connection } from '../../lib/net/connection.js'
import { Bad } from './errors.js'
import type { Reply } from './reply.js'

const CRLF = Buffer.from('\r\n')
/** Of one command's lines and literals together, logged in or not. */
const MOST = 1024 * 1024
const MOST_BEFORE_LOGIN = 64 * 1024
/** Unwanted bytes of a non-synchronizing literal that are worth reading past. */
const DISCARD_MOST = 64 * 1024 * 1024

/** Lines and literals in front of a message that are looked through for where it begins. */
const MOST_PIECES = 200

/** The client cannot be followed any more; it is told so and the connection ends. */
export class HopelessError extends Error {
  override name = 'HopelessError'
}

/** A command that is refused before it was read to its end. */
export class RefusedCommand extends Bad {
  constructor(
    readonly tag: string,
    message: string,
  ) {
    super(message)
  }
}

export interface ReaderLimits {
  /** bytes of one literal (`maxliteral`) */
  literal: number
  loggedIn: boolean
  /** whether a line is given as it is, its literals left on the connection */
  isWhole?: (line: Buffer) => boolean
}

/** Whether the literal that ends these bytes is of a message to be stored (APPEND, REPLACE), not its mailbox name. */
function announcesMessage(command: Buffer): boolean {
  const text = command.toString('latin1', 0, 200)
  const head = /^[^ ]+ (?:APPEND |(?:UID )?REPLACE [^ ]+ )/i.exec(text)
  if (!head) return false
  const literal = literalHeader(command, head[0].length)
  if (literal && literal.end >= command.length) return false
  return !isInAnnotation(command, literal ? literal.end + literal.size : head[0].length)
}

/** Whether the literal that these bytes announce at their end stands in the parentheses behind ANNOTATION (RFC 5257 §4.5), which are read before the message. */
function isInAnnotation(bytes: Buffer, from: number): boolean {
  const text = bytes.toString('latin1', from)
  const token = /\{(\d{1,10})\+?\}\r\n|"(?:[^"\\]|\\.)*"?|[()]|[^\s()"{]+|./gs
  let depth = 0
  let word = ''
  /** what stands in front of the outermost parenthesis that is open */
  let group = ''
  for (let found = token.exec(text); found; found = token.exec(text)) {
    const [it, literal] = found
    if (literal !== undefined) token.lastIndex += Number(literal)
    else if (it === '(') {
      if (depth === 0) group = word
      depth += 1
    } else if (it === ')') depth -= 1
    else if (depth === 0 && it !== ' ') word = it
  }
  return depth > 0 && /^annotation$/i.test(group)
}

/**
 * What stands between two messages of a command, up to the announcement of the next one (with its CRLF) or the end.
 * @throws {Bad} when the client is gone, or a literal is too large
 */
export async function readBetweenMessages(connection: Connection, reply: Reply, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for (;;) {
    const line = await connection.readLine()
    if (line === null) throw new Bad('Connection closed')
    pieces.push(line)
    const literal = announcedLiteral(line)
    if (!literal) return Buffer.concat(pieces)
    pieces.push(CRLF)
    const bytes = Buffer.concat(pieces)
    if (pieces.length > MOST_PIECES || !isInAnnotation(bytes, 0)) return bytes
    size += line.length + literal.size
    if (literal.size > limit || size > MOST) {
      if (!literal.synchronizing) await discard(connection, literal.size)
      throw new Bad(`[TOOBIG] Literal of ${literal.size} bytes is too large`)
    }
    if (literal.synchronizing) await reply.continuation('go ahead')
    pieces.push(await connection.readBytes(literal.size))
  }
}

/**
 * @returns the command's bytes without the last CRLF, literals in place; one that announces a message ends with that
 *   announcement and its CRLF. null at the end of the stream.
 * @throws {RefusedCommand}, {HopelessError}, {LineTooLongError}, {TimeoutError}, {ConnectionClosedError}
 */
export async function readCommand(connection: Connection, reply: Reply, limits: ReaderLimits): Promise<Buffer | null> {
  let line = connection.tryReadLine() ?? (await connection.readLine())
  if (line === null) return null
  let literal = announcedLiteral(line)
  if (!literal || limits.isWhole?.(line)) return line
  const pieces: Buffer[] = []
  let size = 0
  const most = limits.loggedIn ? MOST : MOST_BEFORE_LOGIN
  for (;;) {
    pieces.push(line, CRLF)
    size += line.length + 2 + literal.size
    // the message is APPEND's first literal but for the mailbox name and annotations
    if (limits.loggedIn && pieces.length <= MOST_PIECES) {
      const command = Buffer.concat(pieces)
      if (announcesMessage(command)) return command
    }
    if (literal.size > limits.literal || size > most) {
      if (!literal.synchronizing) await discard(connection, literal.size)
      throw new RefusedCommand(firstWord(pieces[0]!), `[TOOBIG] Literal of ${literal.size} bytes is too large`)
    }
    if (literal.synchronizing) await reply.continuation('go ahead')
    pieces.push(await connection.readBytes(literal.size))
    const next = await connection.readLine()
    if (next === null) return null
    line = next
    literal = announcedLiteral(line)
    if (!literal) break
  }
  pieces.push(line)
  return Buffer.concat(pieces)
}

/** Reads past a literal nobody wants and the rest of its command. @throws {HopelessError} when that is too much */
export async function discard(connection: Connection, size: number): Promise<void> {
  let next = size
  for (let total = 0; ; ) {
    total += next
    if (total > DISCARD_MOST) throw new HopelessError('[TOOBIG] Literal too large')
    await connection.readStream(next, () => undefined)
    const rest = await connection.readLine()
    const literal = rest === null ? undefined : announcedLiteral(rest)
    if (!literal || literal.synchronizing) return
    total += rest!.length + 2
    next = literal.size
  }
}

function firstWord(line: Buffer): string {
  return /^[^ ]{0,100}/.exec(line.toString('latin1', 0, 100))![0] || '*'
}
