/**
 * A search whose results are kept up to date for the client (RFC 5267 §4.3): what comes to belong to them is told with ADDTO, what no longer does
 * with REMOVEFROM. Only messages that have changed are looked at again.
 */
import type { FetchRequest } from '../../../lib/imap/fetch_items.js'
import type { SearchKey } from '../../../lib/imap/search_keys.js'
import { formatNumbers } from '../../../lib/imap/sequence_set.js'
import type { SortCriterion } from '../../../lib/imap/sort_criteria.js'
import { difference, type UidRanges, union } from '../../../lib/mailbox/uid_set.js'
import type { MailboxIndex } from '../../../lib/store/store.js'
import { tellMessages } from '../commands/fetch.js'
import type { Reply } from '../reply.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'
import { sortPositions } from '../sort/order.js'
import { changedRows, expungedBetween, lowerBound } from '../views.js'
import { searchMessages } from './run.js'

/** Searches that one client can have kept up to date. */
export const MOST_CONTEXTS = 16
/** Results that are kept in the order of a SORT: they are sorted anew with each change. */
export const MOST_SORTED = 20_000

/** What a message's place in the order may change with. */
const MUTABLE = new Set(['MODSEQ', 'ANNOTATION'])

export interface ContextOptions {
  readonly tag: string
  /** the command was a UID one */
  readonly uid: boolean
  /** with fixed numbers (fixed_numbers.ts) */
  readonly key: SearchKey
  /** undefined for SEARCH */
  readonly criteria: readonly SortCriterion[] | undefined
  /** what is told of messages that come to the mailbox and belong to the results (RFC 5465 §7) */
  readonly attributes: FetchRequest | undefined
}

export class SearchContext {
  readonly tag: string
  /** UIDs of the results in their order */
  #results: Uint32Array
  #members: ReadonlySet<number> | undefined
  /** the snapshot of which the results are */
  #index: MailboxIndex
  /** what a guest had read then */
  #seen: UidRanges | undefined
  /** highest UID that was looked at */
  #lastUid: number

  /** @param positions the results (sequence number less one), in their order */
  constructor(
    readonly options: ContextOptions,
    private readonly selected: Selected,
    positions: readonly number[],
  ) {
    this.tag = options.tag
    this.#index = selected.index
    this.#seen = selected.guestSeen
    this.#lastUid = selected.view.at(-1) ?? 0
    this.#results = Uint32Array.from(positions, (position) => selected.view[position]!)
  }

