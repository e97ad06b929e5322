/**
 * Messages as APPEND and REPLACE bring them: one or many (RFC 3502), as a literal, a binary one (RFC 3516), or put together
 * of text and URLs (RFC 4469). They stream from the socket to the disk; whether one can be taken at all is decided before
 * the client is told to send it.
 */
import { type AnnotationSetting, parseAnnotationSettings } from '../../lib/imap/annotation_arguments.js'
import { ArgumentReader, announcedLiteral } from '../../lib/imap/argument_reader.js'
import { parseDateTime } from '../../lib/imap/date_time.js'
import { parseImapUrl } from '../../lib/imap/imap_url.js'
import type { NewMessage } from '../../lib/mailbox/messages.js'
import { checkQuota } from '../../lib/mailbox/quota.js'
import { MessageCheck } from '../../lib/message/strict.js'
import type { Staged, Stager } from '../../lib/store/store.js'
import { discard, readBetweenMessages } from './command_reader.js'
import { No } from './errors.js'
import { parseFlags } from './flag_arguments.js'
import type { Found } from './mailboxes.js'
import { lookUp } from './mailboxes.js'
import { annotationChanges } from './message_annotations.js'
import { bytesOfUrl, openUrl } from './message_url.js'
import { settableBits } from './rights.js'
import type { Session } from './session.js'

/** Messages of one command: they become one transaction, and small ones are in memory until then. */
const MOST_MESSAGES = 500
const LONGEST_URL = 8192

interface Literal {
  readonly size: number
  readonly synchronizing: boolean
}

/** Whether bytes end with the announcement of a message; lines hold no CRLF else. */
function endsWithAnnouncement(bytes: Buffer): boolean {
  return bytes.toString('latin1', bytes.length - 2) === '\r\n'
}

/** A command's text as it comes in, literals between its lines. */
class Incoming {
  args: ArgumentReader
  /** announced at the end of the line at hand and not read */
  #pending: Literal | undefined

  /** @param args behind the mailbox; its bytes end with the announcement of a literal and CRLF, or with no literal */
  constructor(
    readonly session: Session,
    args: ArgumentReader,
  ) {
    this.args = args
    const { bytes } = args
    if (endsWithAnnouncement(bytes)) this.#pending = announcedLiteral(bytes.subarray(0, -2))
  }

  /** Reads a literal and the line behind it. @throws {Bad} when the client is gone; whatever `take` throws, at the end */
  async literal({ size, synchronizing }: Literal, take: (chunk: Buffer) => void): Promise<void> {
    const { connection, reply } = this.session
    let failure: unknown
    if (synchronizing) await reply.continuation('go ahead')
    this.#pending = undefined
    await connection.readStream(size, (chunk) => {
      if (failure !== undefined) return
      try {
        take(chunk)
      } catch (error) {
        failure = error
      }
    })
    const rest = await readBetweenMessages(connection, reply, this.session.imapd.maxLiteral)
    this.#pending = endsWithAnnouncement(rest) ? announcedLiteral(rest.subarray(0, -2)) : undefined
    const { command } = this.args
    this.args = new ArgumentReader(rest)
    this.args.command = command
    if (failure !== undefined) throw failure
  }

  /** The command is refused: what the client sends of it all the same is read past. @throws {HopelessError} */
  async abandon(): Promise<void> {
    if (this.#pending && !this.#pending.synchronizing) await discard(this.session.connection, this.#pending.size)
    this.#pending = undefined
  }
}

/** One message on its way to the disk. */
class Receiving {
  readonly #check: MessageCheck
  size = 0

  constructor(
    readonly stager: Stager,
    readonly most: number,
    binary: boolean,
  ) {
    this.#check = new MessageCheck({ allowNul: binary })
  }

  readonly take = (chunk: Buffer): void => {
    this.mustFit(chunk.length)
    this.size += chunk.length
    this.#check.push(chunk)
    this.stager.write(chunk)
  }

  /** @throws {No} when so many bytes more are too many */
  mustFit(bytes: number): void {
    if (this.size + bytes > this.most)
      throw new No(`[TOOBIG] Message of ${this.size + bytes} bytes is larger than ${this.most}`)
  }

