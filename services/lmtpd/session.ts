/**
 * One LMTP conversation (RFC 2033, with RFC 1652/6152 8BITMIME, RFC 1870 SIZE, RFC 2034 ENHANCEDSTATUSCODES, RFC 2920 PIPELINING, RFC 4954
 * AUTH): the state between MAIL and the replies to DATA, and the answer to each command, in Cyrus 3.6.1's words where it has some.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '../../lib/config/config.js'
import { autocreate } from '../../lib/mailbox/autocreate.js'
import { channelOf } from '../../lib/net/channel.js'
import { type Connection, ConnectionClosedError, LineTooLongError, TimeoutError } from '../../lib/net/connection.js'
import type { Logger } from '../../lib/process/log.js'
import type { MessageUuids } from '../../lib/process/message_uuid.js'
import type { ServiceSession } from '../../lib/process/service.js'
import { newSessionId } from '../../lib/process/session_id.js'
import { isAdmin, mayProxy } from '../../lib/sasl/identity.js'
import { serverMechanisms, startServerMechanism } from '../../lib/sasl/server_mechanism.js'
import { MailboxGoneError, type MailStore, type Stager } from '../../lib/store/store.js'
import { ArgumentError, type MailArguments, parseMail, parseRecipient } from './address.js'
import { Delivery } from './delivery.js'
import { MessageFilter } from './message_filter.js'
import { type Recipient, RecipientResolver, recipientOf } from './recipients.js'
import { delivered, invalidMessage, refusal, tooBig } from './replies.js'

/** Longest command line, bytes; RFC 5321 §4.5.3.1.4 wants 512 at least. */
const LONGEST_LINE = 4096

/** Recipients of one message. RFC 5321 §4.5.3.1.8 wants 100 at least. */
const MOST_RECIPIENTS = 10_000

/** Replies written before the peer must have taken them. */
const REPLIES_UNTIL_FLUSH = 100

const SYNTAX = '500 5.5.2 Syntax error\r\n'

/** What the conversations of a process share. */
export interface LmtpService {
  readonly config: Config
  readonly store: MailStore
  readonly log: Logger
  /** -a: whoever connects by TCP may deliver */
  readonly preauthorized: boolean
  /** for delivered messages */
  readonly uuids: MessageUuids
  readonly version: string
}

interface Transaction {
  readonly mail: MailArguments
  readonly recipients: Recipient[]
  /** partition on which the message is staged: the first recipient's */
  partition: string
}

export class LmtpSession {
  readonly #service: LmtpService
  readonly #session: ServiceSession
  readonly #connection: Connection
  readonly #resolver: RecipientResolver
  readonly #delivery: Delivery
  readonly #hostname: string
  readonly #largest: number
  #authenticated: string | undefined
  #sessionId: string
  #greetedAs = ''
  #transaction: Transaction | undefined
  #busy = false

  constructor(service: LmtpService, connection: Connection, session: ServiceSession) {
    const { config, store, log } = service
    this.#service = service
    this.#session = session
    this.#connection = connection
    this.#resolver = new RecipientResolver(store, config)
    this.#delivery = new Delivery(store, this.#resolver, log)
    this.#hostname = config.string('servername') || hostname()
    this.#largest = config.size('maxmessagesize')
    this.#sessionId = session.id
    if (service.preauthorized || connection.remote === 'unix') this.#authenticated = 'postman'
  }