  /** Tells of results that are expunged; to be called before the client is told of that, when their numbers are still right. */
  tellExpunged(reply: Reply): void {
    const { view, index } = this.selected
    const { gone } = expungedBetween(view, index.visibleUids)
    if (gone.length === 0) return
    const removed = new Set(gone.map((sequence) => view[sequence - 1]!).filter((uid) => this.#has(uid)))
    if (removed.size === 0) return
    this.#tell(reply, this.#remove(removed))
  }

  /** Tells what has come to belong to the results, and what no longer does, by the changes that the client knows of. */
  async update(session: Session): Promise<void> {
    const { selected } = this
    const { view, index } = selected
    const candidates = this.#candidates()
    const known = this.#lastUid
    this.#index = index
    this.#seen = selected.guestSeen
    this.#lastUid = view.at(-1) ?? known
    if (candidates.length === 0) return
    const { uid, tag, key } = this.options
    const found = await searchMessages({ session, uid, tag }, selected, key, [], candidates)
    const matching = new Set(found.map((position) => view[position]!))
    const isMutable = this.options.criteria?.some(({ key }) => MUTABLE.has(key)) ?? false
    const changed = candidates.map((position) => view[position]!)
    const removed = new Set(changed.filter((uid) => this.#has(uid) && (isMutable || !matching.has(uid))))
    const added = new Set(changed.filter((uid) => matching.has(uid) && (!this.#has(uid) || removed.has(uid))))
    const items = removed.size > 0 ? this.#remove(removed) : []
    if (added.size > 0) {
      await this.#tellNew(
        session,
        [...added].filter((each) => each > known),
      )
      items.push(...(await this.#add(session, added)))
    }
    this.#tell(session.reply, items)
  }

  /** Positions of messages that have changed, or come, since the results were right. */
  #candidates(): number[] {
    const { view, index, guestSeen } = this.selected
    const found: number[] = []
    const add = (uid: number): void => {
      const sequence = uid <= this.#lastUid ? this.selected.sequenceOf(uid) : 0
      if (sequence > 0) found.push(sequence - 1)
    }
    if (index !== this.#index) for (const row of changedRows(this.#index, index)) add(index.uid(row))
    const [before, now] = [this.#seen ?? [], guestSeen ?? []]
    if (now !== before)
      for (const [first, last] of union(difference(now, before), difference(before, now)))
        for (let at = lowerBound(view, first); view[at]! <= last; at += 1) add(view[at]!)
    for (let at = lowerBound(view, this.#lastUid + 1); at < view.length; at += 1) found.push(at)
    return found
  }

  #has(uid: number): boolean {
    if (this.options.criteria === undefined) return this.#results[lowerBound(this.#results, uid)] === uid
    this.#members ??= new Set(this.#results)
    return this.#members.has(uid)
  }

  #number(uid: number): number {
    return this.options.uid ? uid : this.selected.sequenceOf(uid)
  }

  #set(uids: Iterable<number>): string {
    return formatNumbers(Array.from(uids, (uid) => this.#number(uid)))
  }

  #become(results: Uint32Array): void {
    this.#results = results
    this.#members = undefined
  }

  /** @returns what is to be told */
  #remove(removed: ReadonlySet<number>): string[] {
    const before = this.#results
    this.#become(before.filter((uid) => !removed.has(uid)))
    if (this.options.criteria === undefined) return [`REMOVEFROM (0 ${this.#set([...removed].sort((a, b) => a - b))})`]
    // from the end, so that places before stay what they are
    return [
      `REMOVEFROM (${runs(before, removed)
        .reverse()
        .map(({ at, uids }) => `${at} ${this.#set(uids)}`)
        .join(' ')})`,
    ]
  }

  async #add(session: Session, added: ReadonlySet<number>): Promise<string[]> {
    const { criteria } = this.options
    const kept = this.#results
    const all = Uint32Array.from([...kept, ...added])
    if (criteria === undefined) {
      this.#become(all.sort())
      return [`ADDTO (0 ${this.#set([...added].sort((a, b) => a - b))})`]
    }
    const positions = Array.from(all, (uid) => this.selected.sequenceOf(uid) - 1).sort((a, b) => a - b)
    const ordered = await sortPositions(session, this.selected, positions, criteria)
    const sorted = Uint32Array.from(ordered, (position) => this.selected.view[position]!)
    this.#become(sorted)
    return [
      `ADDTO (${runs(sorted, added)
        .map(({ at, uids }) => `${at} ${this.#set(uids)}`)
        .join(' ')})`,
    ]
  }

  async #tellNew(session: Session, uids: readonly number[]): Promise<void> {
    const { attributes } = this.options
    if (!attributes || uids.length === 0) return
    const ranges = uids.map((uid) => {
      const first = this.selected.sequenceOf(uid) - 1
      return { first, end: first + 1 }
    })
    await tellMessages(session, this.selected, attributes, ranges)
  }

  #tell(reply: Reply, items: readonly string[]): void {
    if (items.length === 0) return
    reply.untagged(`ESEARCH (TAG "${this.tag}")${this.options.uid ? ' UID' : ''} ${items.join(' ')}`)
  }
}

/** Where in an order some of it stand together: the place of the first, counted from 1, and those there. */
function runs(order: Uint32Array, some: ReadonlySet<number>): { at: number; uids: number[] }[] {
  const found: { at: number; uids: number[] }[] = []
  order.forEach((uid, n) => {
    if (!some.has(uid)) return
    const last = found.at(-1)
    if (last && last.at - 1 + last.uids.length === n) last.uids.push(uid)
    else found.push({ at: n + 1, uids: [uid] })
  })
  return found
}
