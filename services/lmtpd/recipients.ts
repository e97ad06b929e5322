/**
 * Which mailbox an address means (Cyrus 3.6.1's lmtpd): `user` → the user's INBOX, `user+folder` → that folder if it exists and takes mail
 * from the sender, else the INBOX, `+folder` → a shared mailbox. Domains count with virtdomains only.
 */
import type { Config } from '../../lib/config/config.js'
import { hasVirtualDomains } from '../../lib/config/virtual_domains.js'
import { rightsOf } from '../../lib/mailbox/acl.js'
import { domainPrefix, inboxOf, isDeleted, isPersonal, nameProblem } from '../../lib/mailbox/names.js'
import { checkQuota } from '../../lib/mailbox/quota.js'
import { MailboxGoneError, type MailboxHeader, type MailStore } from '../../lib/store/store.js'
import type { Path } from './address.js'

/** An address taken apart. */
export interface Recipient {
  /** '' for a shared mailbox */
  readonly userid: string
  /** internal name of the INBOX; undefined for a shared mailbox */
  readonly inbox: string | undefined
  /** internal name of the mailbox that the detail asks for; undefined without one */
  readonly folder: string | undefined
  readonly ignoreQuota: boolean
}

/** The sender may not post to a shared mailbox. */
export class NotPermittedError extends Error {}

/** Who asks: rights are those of the user that MAIL named with AUTH=, else of anyone. */
const ANYBODY = 'anonymous'

/** @returns the recipient, or undefined for an address that can be nobody's */
export function recipientOf(config: Config, path: Path, ignoreQuota: boolean): Recipient | undefined {
  const plus = path.local.indexOf('+')
  const separator = config.switch('unixhierarchysep') ? '/' : '.'
  let userid = plus < 0 ? path.local : path.local.slice(0, plus)
  if (config.switch('lmtp_downcase_rcpt')) userid = userid.toLowerCase()
  const parts = (plus < 0 ? '' : path.local.slice(plus + 1)).split(separator).filter((part) => part !== '')
  const detail = parts.map((part) => encodeAmpersand(separator === '/' ? part.replaceAll('.', '^') : part)).join('.')
  if (/[/!@]/.test(userid)) return undefined
  const domain = domainOf(config, path)
  if (userid !== '' && domain !== '') userid += `@${domain}`
  const inbox = userid === '' ? undefined : inboxOf(userid)
  if (inbox === undefined && detail === '') return undefined
  if (inbox !== undefined && nameProblem(inbox) !== undefined) return undefined
  const isInbox = /^inbox$/i.test(detail)
  const folder =
    detail === '' || (isInbox && inbox !== undefined)
      ? undefined
      : `${inbox === undefined ? domainPrefix(domain) : `${inbox}.`}${detail}`
  return { userid, inbox, folder, ignoreQuota }
}

/** The domain that a mailbox is looked for in: '' without virtdomains and for `defaultdomain`. */
function domainOf(config: Config, { domain }: Path): string {
  if (domain === undefined || !hasVirtualDomains(config)) return ''
  const lower = domain.toLowerCase()
  return lower === config.string('defaultdomain')?.toLowerCase() ? '' : lower
}

/** A & that does not begin modified UTF-7 stands for itself. */
function encodeAmpersand(part: string): string {
  return /&[A-Za-z0-9+,]*-/.test(part) ? part : part.replaceAll('&', '&-')
}

export class RecipientResolver {
  constructor(
    private readonly store: MailStore,
    private readonly config: Config,
  ) {}

  /**
   * RCPT: whether mail for a recipient may be taken at all. A user's INBOX decides for all their folders.
   * @param size of the message as announced, bytes
   * @param sender AUTH= of MAIL
   * @returns the mailbox that decided
   * @throws {MailboxGoneError} unknown, {NotPermittedError}, {OverQuotaError}
   */
  verify(recipient: Recipient, size: number, sender: string | undefined): MailboxHeader {
    const { inbox, folder } = recipient
    const mailbox = inbox === undefined ? this.#shared(folder!, sender) : this.store.mailbox(inbox)
    if (mailbox === undefined || !takesMail(mailbox)) throw new MailboxGoneError(inbox ?? folder!)
    this.checkQuota(recipient, mailbox, size)
    return mailbox
  }

  /**
   * DATA: the mailboxes to be tried, best first: the folder, then the INBOX.
   * @throws {MailboxGoneError} if there is none any more, {NotPermittedError}
   */
  targets({ inbox, folder }: Recipient, sender: string | undefined): MailboxHeader[] {
    if (inbox === undefined) return [this.#shared(folder!, sender)]
    const targets: MailboxHeader[] = []
    if (folder !== undefined) {
      const found = this.store.mailbox(folder) ?? this.#fuzzy(folder, inbox)
      if (found !== undefined && takesMail(found) && rightsOf(found, sender ?? ANYBODY, false).has('p'))
        targets.push(found)
    }
    const own = this.store.mailbox(inbox)
    if (own !== undefined) targets.push(own)
    if (targets.length === 0) throw new MailboxGoneError(inbox)
    return targets
  }

  /**
   * Without lmtp_strict_quota one message may go over the limit.
   * @throws {OverQuotaError}
   */
  checkQuota({ ignoreQuota }: Recipient, mailbox: MailboxHeader, size: number): void {
    if (ignoreQuota) return
    const strict = this.config.switch('lmtp_strict_quota')
    checkQuota(this.store, mailbox.name, strict ? size : 0, strict ? 1 : 0)
  }

  #shared(name: string, sender: string | undefined): MailboxHeader {
    const mailbox = this.store.mailbox(name) ?? this.#fuzzy(name, '')
    if (mailbox === undefined || !takesMail(mailbox) || isPersonal(mailbox.name)) throw new MailboxGoneError(name)
    const rights = rightsOf(mailbox, sender ?? ANYBODY, false)
    if (rights.has('p')) return mailbox
    // Who may not even look is not told that there is something.
    throw rights.has('l') ? new NotPermittedError(name) : new MailboxGoneError(name)
  }

  /** lmtp_fuzzy_mailbox_match: names alike but for case and - _ blank; the longest prefix of the wanted parts that exists. */
  #fuzzy(name: string, inbox: string): MailboxHeader | undefined {
    if (!this.config.switch('lmtp_fuzzy_mailbox_match')) return undefined
    const fold = (part: string): string => part.toLowerCase().replace(/[-_ ]/g, ' ')
    const wanted = name.split('.').map(fold)
    const fixed = inbox === '' ? 0 : 2
    let best: { mailbox: MailboxHeader; depth: number } | undefined
    for (const mailbox of this.store.mailboxes(inbox)) {
      if (inbox === '' && isPersonal(mailbox.name)) continue
      const parts = mailbox.name.split('.').map(fold)
      if (parts.length <= fixed || parts.length > wanted.length) continue
      if (parts.every((part, n) => part === wanted[n]) && parts.length > (best?.depth ?? fixed)) {
        best = { mailbox, depth: parts.length }
      }
    }
    return best?.mailbox
  }
}

/** Whether messages may be put there: not into deleted mailboxes nor those of other kinds. */
function takesMail({ name, mbtype }: MailboxHeader): boolean {
  return !isDeleted(name) && !/[dmri]/.test(mbtype)
}
