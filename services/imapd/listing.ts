/**
 * What LIST, LSUB and their kin answer: which names match, with which attributes (RFC 3501 §7.2.2, RFC 5258, RFC 6154), and the levels above
 * them that are no mailboxes. Names come sorted, a level before what is below it, so that one name is looked at at a time.
 */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { ListPattern } from '../../lib/imap/list_pattern.js'
import { astring } from '../../lib/imap/wire_text.js'
import { compareNames, inboxOf, isPersonal, isWithin } from '../../lib/mailbox/names.js'
import { specialUses } from '../../lib/mailbox/special_use.js'
import { type Found, lookUp, visible } from './mailboxes.js'
import { type Pace, pauseIfLong } from './pace.js'
import type { Session } from './session.js'

/** A name that may be told. */
export interface ListedName {
  readonly external: string
  readonly internal: string
  /** undefined if it exists no more, or not for this user */
  readonly found: Found | undefined
  readonly subscribed: boolean
}

/** @throws {ImapSyntaxError} */
export function parseListArguments(args: ArgumentReader): { reference: string; pattern: string } {
  args.space()
  const reference = args.astring().toString('latin1')
  args.space()
  if (args.atEnd) args.fail(`Missing required argument to ${args.command}: mailbox pattern`)
  const pattern = args.listMailbox().toString('latin1')
  args.end()
  return { reference, pattern }
}