  /** @throws {No} when it is no message */
  async finish(): Promise<Staged> {
    const problem = this.size === 0 ? 'Zero-length message literal' : this.#check.end()
    if (problem !== undefined) throw new No(problem)
    return this.stager.finish()
  }
}

/**
 * Receives all messages of a command.
 * @param find finds the mailbox once the first message's options have been read: @throws {No}
 * @param most how many messages the command may bring
 * @returns the messages, staged: whoever has added them must unstage them
 * @throws {No}, {Bad}, {ImapSyntaxError}, {OverQuotaError}, after the command was read to its end; nothing is staged then
 */
export async function receiveMessages(
  session: Session,
  args: ArgumentReader,
  find: () => Found,
  most = MOST_MESSAGES,
): Promise<{ found: Found; messages: NewMessage[] }> {
  const incoming = new Incoming(session, args)
  const messages: NewMessage[] = []
  try {
    let octets = 0
    let found: Found
    do {
      const options = parseOptions(incoming.args)
      found = find()
      const annotations = annotationChanges(session, found.rights, options.annotations)
      if (messages.length === most) throw new No('[LIMIT] Too many messages in one command')
      const roomFor = (bytes: number) =>
        checkQuota(session.imapd.store, found.header.name, octets + bytes, messages.length + 1)
      const { staged } = await receiveOne(incoming, found, roomFor)
      octets += staged.size
      const uuid = session.imapd.uuids.next()
      messages.push({
        staged,
        ...(uuid === undefined ? {} : { uuid }),
        annotations,
        flags: options.flags & settableBits(found.rights),
        keywords: found.rights.has('w') ? options.keywords : [],
        ...(options.internaldate === undefined ? {} : { internaldate: options.internaldate }),
      })
    } while (most > 1 && incoming.args.peek() === ' ')
    incoming.args.end()
    return { found, messages }
  } catch (error) {
    for (const { staged } of messages) session.imapd.store.unstage(staged)
    await incoming.abandon()
    throw error
  }
}

interface Options {
  readonly flags: number
  readonly keywords: string[]
  readonly internaldate: number | undefined
  readonly annotations: readonly AnnotationSetting[]
}

/** ` (\Seen) "date" `: everything in front of a message's bytes. */
function parseOptions(args: ArgumentReader): Options {
  let flags: { flags: number; keywords: string[] } = { flags: 0, keywords: [] }
  let internaldate: number | undefined
  args.space()
  if (args.peek() === '(') {
    flags = parseFlags(args, 'Invalid flag in Append command')
    args.space()
  }
  if (args.peek() === '"') {
    internaldate = parseDateTime(args.astring().toString('latin1')) ?? args.fail('Invalid date-time in Append command')
    args.space()
  }
  let annotations: readonly AnnotationSetting[] = []
  if (/^ANNOTATION /i.test(args.bytes.toString('latin1', args.offset, args.offset + 11))) {
    args.keyword()
    args.space()
    annotations = parseAnnotationSettings(args)
    args.space()
  }
  return { ...flags, internaldate, annotations }
}

async function receiveOne(
  incoming: Incoming,
  { header }: Found,
  roomFor: (bytes: number) => void,
): Promise<{ staged: Staged }> {
  const { args, session } = incoming
  const { store, maxMessage } = session.imapd
  const binary = args.tryChar('~')
  let literal = args.literalAnnouncement()
  const word = literal || binary ? '' : args.keyword()
  const isCatenate = word === 'CATENATE'
  // 8-bit headers, which are kept as they are anyway (RFC 6855 §4)
  const isUtf8 = word === 'UTF8' && args.tryChar(' ') && args.tryChar('(') && args.tryChar('~')
  if (isUtf8) literal = args.literalAnnouncement()
  if (!literal && !isCatenate)
    args.fail('Missing required argument to Append command', 'the message must be a literal, or CATENATE')
  const receiving = new Receiving(store.stage(header.partition), maxMessage, binary)
  try {
    if (literal) {
      if (literal.size === 0) throw new No('Zero-length message literal')
      receiving.mustFit(literal.size)
      roomFor(literal.size)
      await incoming.literal(literal, receiving.take)
      if (isUtf8 && !incoming.args.tryChar(')')) incoming.args.fail('Missing close parenthesis in Append command')
    } else {
      await catenate(incoming, receiving, roomFor)
    }
    return { staged: await receiving.finish() }
  } catch (error) {
    receiving.stager.abort()
    throw error
  }
}

/** `(TEXT {n}… URL "…")` (RFC 4469). */
async function catenate(incoming: Incoming, receiving: Receiving, roomFor: (bytes: number) => void): Promise<void> {
  if (!incoming.args.tryChar(' ') || !incoming.args.tryChar('('))
    incoming.args.fail('Missing message part(s) in Append command')
  do {
    const { args } = incoming
    const type = args.keyword()
    if (type === '') args.fail('Missing message part data in Append command')
    if (type !== 'TEXT' && type !== 'URL') args.fail('Invalid message part type in Append command')
    args.space()
    if (type === 'TEXT') {
      args.tryChar('~')
      const literal = args.literalAnnouncement()
      if (!literal) return args.fail('Missing required argument to Append command', 'TEXT is a literal')
      receiving.mustFit(literal.size)
      roomFor(receiving.size + literal.size)
      await incoming.literal(literal, receiving.take)
    } else {
      await appendUrl(incoming, await urlText(incoming), receiving, roomFor)
    }
  } while (incoming.args.tryChar(' '))
  if (!incoming.args.tryChar(')')) incoming.args.fail('Missing close parenthesis in Append command')
}

async function urlText(incoming: Incoming): Promise<string> {
  const { args } = incoming
  const literal = args.literalAnnouncement()
  if (!literal) return args.astring().toString('latin1')
  if (literal.size > LONGEST_URL) throw new No('[TOOBIG] URL is too long')
  const chunks: Buffer[] = []
  await incoming.literal(literal, (chunk) => void chunks.push(Buffer.from(chunk)))
  return Buffer.concat(chunks).toString('latin1')
}

async function appendUrl(
  { session }: Incoming,
  text: string,
  receiving: Receiving,
  roomFor: (bytes: number) => void,
): Promise<void> {
  const bad = (why: string): No => new No(`[BADURL ${quotedUrl(text)}] ${why}`)
  const url = parseImapUrl(text)
  if (!url) throw bad('Improperly specified URL')
  if (url.server) throw bad('Only relative URLs are supported')
  const name = url.mailbox === undefined ? session.selected?.header.name : session.namespace!.toInternal(url.mailbox)
  const found = name === undefined ? undefined : lookUp(session, name)
  if (!found) throw bad('Mailbox does not exist')
  if (url.uidvalidity !== undefined && url.uidvalidity !== found.header.uidvalidity)
    throw bad('Uidvalidity of mailbox has changed')
  const target = openUrl(session.imapd, url, found.header, session.user!, session.isAdmin)
  if (!target) throw bad('No such message in mailbox')
  try {
    const data = await bytesOfUrl(target, url)
    if (!data) throw bad('No such message part')
    receiving.mustFit(data.size)
    roomFor(receiving.size + data.size)
    for await (const piece of data.pieces) receiving.take(piece)
  } finally {
    await target.source.close()
  }
}

function quotedUrl(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]|["\\\]]/g, '?').slice(0, 1000)}"`
}
