/** What all sessions of a process share: store, settings, and what is offered to clients. */
import { hostname } from 'node:os'
import type { Config } from '../../lib/config/config.js'
import { rightsOf } from '../../lib/mailbox/acl.js'
import { inboxOf } from '../../lib/mailbox/names.js'
import { isEncrypted } from '../../lib/net/channel.js'
import { ServerTls } from '../../lib/net/server_tls.js'
import type { Logger } from '../../lib/process/log.js'
import type { MessageUuids } from '../../lib/process/message_uuid.js'
import { allowsAnonymous } from '../../lib/sasl/server_anonymous.js'
import { allowsPlaintext, serverMechanisms } from '../../lib/sasl/server_mechanism.js'
import { type MailStore, QUOTA_RESOURCES } from '../../lib/store/store.js'
import type { Command } from './command.js'
import { Indexer } from './search/indexer.js'
import type { Session } from './session.js'

/** The version clients are told; kept beside package.json's. */
export const VERSION = '0.1.0'

/** Before login: what a client needs to log in. */
const FIRST = ['IMAP4rev1', 'IMAP4rev2', 'LITERAL+', 'ID', 'ENABLE']
/** What works once logged in, and nothing that does not. */
const ALWAYS = [
  ...FIRST,
  'ACL',
  'CHILDREN',
  'BINARY',
  'CATENATE',
  'CONDSTORE',
  'CONTEXT=SEARCH',
  'CONTEXT=SORT',
  'ESEARCH',
  'ESORT',
  'IDLE',
  'INPROGRESS',
  'MOVE',
  'MULTIAPPEND',
  'NAMESPACE',
  'NOTIFY',
  'OBJECTID',
  'PARTIAL',
  'PREVIEW',
  'QRESYNC',
  'QUOTA',
  'REPLACE',
  'RIGHTS=kxten',
  'SAVEDATE',
  'SEARCH=FUZZY',
  'SEARCHRES',
  'SORT',
  'SORT=DISPLAY',
  'STATUS=DELETED',
  'STATUS=SIZE',
  'THREAD=ORDEREDSUBJECT',
  'THREAD=REFERENCES',
  'UIDONLY',
  'UIDPLUS',
  'UNSELECT',
  'URLAUTH',
  'URLAUTH=BINARY',
  'UTF8=ACCEPT',
  'WITHIN',
  'DIGEST=SHA1',
  'SORT=MODSEQ',
  'SORT=UID',
  'THREAD=REFS',
  'X-CREATEDMODSEQ',
]

/** What works on mailboxes as such. */
const OF_MAILBOXES = [
  'ANNOTATE-EXPERIMENT-1',
  'CREATE-SPECIAL-USE',
  'LIST-EXTENDED',
  'LIST-METADATA',
  'LIST-MYRIGHTS',
  'LIST-STATUS',
  'METADATA',
  'SCAN',
  'SPECIAL-USE',
  'XLIST',
  'XMOVE',
]

/** Quota resources (Cyrus' own announcement of them). */
const QUOTAS = QUOTA_RESOURCES.map((resource) => `X-QUOTA=${resource}`)

export class Imapd {
  /** of this server, as URLs name it */
  readonly name: string
  /** What follows the capabilities in the greeting. */
  readonly greeting: string
  /** bytes of a literal that is no message */
  readonly maxLiteral: number
  /** bytes of a message */
  readonly maxMessage: number
  /** seconds of silence allowed once logged in */
  readonly idleSeconds: number
  readonly idleCommandSeconds: number
  readonly tls: ServerTls | undefined
  /** undefined: searches look at messages, and no index is used or filled */
  readonly indexer: Indexer | undefined

  constructor(
    readonly config: Config,
    readonly log: Logger,
    readonly store: MailStore,
    /** for appended messages */
    readonly uuids: MessageUuids,
    /** the entry's name in cyrus.conf */
    readonly service = 'imap',
  ) {
    this.name = config.string('servername') || hostname()
    this.greeting = greetingOf(config, this.name)
    this.maxLiteral = config.size('maxliteral')
    this.maxMessage = config.size('maxmessagesize') || 4294967295
    this.idleSeconds = Math.max(config.duration('timeout'), 30 * 60)
    this.idleCommandSeconds = config.duration('imapidletimeout') || this.idleSeconds
    this.tls = ServerTls.from(config, log)
    this.indexer = config.string('search_engine') === 'none' ? undefined : new Indexer(store, log)
  }

  /** With `loginuseacl` who has the right `a` to a user's INBOX may act as that user. */
  readonly mayActAs = (authenticated: string, wanted: string): boolean => {
    if (!this.config.switch('loginuseacl')) return false
    this.store.refresh()
    const inbox = this.store.mailbox(inboxOf(wanted))
    return inbox !== undefined && rightsOf(inbox, authenticated, false).has('a')
  }

  /** Whether a command exists in this session: STARTTLS needs a certificate, COMPRESS is given once. */
  offers(command: Command, session: Session): boolean {
    if (/^[GS]ETANNOTATION$/.test(command.name)) return this.config.switch('annotation_enable_legacy_commands')
    if (command.name.startsWith('SYNC')) return session.isAdmin
    if (command.name === 'STARTTLS') return this.tls !== undefined && !isEncrypted(session.channel)
    return true
  }

  greetingCapabilities(session: Session): string {
    return [...FIRST, ...this.#login(session)].join(' ')
  }

  capabilities(session: Session): string {
    const compress = session.user === undefined || session.compressed ? [] : ['COMPRESS=DEFLATE']
    const limit = session.user === undefined ? [] : [`APPENDLIMIT=${this.maxMessage}`]
    const login = session.user === undefined ? this.#login(session) : ['LOGINDISABLED']
    if (session.mayUnauthenticate) login.push('UNAUTHENTICATE')
    if (this.config.switch('annotation_enable_legacy_commands')) login.push('ANNOTATEMORE')
    if (session.isAdmin) login.push('X-REPLICATION', 'X-SIEVE-MAILBOX')
    return [...ALWAYS, ...OF_MAILBOXES, ...login, ...compress, ...QUOTAS, ...limit].join(' ')
  }

  #login(session: Session): string[] {
    const { channel } = session
    const mechanisms = [
      ...serverMechanisms(this.config, channel),
      ...(allowsAnonymous(this.config, channel) ? ['ANONYMOUS'] : []),
    ]
    const words = this.tls && !isEncrypted(channel) ? ['STARTTLS'] : []
    if (!allowsPlaintext(this.config, channel)) words.push('LOGINDISABLED')
    words.push(...mechanisms.map((mechanism) => `AUTH=${mechanism}`))
    if (mechanisms.length > 0) words.push('SASL-IR')
    return words
  }
}

/** What the greeting tells of the server (`serverinfo`). */
function greetingOf(config: Config, name: string): string {
  const info = config.string('serverinfo')!
  if (info === 'min') return `${name} server ready`
  if (['off', '0', 'no', 'f', 'false'].includes(info)) return 'server ready'
  return `${name} Cyrus-compatible cyrus-ts IMAP ${VERSION} server ready`
}
