/** Of which mailboxes a client wants to hear what (RFC 5465 §6), the selected one apart. */
import { type EventGroup, MESSAGE_EVENTS, type NotifyEvent } from '../../../lib/imap/notify_arguments.js'
import { inboxOf, isDeleted, isWithin } from '../../../lib/mailbox/names.js'
import type { MailboxHeader } from '../../../lib/store/store.js'
import { type Pace, pauseIfLong } from '../pace.js'
import type { Session } from '../session.js'
import { visibleMailboxes } from '../visible_mailboxes.js'

/** A group with its names as the server knows them. */
interface Group extends Pick<EventGroup, 'filter' | 'events'> {
  /** internal names of `mailboxes` */
  readonly internal: ReadonlySet<string>
  /** external names of `subtree` */
  readonly trees: readonly string[]
}

function hasMessageEvents({ events }: Pick<EventGroup, 'events'>): boolean {
  return [...events].some((event) => MESSAGE_EVENTS.has(event))
}

export class Interests {
  readonly #groups: readonly Group[]
  readonly #own: string
  /** Whether ServerMetadataChange is wanted. */
  readonly ofServer: boolean
  /** Whether anything is wanted that the journal tells of. */
  readonly ofNames: boolean

  constructor(
    readonly session: Session,
    groups: readonly EventGroup[],
  ) {
    const namespace = session.namespace!
    this.#own = inboxOf(session.user!)
    this.#groups = groups
      .filter(({ filter, events }) => !filter.startsWith('selected') && events.size > 0)
      .map(({ filter, names, events }) => ({
        filter,
        events,
        internal: new Set(filter === 'mailboxes' ? names.map((name) => namespace.toInternal(name)) : []),
        trees: filter === 'subtree' ? names.map((name) => canonical(name, namespace.separator)) : [],
      }))
    this.ofServer = this.#groups.some(({ events }) => events.has('ServerMetadataChange'))
    this.ofNames = this.#groups.length > 0
  }

  /** What is wanted of a mailbox by its internal name, whether there is one or not. */
  eventsOf(name: string): ReadonlySet<NotifyEvent> {
    const found = new Set<NotifyEvent>()
    for (const group of this.#groups) if (this.#matches(group, name)) for (const event of group.events) found.add(event)
    return found
  }

  #matches({ filter, internal, trees }: Group, name: string): boolean {
    const { session } = this
    if (isDeleted(name)) return internal.has(name)
    if (filter === 'subscribed') return session.imapd.store.isSubscribed(session.user!, name)
    if (filter === 'mailboxes') return internal.has(name)
    // whatever is personal may be delivered to: scripts and addresses with a folder in them name any of it
    if (filter !== 'subtree') return isWithin(name, this.#own)
    const namespace = session.namespace!
    const external = namespace.toExternal(name)
    return trees.some((tree) => external === tree || external.startsWith(tree + namespace.separator))
  }

  /** Mailboxes of which messages are wanted, as far as they exist and the groups name them; some more than once. */
  async *mailboxes(): AsyncIterable<MailboxHeader> {
    const { session } = this
    const { store } = session.imapd
    const pace: Pace = { since: performance.now() }
    for (const group of this.#groups.filter(hasMessageEvents)) {
      if (group.filter === 'subtree') {
        for (const prefix of group.trees)
          for await (const { header } of visibleMailboxes(session, { prefix })) yield header
        continue
      }
      const names =
        group.filter === 'subscribed'
          ? [...store.subscriptions(session.user!)]
          : group.filter === 'mailboxes'
            ? group.internal
            : await this.#personal(pace)
      for (const name of names) {
        const header = store.mailbox(name)
        if (header !== undefined) yield header
        const pause = pauseIfLong(session.connection, pace)
        if (pause) await pause
      }
    }
  }

  async #personal(pace: Pace): Promise<string[]> {
    const { connection, imapd } = this.session
    const names: string[] = []
    for (let from: string | undefined = ''; from !== undefined; ) {
      const page = imapd.store.mailboxPage(from, this.#own)
      names.push(...page.found.map(({ name }) => name))
      from = page.next
      const pause = pauseIfLong(connection, pace)
      if (pause) await pause
    }
    return names
  }
}

/** A client's name of a tree as it is compared: without a separator at its end, INBOX in capitals. */
function canonical(name: string, separator: string): string {
  const tree = name.endsWith(separator) ? name.slice(0, -1) : name
  return tree.slice(0, 6).toUpperCase() === `INBOX${separator}` ? `INBOX${tree.slice(5)}` : tree
}
