/**
 * APPEND (RFC 3501 §6.3.11) with APPENDUID (RFC 4315 §3). The message streams from the socket to the disk; whether it can
 * be taken at all is decided before the client is told to send it. OK means message and index are on disk.
 */
import { type ArgumentReader, announcedLiteral } from '../../../lib/imap/argument_reader.js'
import { parseDateTime } from '../../../lib/imap/date_time.js'
import { appendMessages } from '../../../lib/mailbox/messages.js'
import { checkQuota } from '../../../lib/mailbox/quota.js'
import { MessageCheck } from '../../../lib/message/strict.js'
import type { Staged, Stager } from '../../../lib/store/store.js'
import { define, LOGGED_IN } from '../command.js'
import { discard } from '../command_reader.js'
import { Bad, No } from '../errors.js'
import { parseFlags } from '../flag_arguments.js'
import { type Found, mustFind } from '../mailboxes.js'
import { settableBits } from '../rights.js'
import type { Session } from '../session.js'

interface Literal {
  readonly size: number
  readonly synchronizing: boolean
}

interface Arguments {
  readonly mailbox: string
  readonly flags: number
  readonly keywords: string[]
  readonly internaldate: number | undefined
  readonly literal: Literal
}

/** Arguments that are wrong, in front of a message that has to be read past before the client can be told. */
interface Refusal {
  readonly problem: unknown
  readonly literal: Literal
}

function parseArguments(args: ArgumentReader): Arguments {
  let flags: { flags: number; keywords: string[] } = { flags: 0, keywords: [] }
  let internaldate: number | undefined
  args.space()
  const mailbox = args.mailbox()
  args.space()
  if (args.peek() === '(') {
    flags = parseFlags(args, 'Invalid flag in Append command')
    args.space()
  }
  if (args.peek() === '"') {
    internaldate = parseDateTime(args.astring().toString('latin1')) ?? args.fail('Invalid date-time in Append command')
    args.space()
  }
  const literal = args.literalAnnouncement()
  if (!literal) args.fail('Missing required argument to Append command', 'the message must be a literal')
  return { mailbox, ...flags, internaldate, literal }
}

/** The literal that a command's bytes end with. */
function literalAtEnd(bytes: Buffer): Literal | undefined {
  return bytes.toString('latin1', bytes.length - 2) === '\r\n' ? announcedLiteral(bytes.subarray(0, -2)) : undefined
}

/** Whether and where the message can go. @throws {No}, {OverQuotaError} */
function findTarget(session: Session, { mailbox, literal }: Arguments): Found {
  const found = mustFind(session, mailbox, 'i', true)
  if (literal.size === 0) throw new No('Zero-length message literal')
  if (literal.size > session.imapd.maxMessage)
    throw new No(`[TOOBIG] Message of ${literal.size} bytes is larger than ${session.imapd.maxMessage}`)
  checkQuota(session.imapd.store, found.header.name, literal.size, 1)
  return found
}

/** Takes the message from the client and puts it on disk. @throws {No} when it is no message, after it was read to its end */
async function receive(session: Session, stager: Stager, { size, synchronizing }: Literal): Promise<Staged> {
  const { connection, reply } = session
  const check = new MessageCheck()
  let failure: unknown
  try {
    if (synchronizing) await reply.continuation('go ahead')
    await connection.readStream(size, (chunk) => {
      if (failure !== undefined) return
      try {
        check.push(chunk)
        stager.write(chunk)
      } catch (error) {
        failure = error
      }
    })
    const rest = await connection.readLine()
    if (rest === null) throw new Bad('Connection closed')
    if (rest.length > 0) {
      const more = announcedLiteral(rest)
      if (more && !more.synchronizing) await discard(connection, more.size)
      throw new Bad('Unexpected extra arguments to Append')
    }
    if (failure !== undefined) throw failure
    const problem = check.end()
    if (problem !== undefined) throw new No(problem)
    return await stager.finish()
  } catch (error) {
    stager.abort()
    throw error
  }
}

export const append = define<Arguments | Refusal>({
  name: 'APPEND',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    const literal = literalAtEnd(args.bytes)
    try {
      return parseArguments(args)
    } catch (problem) {
      if (!literal) throw problem
      return { problem, literal }
    }
  },
  async run({ session }, args) {
    const { store, uuids } = session.imapd
    let found: Found
    let stager: Stager
    try {
      if ('problem' in args) throw args.problem
      found = findTarget(session, args)
      stager = store.stage(found.header.partition)
    } catch (error) {
      if (!args.literal.synchronizing) await discard(session.connection, args.literal.size)
      throw error
    }
    const staged = await receive(session, stager, args.literal)
    try {
      const { rights, header } = found
      const uuid = uuids.next()
      const message = {
        staged,
        ...(uuid === undefined ? {} : { uuid }),
        flags: args.flags & settableBits(rights),
        keywords: rights.has('w') ? args.keywords : [],
        ...(args.internaldate === undefined ? {} : { internaldate: args.internaldate }),
      }
      const { uidvalidity, uids } = await appendMessages(store, header, [message], { userid: session.user! })
      return `[APPENDUID ${uidvalidity} ${uids[0]}] Completed`
    } finally {
      store.unstage(staged)
    }
  },
})
