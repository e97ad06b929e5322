/**
 * The mailboxes that a user may see, in the order of LIST: their own, other users', shared ones, and for administrators deleted ones. Looks
 * only where there can be some: at the user's own tree and where ACLs name them, unless the user is an administrator.
 */
import type { ListPattern } from '../../lib/imap/list_pattern.js'
import {
  compareNames,
  DELETED_PREFIX,
  domainOf,
  domainPrefix,
  inboxOf,
  isDeleted,
  isPersonal,
  isWithin,
  splitDomain,
} from '../../lib/mailbox/names.js'
import { groupsOf } from '../../lib/os/groups.js'
import { nameKey } from '../../lib/store/keys.js'
import { type Found, visible } from './mailboxes.js'
import { type Pace, pauseIfLong } from './pace.js'
import type { Session } from './session.js'

/** A mailbox as its user sees it. */
export interface VisibleMailbox extends Found {
  /** its name for the client */
  readonly external: string
}

type Listed = { readonly name: string; readonly id: number }

/** Internal name of the level at and below which all that begins with an external text stands; '' if that cannot be told. */
function levelOf(session: Session, prefix: string): string {
  const namespace = session.namespace!
  const end = prefix.lastIndexOf(namespace.separator)
  // a domain that is shown stands at the end of a name, so its beginning tells nothing
  return end <= 0 || namespace.showsDomains ? '' : namespace.toInternal(prefix.slice(0, end))
}

/** Mailboxes of a sorted list, page by page, but for those that are passed over. @param jump where to go on behind a name that is not wanted */
async function* pages(
  session: Session,
  prefix: string,
  identifier: string | undefined,
  jump: (name: string) => string | undefined = () => undefined,
): AsyncIterable<Listed> {
  const { store } = session.imapd
  const pace: Pace = { since: performance.now() }
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page = store.mailboxPage(from, prefix, identifier)
    from = page.next
    for (const listed of page.found) {
      const next = jump(listed.name)
      if (next !== undefined) {
        from = next
        break
      }
      yield listed
    }
    const pause = pauseIfLong(session.connection, pace)
    if (pause) await pause
  }
}

/** Passes over whole trees, and over other domains. @param trees internal names @param domain '' for none */
function without(trees: readonly string[], domain: string): (name: string) => string | undefined {
  return (name) => {
    const tree = trees.find((each) => isWithin(name, each))
    // to where that tree ends: byte 1 stands for the separator in keys
    if (tree !== undefined) return `${nameKey(tree)}\x02`
    const other = splitDomain(name)[0]
    return other === domain ? undefined : `${other}!\uffff`
  }
}

/** Two sorted lists as one, what is in both once. */
async function* merged(a: AsyncIterable<Listed>, b: AsyncIterable<Listed>): AsyncIterable<Listed> {
  const [left, right] = [a[Symbol.asyncIterator](), b[Symbol.asyncIterator]()]
  let [x, y] = [await left.next(), await right.next()]
  while (!x.done || !y.done) {
    const order = x.done ? 1 : y.done ? -1 : compareNames(x.value.name, y.value.name)
    yield order <= 0 ? x.value : y.value
    if (order <= 0) x = await left.next()
    if (order >= 0) y = await right.next()
  }
}

/**
 * What the user may see of the mailboxes whose names begin as the pattern does, and of their parents; the caller matches. A parent comes
 * before what is below it.
 */
export async function* visibleMailboxes(
  session: Session,
  pattern: Pick<ListPattern, 'prefix'>,
): AsyncIterable<VisibleMailbox> {
  const { store } = session.imapd
  const namespace = session.namespace!
  const { prefix } = pattern
  const { personalPrefix } = namespace
  const own = inboxOf(session.user!)
  const level = levelOf(session, prefix)
  const shown = (id: number): VisibleMailbox | undefined => {
    const header = store.mailboxById(id)
    const found = header && visible(session, header)
    return found && { ...found, external: namespace.toExternal(found.header.name) }
  }
  const list = async function* (
    listed: AsyncIterable<Listed>,
    isWanted: (name: string) => boolean = () => true,
  ): AsyncIterable<VisibleMailbox> {
    for await (const { id, name } of listed) {
      const found = isWanted(name) ? shown(id) : undefined
      if (found) yield found
    }
  }
  if (level === '' || isWithin(level, own) || isWithin(own, level)) {
    const below = namespace.belowInbox
    if (below === own) {
      yield* list(pages(session, own, undefined))
    } else {
      // what is below INBOX for the client stands deeper in the store, and comes right behind it
      const inbox = store.mailbox(own)
      const found = inbox && shown(inbox.id)
      if (found) yield found
      yield* list(pages(session, below, undefined), (name) => name !== below)
      yield* list(pages(session, own, undefined, without([below], domainOf(session.user!))), (name) => name !== own)
    }
  }
  const isPersonalPrefix = prefix === 'INBOX' || (personalPrefix !== '' && prefix.startsWith(personalPrefix))
  if (isPersonalPrefix || isWithin(level, own)) return
  // for the client names of users stand before all others, and deleted ones at the end
  if (namespace.showsDomains) {
    // each domain has all of these: three walks over the names
    const walk = (isWanted: (name: string) => boolean) =>
      list(pages(session, '', undefined), (name) => !isWithin(name, own) && isWanted(name))
    yield* walk(isPersonal)
    yield* walk((name) => !isPersonal(name) && !isDeleted(name))
    yield* walk(isDeleted)
    return
  }
  const domain = domainOf(session.user!)
  const at = domainPrefix(domain)
  const others = (tree: string, ...trees: string[]): AsyncIterable<VisibleMailbox> => {
    const jump = without(trees, domain)
    if (session.isAdmin) return list(pages(session, tree, undefined, jump))
    return list(
      ['anyone', ...groupsOf(session.user!).map((group) => `group:${group}`)].reduce(
        (all, identifier) => merged(all, pages(session, tree, identifier, jump)),
        pages(session, tree, session.user!, jump),
      ),
    )
  }
  const { config } = session.imapd
  const hides = (option: string): boolean => !session.isAdmin && config.switch(option)
  if (level !== '' && level !== at) {
    if (!hides(isPersonal(`${level}.`) ? 'disable_user_namespace' : 'disable_shared_namespace'))
      yield* others(level, own)
  } else {
    if (!hides('disable_user_namespace')) yield* others(`${at}user`, own)
    if (!hides('disable_shared_namespace')) yield* others(at, `${at}user`, at + DELETED_PREFIX)
    if (session.isAdmin) yield* others(at + DELETED_PREFIX)
  }
}
