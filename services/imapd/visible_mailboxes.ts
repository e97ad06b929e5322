/**
 * The mailboxes that a user may see, in the order of LIST: their own, other users', shared ones, and for administrators deleted ones. Looks
 * only where there can be some: at the user's own tree and where ACLs name them, unless the user is an administrator.
 */
import type { ListPattern } from '../../lib/imap/list_pattern.js'
import { DELETED_PREFIX, inboxOf } from '../../lib/mailbox/names.js'
import { type Found, visible } from './mailboxes.js'
import { type Pace, pauseIfLong } from './pace.js'
import type { Session } from './session.js'

/** A mailbox as its user sees it. */
export interface VisibleMailbox extends Found {
  /** its name for the client */
  readonly external: string
}

type Listed = { readonly name: string; readonly id: number }

const isWithin = (name: string, tree: string): boolean => name === tree || name.startsWith(`${tree}.`)

/** Internal name of the level at and below which all that begins with an external text stands; '' if that is everything. */
function levelOf(session: Session, prefix: string): string {
  const namespace = session.namespace!
  const end = prefix.lastIndexOf(namespace.separator)
  return end <= 0 ? '' : namespace.toInternal(prefix.slice(0, end))
}

/** Mailboxes of a sorted list, page by page, without those in some trees. */
async function* pages(
  session: Session,
  prefix: string,
  identifier: string | undefined,
  without: readonly string[] = [],
): AsyncIterable<Listed> {
  const { store } = session.imapd
  const pace: Pace = { since: performance.now() }
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page = store.mailboxPage(from, prefix, identifier)
    from = page.next
    for (const listed of page.found) {
      const tree = without.find((each) => isWithin(listed.name, each))
      if (tree === undefined) {
        yield listed
      } else {
        // to where that tree ends: byte 1 stands for the separator
        from = `${tree}\x02`
        break
      }
    }
    const pause = pauseIfLong(session.connection, pace)
    if (pause) await pause
  }
}

/** Two sorted lists as one, what is in both once. */
async function* merged(a: AsyncIterable<Listed>, b: AsyncIterable<Listed>): AsyncIterable<Listed> {
  const key = ({ name }: Listed): string => name.replaceAll('.', '\x01')
  const [left, right] = [a[Symbol.asyncIterator](), b[Symbol.asyncIterator]()]
  let [x, y] = [await left.next(), await right.next()]
  while (!x.done || !y.done) {
    const order = x.done ? 1 : y.done ? -1 : key(x.value) < key(y.value) ? -1 : key(x.value) > key(y.value) ? 1 : 0
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
  const list = async function* (listed: AsyncIterable<Listed>): AsyncIterable<VisibleMailbox> {
    for await (const { id } of listed) {
      const found = shown(id)
      if (found) yield found
    }
  }
  if (level === '' || isWithin(level, own) || isWithin(own, level)) yield* list(pages(session, own, undefined))
  const isPersonal = prefix === 'INBOX' || (personalPrefix !== '' && prefix.startsWith(personalPrefix))
  if (isPersonal || isWithin(level, own)) return
  const others = (tree: string, without: readonly string[]): AsyncIterable<VisibleMailbox> =>
    list(
      session.isAdmin
        ? pages(session, tree, undefined, without)
        : merged(pages(session, tree, session.user!, without), pages(session, tree, 'anyone', without)),
    )
  // for the client names of users stand before all others, and deleted ones at the end
  if (level !== '') {
    yield* others(level, [own])
  } else {
    yield* others('user', [own])
    yield* others('', ['user', DELETED_PREFIX])
    if (session.isAdmin) yield* others(DELETED_PREFIX, [])
  }
}
