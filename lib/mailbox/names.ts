/**
 * Mailbox names: the internal form that the store, the log and replication use (`user.alice.Archive`, `DOMAIN!user.alice` for a user of a
 * virtual domain), and the external forms that clients see, which depend on altnamespace, unixhierarchysep, virtdomains and on who looks (an
 * administrator never has the alternative namespace, and sees domains as `user.alice@DOMAIN`).
 * Names are modified UTF-7 in both forms; this module changes separators, prefixes and domains only.
 */
import type { Config } from '../config/config.js'
import { hasVirtualDomains } from '../config/virtual_domains.js'
import { decodeMailboxUtf7, encodeMailboxUtf7 } from '../imap/mailbox_utf7.js'

/** Longest internal name, bytes, as in Cyrus. */
export const MAX_NAME = 490
/** Where delayed deletion keeps mailboxes. */
export const DELETED_PREFIX = 'DELETED'

/** An internal name as its domain, '' for none, and the rest. */
export function splitDomain(name: string): [domain: string, local: string] {
  const at = name.indexOf('!')
  return at < 0 ? ['', name] : [name.slice(0, at), name.slice(at + 1)]
}

/** The domain of a user id, '' for none. */
export function domainOf(userid: string): string {
  const at = userid.lastIndexOf('@')
  return at < 0 ? '' : userid.slice(at + 1)
}

/** What all names of a domain begin with; '' for none. */
export function domainPrefix(domain: string): string {
  return domain === '' ? '' : `${domain}!`
}

/** Owner of a personal mailbox, deleted ones included; undefined for shared ones. `^` stands for a dot of the user name. */
export function ownerOf(name: string): string | undefined {
  const [domain, local] = splitDomain(name)
  const user = /^(?:DELETED\.)?user\.([^.]+)/.exec(local)?.[1]?.replaceAll('^', '.')
  return user === undefined || domain === '' ? user : `${user}@${domain}`
}

/** Internal name of a user's INBOX. */
export function inboxOf(userid: string): string {
  const domain = domainOf(userid)
  const local = domain === '' ? userid : userid.slice(0, userid.lastIndexOf('@'))
  return `${domainPrefix(domain)}user.${local.replaceAll('.', '^')}`
}

/** Whether a name is a user's INBOX itself. */
export function isInbox(name: string): boolean {
  return /^user\.[^.]+$/.test(splitDomain(name)[1])
}

/** Whether a mailbox belongs to a user, and is not a deleted one. */
export function isPersonal(name: string): boolean {
  return splitDomain(name)[1].startsWith('user.')
}

export function isDeleted(name: string): boolean {
  return splitDomain(name)[1].startsWith(`${DELETED_PREFIX}.`)
}

/** Whether a name is one that stands for a place where mailboxes are, and can be none itself. */
export function isReserved(name: string): boolean {
  const [, local] = splitDomain(name)
  return local === 'user' || local === DELETED_PREFIX || isDeleted(name)
}

/** Under which name a mailbox is kept when it is deleted, without the time at its end. */
export function deletedName(name: string): string {
  const [domain, local] = splitDomain(name)
  return `${domainPrefix(domain)}${DELETED_PREFIX}.${local}`
}

/** The name of the mailbox above; undefined at the top, which `user` counts as. */
export function parentOf(name: string): string | undefined {
  const [domain, local] = splitDomain(name)
  const dot = local.lastIndexOf('.')
  if (dot < 0) return undefined
  const parent = local.slice(0, dot)
  return parent === 'user' || parent === DELETED_PREFIX ? undefined : domainPrefix(domain) + parent
}

/** Whether a name is that of a tree or of something in it; a domain's dots are none between levels. */
export function isWithin(name: string, tree: string): boolean {
  return name === tree || (name.startsWith(`${tree}.`) && name.indexOf('!') === tree.indexOf('!'))
}