  /** Talks until the client leaves, is silent too long, or the process ends. */
  async run(): Promise<void> {
    const connection = this.#connection
    const stop = (): void => {
      if (!this.#busy) this.#goodbye()
    }
    this.#session.stopping.addEventListener('abort', stop, { once: true })
    try {
      connection.write(
        `220 ${this.#hostname}${this.#showsVersion ? ` Cyrus LMTP ${this.#service.version}` : ''} server ready\r\n`,
      )
      await this.#commands()
    } catch (error) {
      if (error instanceof TimeoutError) connection.write(`421 4.4.1 bye ${error.message}\r\n`)
      else if (!(error instanceof ConnectionClosedError)) throw error
    } finally {
      this.#session.stopping.removeEventListener('abort', stop)
      connection.close()
    }
  }

  async #commands(): Promise<void> {
    const connection = this.#connection
    for (let replies = 1; ; replies++) {
      let line: Buffer | null | undefined
      try {
        line = connection.tryReadLine()
        if (line === undefined || replies % REPLIES_UNTIL_FLUSH === 0) await connection.flush()
        line ??= await connection.readLine()
      } catch (error) {
        if (!(error instanceof LineTooLongError)) throw error
        connection.write(SYNTAX)
        continue
      }
      if (line === null) return
      this.#busy = true
      const goOn = await this.#command(line.toString('latin1'))
      this.#busy = false
      if (!goOn) return
      if (this.#session.stopping.aborted) {
        this.#goodbye()
        return
      }
    }
  }

  #goodbye(): void {
    this.#connection.write('421 4.3.2 Service is shutting down\r\n')
    this.#connection.close()
  }

  /** @returns false after QUIT */
  async #command(line: string): Promise<boolean> {
    const blank = line.indexOf(' ')
    const verb = (blank < 0 ? line : line.slice(0, blank)).toUpperCase()
    const text = blank < 0 ? undefined : line.slice(blank + 1)
    const reply = (answer: string): void => this.#connection.write(`${answer}\r\n`)
    switch (`${verb}${text === undefined ? '' : ' '}`) {
      case 'LHLO ':
        this.#greetedAs = text!
        this.#connection.write(this.#capabilities())
        break
      case 'MAIL ':
        reply(this.#mail(text!))
        break
      case 'RCPT ':
        this.#connection.write(await this.#recipient(text!))
        break
      case 'DATA':
        await this.#data()
        break
      case 'RSET':
        this.#transaction = undefined
        this.#sessionId = newSessionId(this.#service.config.string('syslog_prefix') || this.#hostname)
        reply(`250 2.0.0 Ok SESSIONID=<${this.#sessionId}>`)
        break
      case 'NOOP':
      case 'NOOP ':
        reply('250 2.0.0 ok')
        break
      case 'VRFY ':
        reply('252 2.3.3 try RCPT to attempt delivery')
        break
      case 'HELP':
      case 'HELP ':
        reply('214 2.0.0 LHLO MAIL RCPT DATA RSET VRFY NOOP AUTH HELP QUIT')
        break
      case 'AUTH ':
        await this.#auth(text!)
        break
      case 'QUIT':
        reply('221 2.0.0 bye')
        return false
      default:
        this.#connection.write(SYNTAX)
    }
    return true
  }

  get #showsVersion(): boolean {
    return ['on', '1', 'yes', 't', 'true'].includes(this.#service.config.string('serverinfo') ?? 'on')
  }

