/**
 * Mailbox names: the internal form that the store, the log and replication use (`user.alice.Archive`), and the external forms that
 * clients see, which depend on altnamespace, unixhierarchysep and on who looks (an administrator never has the alternative namespace).
 * Names are modified UTF-7 in both forms; this module changes separators and prefixes only.
 */
import type { Config } from '../config/config.js'

/** Longest internal name, bytes, as in Cyrus. */
export const MAX_NAME = 490
/** Where delayed deletion keeps mailboxes. */
export const DELETED_PREFIX = 'DELETED'

/** Owner of a personal mailbox, `DELETED.user.…` included; undefined for shared ones. `^` stands for a dot of the user name. */
export function ownerOf(name: string): string | undefined {
  const match = /^(?:DELETED\.)?user\.([^.]+)/.exec(name)
  return match?.[1]?.replaceAll('^', '.')
}

/** Internal name of a user's INBOX. */
export function inboxOf(userid: string): string {
  return `user.${userid.replaceAll('.', '^')}`
}

/** Whether a name is a user's INBOX itself. */
export function isInbox(name: string): boolean {
  return /^user\.[^.]+$/.test(name)
}

export function isDeleted(name: string): boolean {
  return name.startsWith(`${DELETED_PREFIX}.`)
}

/** The name of the mailbox above; undefined at the top, which `user` counts as. */
export function parentOf(name: string): string | undefined {
  const dot = name.lastIndexOf('.')
  if (dot < 0) return undefined
  const parent = name.slice(0, dot)
  return parent === 'user' || parent === DELETED_PREFIX ? undefined : parent
}

/**
 * What is wrong with an internal name, as a phrase; undefined if it may be used for a new mailbox.
 * No empty component, none of the characters Cyrus forbids, valid modified UTF-7, at most 490 bytes.
 */
export function nameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME) return `longer than ${MAX_NAME} bytes`
  if (name === '' || name.split('.').some((part) => part === '')) return 'a part of it is empty'
  if (/[^\x20-\x7e]/.test(name)) return 'it has characters outside modified UTF-7'
  if (/[%*/\\"]/.test(name) || name.startsWith('~')) return 'it has a character that mailbox names may not have'
  if (!/^(?:[^&]|&(?:[A-Za-z0-9+,]+|)-)*$/.test(name)) return 'it is not valid modified UTF-7'
  return undefined
}

/** One client's view of names. */
export class Namespace {
  readonly separator: '/' | '.'
  readonly #alternative: boolean
  readonly #inbox: string
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
    this.personalPrefix = this.#alternative ? '' : `INBOX${this.separator}`
    this.otherPrefix = `${this.#alternative ? config.string('userprefix') : 'user'}${this.separator}`
    this.sharedPrefix = this.#alternative ? `${config.string('sharedprefix')}${this.separator}` : ''
  }

  /** Internal name of what a client wrote. Any text gives some name; whether it may exist is nameProblem's matter. */
  toInternal(external: string): string {
    const { separator } = this
    const inbox = /^inbox$/i.test(external)
    if (inbox) return this.#inbox
    const below = external.slice(6)
    if (external.slice(0, 6).toUpperCase() === `INBOX${separator}`) {
      return this.#alternative ? `${this.#inbox}.INBOX.${this.#inward(below)}` : `${this.#inbox}.${this.#inward(below)}`
    }
    if (!this.#alternative) return this.#inward(external)
    // the prefixes themselves are no folders of one's own: they would hide what stands below them
    if (external === this.otherPrefix.slice(0, -1)) return 'user'
    if (external === this.sharedPrefix.slice(0, -1)) return ''
    if (external.startsWith(this.otherPrefix)) return `user.${this.#inward(external.slice(this.otherPrefix.length))}`
    if (external.startsWith(this.sharedPrefix)) return this.#inward(external.slice(this.sharedPrefix.length))
    return `${this.#inbox}.${this.#inward(external)}`
  }

  /** What a client sees for an internal name. */
  toExternal(internal: string): string {
    if (internal === this.#inbox) return 'INBOX'
    if (internal.startsWith(`${this.#inbox}.`)) {
      return `${this.personalPrefix}${this.#outward(internal.slice(this.#inbox.length + 1))}`
    }
    if (internal.startsWith('user.') && this.#alternative)
      return `${this.otherPrefix}${this.#outward(internal.slice(5))}`
    if (internal.startsWith('user.')) return this.#outward(internal)
    return `${this.sharedPrefix}${this.#outward(internal)}`
  }

  #inward(text: string): string {
    return this.separator === '/' ? text.replaceAll('.', '^').replaceAll('/', '.') : text
  }

  #outward(text: string): string {
    return this.separator === '/' ? text.replaceAll('.', '/').replaceAll('^', '.') : text
  }
}