/** Reference and pattern together; INBOX at its beginning in any case is INBOX. */
export function patternOf(reference: string, pattern: string, separator: string): string {
  const rooted = pattern.startsWith(separator) && reference.endsWith(separator) ? pattern.slice(1) : pattern
  const whole = reference + rooted
  return /^inbox(?:$|[./*%])/i.test(whole) ? `INBOX${whole.slice(5)}` : whole
}

/** Some patterns of which one must match. */
export class ListPatterns {
  readonly separator: string
  readonly #patterns: readonly ListPattern[]
  /** levels that are no mailboxes are shown when they match (RFC 3501 §6.3.8, end) */
  readonly #forLevels: readonly ListPattern[]

  /** @param session whose separator it is, and whose server may ignore references (`ignorereference`) */
  constructor(session: Session, given: string, patterns: readonly string[]) {
    const separator = session.namespace!.separator
    const reference = session.imapd.config.switch('ignorereference') ? '' : given
    this.separator = separator
    const made = patterns
      .filter((text) => text !== '')
      .map((text) => new ListPattern(patternOf(reference, text, separator), separator))
    this.#patterns = made
    this.#forLevels = made.filter((_, at) => !patterns.filter((text) => text !== '')[at]!.endsWith('*'))
  }

  /** What all matches begin with. */
  get prefix(): string {
    const [first, ...others] = this.#patterns.map(({ prefix }) => prefix)
    let common = first ?? ''
    for (const other of others) while (!other.startsWith(common)) common = common.slice(0, -1)
    return common
  }

  matches(name: string): boolean {
    return this.#patterns.some((pattern) => pattern.matches(name))
  }

  matchesLevel(name: string): boolean {
    return this.#forLevels.some((pattern) => pattern.matches(name))
  }
}

/** How names are told. */
export interface Answering {
  readonly word: 'LIST' | 'LSUB' | 'XLIST'
  readonly patterns: ListPatterns
  /** first attribute of levels that are no mailboxes; undefined where those are not told */
  readonly missing: string | undefined
  /** attributes of a name, without those of children */
  attributes(name: ListedName): string[]
  /** whether a name has something below it, or undefined where that is not told @param next the name that comes after it */
  hasChildren(name: ListedName, next: ListedName | undefined): boolean | undefined
  /** extended data behind a name (RFC 5258 §6), with a space before it */
  extended?(name: ListedName): string
  /** tells more of a name that was told */
  after?(name: ListedName): void
}

const FLUSH_EVERY = 500

/** Tells the names that match. */
export async function answerNames(
  session: Session,
  names: AsyncIterable<ListedName> | Iterable<ListedName>,
  { word, patterns, missing, attributes, hasChildren, extended, after }: Answering,
): Promise<void> {
  const { separator } = patterns
  let told = 0
  const tell = (list: readonly string[], name: string, extra: string): void => {
    session.reply.untagged(`${word} (${list.join(' ')}) "${separator}" ${astring(name)}${extra}`)
    told += 1
  }
  let previous = ''
  /** Levels above a name: one that were a mailbox of this list would have come just before. */
  const tellLevels = (external: string): void => {
    for (let at = external.indexOf(separator); at > 0; at = external.indexOf(separator, at + 1)) {
      const level = external.slice(0, at)
      const known = previous === level || previous.startsWith(level + separator)
      if (!known && patterns.matchesLevel(level)) tell([missing!, '\\HasChildren'], level, '')
    }
  }
  const one = (name: ListedName, next: ListedName | undefined): void => {
    if (missing !== undefined) tellLevels(name.external)
    previous = name.external
    if (!patterns.matches(name.external)) return
    const list = attributes(name)
    const children = hasChildren(name, next)
    if (children !== undefined) list.splice(childrenAt(list), 0, children ? '\\HasChildren' : '\\HasNoChildren')
    tell(list, name.external, extended?.(name) ?? '')
    if (name.found !== undefined) after?.(name)
  }
  let waiting: ListedName | undefined
  const pace: Pace = { since: performance.now() }
  for await (const name of names) {
    if (waiting !== undefined) one(waiting, name)
    waiting = name
    const pause = pauseIfLong(session.connection, pace)
    if (pause) await pause
    if (told >= FLUSH_EVERY) {
      told = 0
      await session.connection.flush()
    }
  }
  if (waiting !== undefined) one(waiting, undefined)
}

/** Attributes of children stand behind \NonExistent and \Subscribed, before what a mailbox is for. */
function childrenAt(attributes: readonly string[]): number {
  const at = attributes.findIndex((each) => each !== '\\NonExistent' && each !== '\\Subscribed')
  return at < 0 ? attributes.length : at
}

/** Uses of a mailbox for the session's user, as attributes. */
export function useAttributes(session: Session, { found }: ListedName): string[] {
  return found === undefined ? [] : specialUses(session.imapd.store, found.header, session.user!)
}

/** Whether the name that comes after another stands below it. */
export function isBelow(next: ListedName | undefined, name: ListedName, separator: string): boolean {
  return next?.external.startsWith(name.external + separator) ?? false
}

/** Names as LIST orders them: the user's own, other users', shared ones; each in the order of the store. */
export function inListOrder(session: Session, names: readonly ListedName[]): ListedName[] {
  const own = inboxOf(session.user!)
  const group = ({ internal }: ListedName): number => (isWithin(internal, own) ? 0 : isPersonal(internal) ? 1 : 2)
  return [...names].sort((a, b) => group(a) - group(b) || compareNames(a.internal, b.internal))
}

/** What a user has subscribed, whether it exists or not. */
export function subscribedNames(session: Session): ListedName[] {
  const { store } = session.imapd
  const names = [...store.subscriptions(session.user!)].map((internal): ListedName => {
    const external = session.namespace!.toExternal(internal)
    return { internal, external, found: lookUp(session, internal), subscribed: true }
  })
  return inListOrder(session, names)
}

/** Internal names of what the user may see below a mailbox. */
export function* childrenBelow(session: Session, internal: string): Iterable<string> {
  // what is below INBOX for the client may stand deeper in the store
  const tree = internal === inboxOf(session.user!) ? session.namespace!.belowInbox : internal
  for (const header of session.imapd.store.mailboxes(tree))
    if (header.name !== internal && header.name !== tree && visible(session, header)) yield header.name
}

/** Whether the user may see something below a name. */
export function hasVisibleChild(session: Session, internal: string): boolean {
  for (const _ of childrenBelow(session, internal)) return true
  return false
}

/** Tells one name as LIST would now, whether it exists or not. @param more what it was called before; that the user may not read it */
export function tellName(
  session: Session,
  internal: string,
  { oldName, noAccess = false }: { oldName?: string | undefined; noAccess?: boolean } = {},
): void {
  const namespace = session.namespace!
  const found = lookUp(session, internal)
  const subscribed = session.imapd.store.isSubscribed(session.user!, internal)
  const name: ListedName = { external: namespace.toExternal(internal), internal, found, subscribed }
  const children = hasVisibleChild(session, internal)
  const attributes = [
    ...(noAccess ? ['\\NoAccess'] : found ? [] : ['\\NonExistent']),
    ...(subscribed ? ['\\Subscribed'] : []),
    ...(children ? ['\\HasChildren'] : found ? ['\\HasNoChildren'] : []),
    ...useAttributes(session, name),
  ]
  const old = oldName === undefined ? '' : ` ("OLDNAME" (${astring(namespace.toExternal(oldName))}))`
  session.reply.untagged(`LIST (${attributes.join(' ')}) "${namespace.separator}" ${astring(name.external)}${old}`)
}