  get #mechanisms(): string[] {
    return this.#authenticated === undefined ? serverMechanisms(this.#service.config, channelOf(this.#connection)) : []
  }

  #capabilities(): string {
    const mechanisms = this.#mechanisms
    return [
      `250-${this.#hostname}`,
      '250-8BITMIME',
      '250-ENHANCEDSTATUSCODES',
      '250-PIPELINING',
      this.#largest > 0 ? `250-SIZE ${this.#largest}` : '250-SIZE',
      ...(mechanisms.length > 0 ? [`250-AUTH ${mechanisms.join(' ')}`] : []),
      '250-IGNOREQUOTA',
      `250 Ok SESSIONID=<${this.#sessionId}>`,
      '',
    ].join('\r\n')
  }

  #mail(text: string): string {
    if (this.#authenticated === undefined) {
      return `${this.#service.config.switch('soft_noauth') ? 430 : 530} Authentication required`
    }
    if (this.#transaction !== undefined) return '503 5.5.1 Nested MAIL command'
    try {
      this.#transaction = { mail: parseMail(text, this.#largest), recipients: [], partition: '' }
      return '250 2.1.0 ok'
    } catch (error) {
      if (error instanceof ArgumentError) return error.message
      throw error
    }
  }

  async #recipient(text: string): Promise<string> {
    const transaction = this.#transaction
    if (transaction === undefined) return '503 5.5.1 Need MAIL command\r\n'
    if (transaction.recipients.length >= MOST_RECIPIENTS) return '452 4.5.3 Too many recipients\r\n'
    try {
      const { path, ignoreQuota } = parseRecipient(text)
      const recipient = recipientOf(this.#service.config, path, ignoreQuota)
      if (recipient === undefined)
        return refusal(new MailboxGoneError(path.mailbox), this.#service.config, this.#sessionId).reply
      const { config, store } = this.#service
      if (recipient.inbox !== undefined && config.switch('autocreate_post') && !store.mailbox(recipient.inbox)) {
        const { userid } = recipient
        await autocreate(store, userid, isAdmin(config, userid) || mayProxy(config, userid))
      }
      const mailbox = this.#resolver.verify(recipient, transaction.mail.size, transaction.mail.authUser)
      if (transaction.recipients.length === 0) transaction.partition = mailbox.partition
      transaction.recipients.push(recipient)
      return '250 2.1.5 ok\r\n'
    } catch (error) {
      if (error instanceof ArgumentError) return `${error.message}\r\n`
      return this.#refused(error)
    }
  }

  #refused(error: unknown): string {
    const { reply, ours } = refusal(error, this.#service.config, this.#sessionId)
    if (ours) {
      const text = error instanceof Error ? error.stack : String(error)
      this.#service.log.error(`sessionid=<${this.#sessionId}>: ${text}`)
    }
    return reply
  }

  /** DATA: the message goes to disk once while it comes in; then one reply for each recipient, in order (RFC 2033 §4.2). */
  async #data(): Promise<void> {
    const connection = this.#connection
    const transaction = this.#transaction
    if (transaction === undefined || transaction.recipients.length === 0) {
      connection.write('503 5.5.1 No recipients\r\n')
      return
    }
    const { store } = this.#service
    const toAll = (text: string): void => {
      for (let n = transaction.recipients.length; n > 0; n--) connection.write(text)
    }
    let stager: Stager
    try {
      stager = store.stage(transaction.partition)
    } catch (error) {
      connection.write(this.#refused(error))
      return
    }
    this.#transaction = undefined
    connection.write('354 go ahead\r\n')
    await connection.flush().catch(() => undefined)
    let failure: unknown
    const filter = this.#filter(transaction.mail, (chunk) => {
      if (failure !== undefined) return
      try {
        stager.write(chunk)
      } catch (error) {
        failure = error
      }
    })
    try {
      const { tooBig: over, size } = await connection.readDotStuffed((chunk) => filter.write(chunk), this.#largest)
      const problem = over ? undefined : filter.finish()
      if (over || problem !== undefined || failure !== undefined) {
        stager.abort()
        if (over) toAll(tooBig(size, this.#largest))
        else toAll(problem !== undefined ? invalidMessage(problem) : this.#refused(failure))
        return
      }
    } catch (error) {
      stager.abort()
      throw error
    }
    await this.#deliver(transaction, stager, filter.messageId, toAll)
  }

  async #deliver(
    { mail, recipients }: Transaction,
    stager: Stager,
    messageId: string,
    toAll: (text: string) => void,
  ): Promise<void> {
    const { store } = this.#service
    let staged: Awaited<ReturnType<Stager['finish']>>
    try {
      staged = await stager.finish()
    } catch (error) {
      stager.abort()
      toAll(this.#refused(error))
      return
    }
    try {
      const message = {
        staged,
        messageId,
        sender: mail.authUser,
        sessionId: this.#sessionId,
        uuid: this.#service.uuids.next(),
      }
      for (const problem of await this.#delivery.run(message, recipients)) {
        this.#connection.write(problem === undefined ? delivered(this.#sessionId) : this.#refused(problem))
      }
    } finally {
      store.unstage(staged)
    }
  }

  /** The headers that lmtpd puts in front, and what it adds where it is missing. */
  #filter(mail: MailArguments, out: (chunk: Buffer) => void): MessageFilter {
    const { config, version } = this.#service
    const { mailbox, domain } = mail.path
    const returnPath = mailbox === '' || domain !== undefined ? mailbox : `${mailbox}@${this.#hostname}`
    const client =
      this.#connection.remote === 'unix' ? '[unix socket]' : `[${this.#connection.remote.replace(/^::ffff:/, '')}]`
    const greeted = this.#greetedAs.replace(/[^\x20-\x7e]/g, '?').slice(0, 255)
    const auth =
      mail.authUser === undefined
        ? ''
        : ` (authenticated user=${mail.authUser.replace(/[^\x21-\x7e]/g, '?')} bits=0)\r\n\t`
    const date = mailDate(new Date())
    return new MessageFilter(
      {
        prefix:
          `Return-Path: <${returnPath}>\r\n` +
          `Received: from ${greeted} (${client})\r\n\t${auth} by ${this.#hostname}` +
          `${this.#showsVersion ? ` (Cyrus ${version})` : ''} with LMTPA;\r\n\t ${date}\r\n` +
          `X-Cyrus-Session-Id: ${this.#sessionId}\r\n`,
        messageId: () => `<lmtpd-${process.pid}-${Date.now()}-${randomBytes(6).toString('hex')}@${this.#hostname}>`,
        date,
        eightBit: config.switch('reject8bit') ? 'reject' : config.switch('munge8bit') ? 'munge' : 'keep',
      },
      out,
    )
  }

  /** AUTH (RFC 4954 §4): mechanism and, perhaps, an initial response; `=` stands for an empty one. */
  async #auth(text: string): Promise<void> {
    const connection = this.#connection
    if (this.#authenticated !== undefined) return connection.write('503 5.5.0 already authenticated\r\n')
    if (this.#transaction !== undefined) return connection.write('503 5.5.0 AUTH not permitted now\r\n')
    const [name = '', initial] = text.split(' ')
    const { config, log } = this.#service
    const mechanism = startServerMechanism({ config, service: 'lmtp', channel: channelOf(connection) }, name)
    if (typeof mechanism === 'string') {
      return connection.write(
        mechanism === 'unknown'
          ? '504 5.5.4 Unrecognized authentication type.\r\n'
          : '538 5.7.11 Encryption required for that mechanism\r\n',
      )
    }
    let response = initial === undefined ? undefined : fromBase64(initial === '=' ? '' : initial)
    if (initial !== undefined && response === undefined) return connection.write('501 5.5.2 Cannot decode response\r\n')
    for (;;) {
      const step = await mechanism.step(response)
      if (step.state === 'done') {
        this.#authenticated = step.user
        this.#session.setUser(step.user)
        log.notice(
          `login: ${connection.remote} ${step.user} ${mechanism.name} User logged in SESSIONID=<${this.#sessionId}>`,
        )
        return connection.write('235 2.7.0 Authenticated!\r\n')
      }
      if (step.state === 'failed') {
        log.notice(
          `badlogin: ${connection.remote} ${mechanism.name} ${step.claimed ?? ''} ${step.reason} SESSIONID=<${this.#sessionId}>`,
        )
        return connection.write('535 5.7.8 authentication failure\r\n')
      }
      connection.write(`334 ${step.challenge.toString('base64')}\r\n`)
      await connection.flush()
      let line: Buffer | null
      try {
        line = await connection.readLine()
      } catch (error) {
        if (!(error instanceof LineTooLongError)) throw error
        return connection.write('500 5.5.6 Authentication exchange line is too long\r\n')
      }
      if (line === null) throw new ConnectionClosedError('during AUTH')
      const answer = line.toString('latin1')
      if (answer === '*') return connection.write('501 5.5.4 client canceled authentication\r\n')
      response = fromBase64(answer)
      if (response === undefined) return connection.write('501 5.5.2 Cannot decode response\r\n')
    }
  }
}

/** A conversation on an accepted socket. */
export function converse(service: LmtpService, connection: Connection, session: ServiceSession): Promise<void> {
  connection.maxLine = LONGEST_LINE
  connection.idleTimeout = service.config.duration('lmtptxn_timeout')
  return new LmtpSession(service, connection, session).run()
}

function fromBase64(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0 ? Buffer.from(text, 'base64') : undefined
}

/** RFC 5322 §3.3 in local time: `Mon, 23 Nov 2026 12:50:42 +0000`. */
export function mailDate(date: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][date.getDay()]
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][date.getMonth()]
  const offset = -date.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day}, ${two(date.getDate())} ${month} ${date.getFullYear()} ${time} ${zone}`
}
