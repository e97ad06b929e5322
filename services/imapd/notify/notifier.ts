/**
 * What NOTIFY (RFC 5465) has a client told of mailboxes that it has not selected, of their names, of subscriptions and of metadata.
 *
 * Nothing is queued: of a mailbox it is only remembered that it has changed, and what the client knew of it, so that it is told what is
 * true when it can be told; of names the store's journal remembers what happened. Who does not take what it is told costs nothing more. When the
 * journal has forgotten what was not told yet, or more mailboxes are to be watched than is reasonable, the client is told
 * NOTIFICATIONOVERFLOW and nothing any more.
 */
import { astring } from '../../../lib/imap/wire_text.js'
import { isDeleted, parentOf } from '../../../lib/mailbox/names.js'
import type { JournalEntry, MailboxHeader } from '../../../lib/store/store.js'
import { No } from '../errors.js'
import { childrenBelow, tellName } from '../listing.js'
import { lookUp, sees, visible } from '../mailboxes.js'
import { type Pace, pauseIfLong } from '../pace.js'
import type { Session } from '../session.js'
import { writeStatus } from '../status_items.js'
import type { Interests } from './interests.js'
import { emptyState, firstItems, type MailboxState, stateOf, statusItems } from './mailbox_state.js'

/** Mailboxes that one client can watch. */
const MOST_WATCHED = 2000

interface Watched {
  /** what the client knows */
  told: MailboxState
  readonly unwatch: () => void
}

/** What a batch of the journal comes to. */
interface Batch {
  /** internal names to be told → the name before, of renamed ones */
  readonly names: Map<string, string | undefined>
  /** renames told; what is below is not told (RFC 5465 §5.4) */
  readonly renamed: [from: string, to: string][]
  /** names of entries that changed by mailbox id, 0 for the server */
  readonly metadata: Map<number, Set<string>>
}

export class Notifier {
  readonly #watched = new Map<number, Watched>()
  readonly #changed = new Set<number>()
  /** internal names that were told as \NoAccess */
  readonly #noAccess = new Set<string>()
  /** changes that the running command makes itself, which are not told */
  readonly #own = new Set<string>()
  #journalAt: number
  #unwatchJournal: (() => void) | undefined

  /** @param wake to be called when there is something to tell */
  constructor(
    readonly session: Session,
    readonly interests: Interests,
    private readonly wake: () => void,
  ) {
    this.#journalAt = session.imapd.store.journalEnd
  }