/** Sorts names as the store lists them: what is below a mailbox directly behind it. */
export function compareNames(a: string, b: string): number {
  const [x, y] = [a, b].map((name) => {
    const [domain, local] = splitDomain(name)
    return domainPrefix(domain) + local.replaceAll('.', '\x01')
  }) as [string, string]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Characters that Cyrus forbids in the parts of names. */
const FORBIDDEN = /[%/!";<>`{|}\\]/

/**
 * What is wrong with an internal name, as a phrase; undefined if it may be used for a new mailbox.
 * No empty component, none of the characters Cyrus forbids, valid modified UTF-7, at most 490 bytes.
 */
export function nameProblem(name: string): string | undefined {
  const [domain, local] = splitDomain(name)
  if (name.length > MAX_NAME) return `longer than ${MAX_NAME} bytes`
  if (local === '' || local.split('.').some((part) => part === '')) return 'a part of it is empty'
  if (/[^\x20-\x7e]/.test(local)) return 'it has characters outside modified UTF-7'
  if (FORBIDDEN.test(local) || local.startsWith('~')) return 'it has a character that mailbox names may not have'
  if (!/^(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)?$/.test(domain)) return 'its domain is none'
  try {
    decodeMailboxUtf7(local)
  } catch {
    return 'it is not valid modified UTF-7'
  }
  return undefined
}

/** Modified UTF-7 of a name in UTF-8; what is no UTF-8, or not composed (NFC, RFC 9051 §5.1), stays, and is no good name. */
function fromUtf8(external: string): string {
  const text = Buffer.from(external, 'latin1').toString('utf8')
  return text.includes('\ufffd') || text !== text.normalize('NFC') ? external : encodeMailboxUtf7(text)
}

/** UTF-8, one character a byte; a name that is no modified UTF-7 stays as it is. */
function toUtf8(name: string): string {
  if (!name.includes('&')) return name
  try {
    return Buffer.from(decodeMailboxUtf7(name)).toString('latin1')
  } catch {
    return name
  }
}

/** One client's view of names. */
export class Namespace {
  readonly separator: '/' | '.'
  /** External names are UTF-8, one character a byte, and not modified UTF-7 (RFC 6855 §3, RFC 9051 §5.1). */
  utf8 = false
  readonly #alternative: boolean
  readonly #inbox: string
  /** of the names that this client means when it gives none */
  readonly #domain: string
  /** names show their domain: `user/alice@DOMAIN` */
  readonly showsDomains: boolean
  readonly #defaultDomain: string
  /** prefixes as NAMESPACE shows them, separator at the end */
  readonly personalPrefix: string
  readonly otherPrefix: string
  readonly sharedPrefix: string

  /** @param userid whose INBOX is `INBOX` */
  constructor(
    config: Config,
    readonly userid: string,
    readonly isAdmin: boolean,
  ) {
    this.separator = config.switch('unixhierarchysep') ? '/' : '.'
    this.#alternative = config.switch('altnamespace') && !isAdmin
    this.#inbox = inboxOf(userid)
    this.#domain = domainOf(userid)
    this.showsDomains = isAdmin && hasVirtualDomains(config)
    this.#defaultDomain = (config.string('defaultdomain') ?? '').toLowerCase()
    this.personalPrefix = this.#alternative ? '' : `INBOX${this.separator}`
    this.otherPrefix = `${this.#alternative ? config.string('userprefix') : 'user'}${this.separator}`
    this.sharedPrefix = this.#alternative ? `${config.string('sharedprefix')}${this.separator}` : ''
  }

  /** Internal name of what a client wrote. Any text gives some name; whether it may exist is nameProblem's matter. */
  toInternal(external: string): string {
    return this.#toInternal(this.utf8 ? fromUtf8(external) : external)
  }

  #toInternal(external: string): string {
    const { separator } = this
    if (/^inbox$/i.test(external)) return this.#inbox
    const below = external.slice(6)
    if (external.slice(0, 6).toUpperCase() === `INBOX${separator}`) {
      return this.#alternative ? `${this.#inbox}.INBOX.${this.#inward(below)}` : `${this.#inbox}.${this.#inward(below)}`
    }
    const prefix = domainPrefix(this.#domain)
    if (!this.#alternative) return this.#withDomain(external, prefix)
    // the prefixes themselves are no folders of one's own: they would hide what stands below them
    if (external === this.otherPrefix.slice(0, -1)) return `${prefix}user`
    if (external === this.sharedPrefix.slice(0, -1)) return prefix
    if (external.startsWith(this.otherPrefix))
      return `${prefix}user.${this.#inward(external.slice(this.otherPrefix.length))}`
    if (external.startsWith(this.sharedPrefix)) return prefix + this.#inward(external.slice(this.sharedPrefix.length))
    return `${this.#inbox}.${this.#inward(external)}`
  }

  /** `user/alice/sub@DOMAIN` of an administrator. */
  #withDomain(external: string, prefix: string): string {
    const at = this.showsDomains ? external.lastIndexOf('@') : -1
    if (at < 0) return prefix + this.#inward(external)
    const domain = external.slice(at + 1).toLowerCase()
    return domainPrefix(domain === this.#defaultDomain ? '' : domain) + this.#inward(external.slice(0, at))
  }

  /** Internal name of what stands below INBOX for this client: INBOX itself, or with the alternative namespace a folder of its name. */
  get belowInbox(): string {
    return this.#alternative ? `${this.#inbox}.INBOX` : this.#inbox
  }

  /** Whether a name is of the client's own domain; those of others are not for users to see. */
  isOwnDomain(internal: string): boolean {
    return splitDomain(internal)[0] === this.#domain
  }

  /** What a client sees for an internal name. */
  toExternal(internal: string): string {
    const name = this.#toExternal(internal)
    return this.utf8 ? toUtf8(name) : name
  }

  #toExternal(internal: string): string {
    if (internal === this.#inbox) return 'INBOX'
    if (internal.startsWith(`${this.#inbox}.`)) {
      return `${this.personalPrefix}${this.#outward(internal.slice(this.#inbox.length + 1))}`
    }
    const [domain, local] = splitDomain(internal)
    const shown = this.showsDomains && domain !== '' ? `@${domain}` : ''
    if (local.startsWith('user.') && this.#alternative) return `${this.otherPrefix}${this.#outward(local.slice(5))}`
    if (local.startsWith('user.')) return this.#outward(local) + shown
    return `${this.sharedPrefix}${this.#outward(local)}${shown}`
  }

  #inward(text: string): string {
    // with / for a separator ^ stands for a dot inside, and is no character of names
    return this.separator === '/' ? text.replaceAll('^', '\x7f').replaceAll('.', '^').replaceAll('/', '.') : text
  }

  #outward(text: string): string {
    return this.separator === '/' ? text.replaceAll('.', '/').replaceAll('^', '.') : text
  }
}