  /**
   * Begins to watch; tells which mailboxes may not be read, and, if asked, the state of the others.
   * @throws {No} NOTIFICATIONOVERFLOW
   */
  async start(status: boolean): Promise<void> {
    const { session, interests } = this
    if (!interests.ofNames) return
    this.#unwatchJournal = session.imapd.store.watchJournal(this.wake)
    const pace: Pace = { since: performance.now() }
    try {
      for await (const header of interests.mailboxes()) {
        if (this.#watched.has(header.id) || this.#noAccess.has(header.name)) continue
        this.#consider(header, stateOf(header), (name) => this.#tellName(name))
        if (status && this.#watched.has(header.id) && header.id !== session.selected?.id)
          writeStatus(session, header, firstItems(interests.eventsOf(header.name)))
        const pause = pauseIfLong(session.connection, pace)
        if (pause) await pause
      }
    } catch (error) {
      this.stop()
      throw error
    }
  }

  stop(): void {
    this.#unwatchJournal?.()
    for (const { unwatch } of this.#watched.values()) unwatch()
    this.#watched.clear()
    this.#changed.clear()
  }

  /** The running command makes a change that need not be told (RFC 5465 §5). @param what as `changeKey` */
  causes(...what: string[]): void {
    for (const each of what) this.#own.add(each)
  }

  /** Messages that a command has put into a mailbox need not be told, unless others came with them. */
  added(id: number, count: number): void {
    const watched = this.#watched.get(id)
    const header = this.session.imapd.store.mailboxById(id)
    if (!watched || header?.uidvalidity !== watched.told.uidvalidity) return
    if (header.exists === watched.told.exists + count && header.lastUid === watched.told.lastUid + count)
      watched.told = stateOf(header)
  }

  /** A mailbox is no longer selected: what the client knows of it is what it was told. */
  left(header: MailboxHeader, exists: number): void {
    const watched = this.#watched.get(header.id)
    if (!watched) return
    watched.told = { ...stateOf(header), exists }
    this.#changed.add(header.id)
  }

  /** Tells what there is to tell. @returns false when the client is told nothing more: too much has happened */
  async tell(): Promise<boolean> {
    const { session } = this
    const pace: Pace = { since: performance.now() }
    try {
      if (this.interests.ofNames && !(await this.#tellJournal(pace))) return false
      for (const id of this.#changed) {
        this.#changed.delete(id)
        this.#tellStatus(id)
        const pause = pauseIfLong(session.connection, pace)
        if (pause) await pause
      }
      return true
    } catch (error) {
      if (!(error instanceof No)) throw error
      return false
    } finally {
      this.#own.clear()
    }
  }

  /**
   * Watches a mailbox, or no longer does, as is wanted and allowed now.
   * @param known what the client knows of it
   * @param tell told of a name that cannot be watched, or now can
   */
  #consider(header: MailboxHeader, known: MailboxState, tell: (name: string) => void): void {
    const { id, name } = header
    const events = this.interests.eventsOf(name)
    const isWanted = events.has('MessageNew')
    const found = isWanted ? visible(this.session, header) : undefined
    const mayRead = found?.rights.has('r') ?? false
    const watched = this.#watched.get(id)
    if (mayRead && !watched) this.#watch(id, known)
    else if (!mayRead && watched) this.#unwatch(id)
    if (mayRead && this.#noAccess.delete(name)) tell(name)
    // who cannot even see it any more is told so as of a name, if names are wanted
    const isLost = watched !== undefined && !events.has('MailboxName')
    if (!found && !isLost) this.#noAccess.delete(name)
    else if (isWanted && !mayRead && !this.#noAccess.has(name)) {
      this.#noAccess.add(name)
      tell(name)
    }
  }

  #tellName(name: string, oldName?: string): void {
    tellName(this.session, name, { oldName, noAccess: this.#noAccess.has(name) })
  }

  #watch(id: number, told: MailboxState): void {
    if (this.#watched.size >= MOST_WATCHED) throw new No('[NOTIFICATIONOVERFLOW] Too many mailboxes to watch')
    const changed = (): void => {
      this.#changed.add(id)
      this.wake()
    }
    this.#watched.set(id, { told, unwatch: this.session.imapd.store.watch(id, changed) })
    this.#changed.add(id)
  }

  #unwatch(id: number): void {
    this.#watched.get(id)?.unwatch()
    this.#watched.delete(id)
    this.#changed.delete(id)
  }

  #tellStatus(id: number): void {
    const { session } = this
    const watched = this.#watched.get(id)
    const header = session.imapd.store.mailboxById(id)
    // of the selected mailbox other events are told; see `left`
    if (!watched || !header || session.selected?.id === id) return
    const now = stateOf(header)
    const items = statusItems(watched.told, now, this.interests.eventsOf(header.name), session.features)
    watched.told = now
    if (items.size > 0) writeStatus(session, header, items)
  }

  async #tellJournal(pace: Pace): Promise<boolean> {
    const { store } = this.session.imapd
    const entries = store.journalAfter(this.#journalAt)
    if (entries === undefined) return false
    this.#journalAt += entries.length
    const batch: Batch = { names: new Map(), renamed: [], metadata: new Map() }
    for (const entry of entries) {
      if (entry.kind === 'mailbox') this.#nameChanged(entry, batch)
      else if (entry.kind === 'subscription') this.#subscriptionChanged(entry, batch)
      else this.#metadataChanged(entry, batch)
      const pause = pauseIfLong(this.session.connection, pace)
      if (pause) await pause
    }
    for (const [name, oldName] of batch.names) this.#tellName(name, oldName)
    for (const [id, entries] of batch.metadata) this.#tellMetadata(id, entries)
    return true
  }

  #nameChanged({ id, mbtype, before, after }: JournalEntry & { kind: 'mailbox' }, batch: Batch): void {
    const { session, interests } = this
    const was = before && !isDeleted(before.name) && sees(session, { ...before, mbtype }) ? before.name : undefined
    const is = after && !isDeleted(after.name) && sees(session, { ...after, mbtype }) ? after.name : undefined
    const isWanted = [was, is].some((name) => name !== undefined && interests.eventsOf(name).has('MailboxName'))
    const isOwn = [was, is].some((name) => name !== undefined && this.#own.has(changeKey('mailbox', name)))
    if (isWanted && !isOwn && was !== is) {
      if (was !== undefined && is !== undefined) this.#renamed(was, is, batch)
      else this.#appearedOrGone((is ?? was)!, batch)
    }
    const header = session.imapd.store.mailboxById(id)
    if (!header) this.#unwatch(id)
    else this.#consider(header, was === undefined && !isOwn ? emptyState(header) : stateOf(header), addTo(batch))
  }

  #renamed(from: string, to: string, { names, renamed }: Batch): void {
    const isBelow = renamed.some(([was, is]) => from.startsWith(`${was}.`) && to === is + from.slice(was.length))
    renamed.push([from, to])
    if (!isBelow) names.set(to, from)
  }

  /** A name and the one above it, if that has its first child now, or none any more. */
  #appearedOrGone(name: string, batch: Batch): void {
    addTo(batch)(name)
    const parent = parentOf(name)
    if (parent === undefined || !lookUp(this.session, parent)) return
    let others = false
    for (const child of childrenBelow(this.session, parent)) {
      if (child !== name) others = true
      if (others) break
    }
    if (!others && this.interests.eventsOf(parent).has('MailboxName')) addTo(batch)(parent)
  }

  #subscriptionChanged({ userid, name }: JournalEntry & { kind: 'subscription' }, batch: Batch): void {
    if (userid !== this.session.user) return
    const header = this.session.imapd.store.mailbox(name)
    if (header) this.#consider(header, stateOf(header), addTo(batch))
    if (this.#own.has(changeKey('subscription', name))) return
    if (this.interests.eventsOf(name).has('SubscriptionChange')) addTo(batch)(name)
  }

  #metadataChanged({ id, entry, userid }: JournalEntry & { kind: 'annotation' }, { metadata }: Batch): void {
    const { session, interests } = this
    if (userid !== '' && userid !== session.user) return
    const name = `${userid === '' ? '/shared' : '/private'}${entry}`
    const header = id === 0 ? undefined : session.imapd.store.mailboxById(id)
    if (this.#own.has(changeKey('metadata', `${header?.name ?? ''} ${name}`))) return
    if (id === 0 ? !interests.ofServer : !header || !interests.eventsOf(header.name).has('MailboxMetadataChange'))
      return
    if (header && !visible(session, header)?.rights.has('r')) return
    const entries = metadata.get(id) ?? new Set()
    metadata.set(id, entries.add(name))
  }

  /** `METADATA INBOX /shared/comment` (RFC 5464 §4.4.2). */
  #tellMetadata(id: number, entries: ReadonlySet<string>): void {
    const header = id === 0 ? undefined : this.session.imapd.store.mailboxById(id)
    if (id !== 0 && !header) return
    const mailbox = header ? astring(this.session.namespace!.toExternal(header.name)) : '""'
    this.session.reply.untagged(`METADATA ${mailbox} ${[...entries].map(astring).join(' ')}`)
  }
}

/** Has a name told, once. */
function addTo({ names }: Batch): (name: string) => void {
  return (name) => {
    if (!names.has(name)) names.set(name, undefined)
  }
}

/** A change that a command makes, as `Notifier.causes` takes it. @param what internal name; of metadata with the entry's name behind */
export function changeKey(kind: 'mailbox' | 'subscription' | 'metadata', what: string): string {
  return `${kind} ${what}`
}
