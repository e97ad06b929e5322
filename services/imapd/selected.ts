/**
 * The selected mailbox of one connection, and the only place that knows how sequence numbers shift.
 *
 * A view is the ascending list of UIDs the client has been told of; sequence number n is its n-th entry. Views are
 * shared between connections as long as they see the same snapshot. What other sessions expunge stays in the view until
 * a moment at which the client may be told (`sync` with expunges), and can still be fetched until then. New messages and
 * changed flags are told at every sync.
 */
import {
  formatNumbers,
  includes,
  type Range,
  resolve,
  SAVED_RESULT,
  type SequenceSet,
} from '../../lib/imap/sequence_set.js'
import { type Rights, rightsOf } from '../../lib/mailbox/acl.js'
import { isDeleted } from '../../lib/mailbox/names.js'
import { isSeen, seenUids } from '../../lib/mailbox/seen.js'
import { contains, difference, rangesOf, type UidRanges, union } from '../../lib/mailbox/uid_set.js'
import { Flag, type MailboxHeader, type MailboxIndex, type MailStore } from '../../lib/store/store.js'
import type { Features } from './features.js'
import { flagList, keywordList } from './flag_text.js'
import { AnnotationMemory } from './notify/annotation_memory.js'
import { claim, claimedUid } from './recent.js'
import type { Reply } from './reply.js'
import type { SearchContext } from './search/context.js'
import { changedRows, expungedBetween, lowerBound } from './views.js'

export class Selected {
  readonly id: number
  /** What the client knew when it gave the command that is running. */
  indexBefore: MailboxIndex
  /** The snapshot on which commands work; records of expunged messages that are still in the view may be in it. */
  index: MailboxIndex
  /** UIDs by sequence number less one. */
  view: Uint32Array
  /** What this user has read, where the records do not tell (lib/mailbox/seen.ts). */
  guestSeen: UidRanges | undefined
  /** What the user may do here now; follows changes of the ACL. */
  rights: Rights
  /** UIDs that are \Recent in this session. */
  #recent: Range[] = []
  #toldKeywords: string
  #saved: readonly Range[] = []
  /** Settles when other sessions can no longer take messages for \Recent that are so here. */
  recentNoted: Promise<void> = Promise.resolve()
  /** The snapshot up to which changes of flags were told, when that is not the one above (NOTIFY). */
  #flagsTold: MailboxIndex | undefined
  /** Lowest UID that was told to be new since the last `takeNew`. */
  #firstNew: number | undefined
  /** UIDs of new messages that the client has put here itself */
  readonly #addedByClient = new Set<number>()
  /** Searches whose results are kept up to date. */
  readonly contexts: SearchContext[] = []
  /** Annotations that the client knows, if it wants to hear of changes. */
  annotations: AnnotationMemory | undefined
  /** HIGHESTMODSEQ when the client last knew of all that was expunged. */
  #expungesTold: number
  /** The mailbox no longer exists, for this user at least. */
  gone = false

  constructor(
    readonly store: MailStore,
    index: MailboxIndex,
    readonly userid: string,
    private readonly isAdmin: boolean,
    readonly readOnly: boolean,
    readonly features: Features,
  ) {
    this.rights = rightsOf(index.header, userid, isAdmin)
    this.id = index.header.id
    this.index = index
    this.indexBefore = index
    this.view = index.visibleUids
    this.guestSeen = seenUids(store, index.header, userid)
    this.#toldKeywords = keywordList(index.header)
    this.#expungesTold = index.header.highestModseq
    this.#noteRecent()
  }

  get header(): MailboxHeader {
    return this.index.header
  }

  /** Number of messages the client knows of. */
  get exists(): number {
    return this.view.length
  }

  /** Up to which mod-sequence the client knows everything: not beyond an expunge that it was not told of (RFC 7162 §3.2.7). */
  get highestModseq(): number {
    if (this.#flagsTold !== undefined) return Math.min(this.#flagsTold.header.highestModseq, this.#expungesTold)
    return expungedBetween(this.view, this.index.visibleUids).gone.length > 0
      ? this.#expungesTold
      : this.header.highestModseq
  }

  /** Messages of the view that are \Recent. */
  get recentCount(): number {
    let count = 0
    for (const { first, last } of this.#recent) count += lowerBound(this.view, last + 1) - lowerBound(this.view, first)
    return count
  }

  isRecent(uid: number): boolean {
    return this.#recent.length > 0 && !this.features.imap4rev2 && includes(this.#recent, uid)
  }

  /** @returns 0 when the view has no such UID */
  sequenceOf(uid: number): number {
    const at = lowerBound(this.view, uid)
    return this.view[at] === uid ? at + 1 : 0
  }

  /** Whether a UID is read by this user; false when its record is gone. */
  isSeen(row: number): boolean {
    return isSeen(this.index, row, this.guestSeen)
  }

  /** FLAGS of a row as text, in parentheses. */
  flagText(row: number): string {
    return flagList(this.index, row, this.isSeen(row), this.isRecent(this.index.uid(row)))
  }

  /**
   * The positions in the view (sequence number less one) that a set names, as sorted half-open ranges.
   * @param uid whether the set's numbers are UIDs; `*` is the last message either way
   */
  positions(set: SequenceSet, uid: boolean, saved = this.#saved): { first: number; end: number }[] {
    const count = this.view.length
    if (count === 0) return []
    if (set === SAVED_RESULT) return this.positions(saved, true)
    const ranges = resolve(set, uid ? this.view[count - 1]! : count)
    const found: { first: number; end: number }[] = []
    for (const range of ranges) {
      const first = uid ? lowerBound(this.view, range.first) : range.first - 1
      const end = uid ? lowerBound(this.view, Math.min(range.last, 4294967295) + 1) : Math.min(range.last, count)
      if (first < end) found.push({ first, end })
    }
    return found
  }

  /** UIDs that `$` stands for, as ranges (RFC 5182). */
  get savedResult(): readonly Range[] {
    return this.#saved
  }

  /** Remembers the messages at some positions for `$`. */
  saveResult(positions: readonly number[]): void {
    const uids = Uint32Array.from(positions, (position) => this.view[position]!).sort()
    this.#saved = rangesOf(uids).map(([first, last]) => ({ first, last }))
  }

  /** The UIDs that a set of UIDs names, whether they are in use or not. */
  uidRanges(set: SequenceSet): readonly Range[] {
    return set === SAVED_RESULT ? this.#saved : resolve(set, Math.max(this.header.lastUid, 1))
  }

  /** UIDs that a set names, ascending. */
  uids(set: SequenceSet, uid: boolean): number[] {
    return this.uidsAt(this.positions(set, uid))
  }

  /** UIDs at positions, ascending. */
  uidsAt(positions: readonly { first: number; end: number }[]): number[] {
    const found: number[] = []
    for (const { first, end } of positions) for (let at = first; at < end; at += 1) found.push(this.view[at]!)
    return found
  }

  /**
   * Tells the client what has changed since the last time, its own changes included unless they were told.
   * @param expunges whether it may be told of expunged messages now
   * @param silent UIDs of whose flags nothing is to be said
   * @param withUid whether FETCH answers carry the UID
   * @param own the client has expunged something itself, and is told so whatever NOTIFY asked for
   */
  sync(
    reply: Reply,
    options: { expunges: boolean; withUid?: boolean; silent?: ReadonlySet<number>; own?: boolean },
  ): void {
    if (this.gone) return
    const index = this.store.index(this.id)
    if (!index || this.#isAnother(index.header)) {
      this.gone = true
      return
    }
    const before = this.index
    if (index.header.acl !== before.header.acl) this.rights = rightsOf(index.header, this.userid, this.isAdmin)
    const seenElsewhere = this.#seenElsewhere(index.header)
    const { messages, flags, annotations } = this.features.events
    const flagsTold = this.#flagsTold ?? before
    if (index === flagsTold && seenElsewhere.length === 0 && (this.view === index.visibleUids || !options.expunges))
      return
    this.index = index
    if (flags) this.#tellKeywords(reply)
    for (const context of this.contexts) context.tellExpunged(reply)
    if (options.expunges && (messages || options.own)) this.#tellExpunged(reply)
    const known = messages ? this.#tellNew(reply) : this.view.length
    const told = new Set(this.toldFlags)
    if (!flags && !annotations) {
      this.#flagsTold = flagsTold
      return
    }
    this.#flagsTold = undefined
    if (index !== flagsTold) this.#tellFlags(reply, flagsTold, known, options)
    for (const [first, last] of seenElsewhere) {
      const end = Math.min(lowerBound(this.view, last + 1), known)
      for (let at = lowerBound(this.view, first); at < end; at += 1) {
        const row = index.findUid(this.view[at]!)
        if (
          row >= 0 &&
          !options.silent?.has(this.view[at]!) &&
          told.has(this.view[at]!) === this.toldFlags.has(this.view[at]!)
        )
          this.tellMessageFlags(reply, row, at + 1, options.withUid ?? false)
      }
    }
  }

  /** What a guest has read, or has no longer, by another session of the same user. */
  #seenElsewhere(header: MailboxHeader): UidRanges {
    const before = this.guestSeen
    const now = before && seenUids(this.store, header, this.userid)
    if (!before || !now) return []
    this.guestSeen = now
    return union(difference(now, before), difference(before, now))
  }

  /** Whether what is there now is no longer what was selected: deleted for later, made anew, or not ours to read any more. */
  #isAnother(now: MailboxHeader): boolean {
    const { name, uidvalidity, acl } = this.header
    if (now.uidvalidity !== uidvalidity || (isDeleted(now.name) && !isDeleted(name))) return true
    return now.acl !== acl && !rightsOf(now, this.userid, this.isAdmin).has('r')
  }

  #tellKeywords(reply: Reply): void {
    const keywords = keywordList(this.header)
    if (keywords === this.#toldKeywords) return
    this.#toldKeywords = keywords
    this.tellFlagNames(reply)
  }

  /** FLAGS and PERMANENTFLAGS. */
  tellFlagNames(reply: Reply): void {
    reply.untagged(`FLAGS (\\Answered \\Flagged \\Draft \\Deleted \\Seen${this.#toldKeywords})`)
    reply.untagged(`OK [PERMANENTFLAGS (${this.permanentFlags()})] Ok`)
  }

  /** Flags that this session may change for good. */
  permanentFlags(): string {
    if (this.readOnly) return ''
    const flags: string[] = []
    if (this.rights.has('w')) flags.push('\\Answered', '\\Flagged', '\\Draft')
    if (this.rights.has('t')) flags.push('\\Deleted')
    if (this.rights.has('s')) flags.push('\\Seen')
    const text = flags.join(' ')
    return this.rights.has('w') ? `${text}${this.#toldKeywords} \\*` : text
  }

  #tellExpunged(reply: Reply): void {
    const now = this.index.visibleUids
    this.#expungesTold = this.header.highestModseq
    if (now === this.view) return
    const { gone, kept } = expungedBetween(this.view, now)
    if (gone.length === 0) return
    if (this.features.qresync || this.features.uidOnly)
      reply.untagged(`VANISHED ${formatNumbers(gone.map((sequence) => this.view[sequence - 1]!))}`)
    else reply.connection.write(gone.map((sequence, before) => `* ${sequence - before} EXPUNGE\r\n`).join(''))
    this.view = kept
  }

  /** @returns how many messages the client knew before */
  #tellNew(reply: Reply): number {
    const now = this.index.visibleUids
    const known = this.view.length
    const last = known === 0 ? 0 : this.view[known - 1]!
    const from = lowerBound(now, last + 1)
    if (from === now.length) {
      if (now.length === known && from === known) this.view = now // the same UIDs: share them again
      return known
    }
    if (from === known) {
      this.view = now
    } else {
      const grown = new Uint32Array(known + now.length - from)
      grown.set(this.view)
      grown.set(now.subarray(from), known)
      this.view = grown
    }
    this.#noteRecent()
    this.#firstNew ??= this.view[known]
    reply.untagged(`${this.view.length} EXISTS`)
    if (!this.features.imap4rev2) reply.untagged(`${this.recentCount} RECENT`)
    return known
  }

  /** Has changes of annotations told from now on. @returns false when there are too many of them */
  watchAnnotations(): boolean {
    this.annotations = AnnotationMemory.of(this.store, this.id, this.userid)
    return this.annotations !== undefined
  }

  /** Positions (sequence number less one) of the messages that were told to be new since the last time, but for the client's own. */
  takeNew(): { first: number; end: number }[] {
    const ranges: { first: number; end: number }[] = []
    if (this.#firstNew === undefined) return ranges
    for (let at = lowerBound(this.view, this.#firstNew); at < this.view.length; at += 1) {
      if (this.#addedByClient.has(this.view[at]!)) continue
      const last = ranges.at(-1)
      if (last?.end === at) last.end = at + 1
      else ranges.push({ first: at, end: at + 1 })
    }
    this.#firstNew = undefined
    this.#addedByClient.clear()
    return ranges
  }

  /** The client knows of some new messages already. */
  addedByClient(uids: readonly number[]): void {
    if (this.features.events.attributes) for (const uid of uids) this.#addedByClient.add(uid)
  }

  #tellFlags(
    reply: Reply,
    before: MailboxIndex,
    known: number,
    { withUid = false, silent }: { withUid?: boolean; silent?: ReadonlySet<number> },
  ): void {
    const since = before.header.highestModseq
    const { index } = this
    if (index.header.highestModseq === since) return
    const annotations = index.header.annotated > 0 || this.annotations?.some ? this.annotations : undefined
    for (const row of changedRows(before, index)) {
      const uid = index.uid(row)
      const annotation = annotations?.changed(uid)
      if (silent?.has(uid)) continue
      const sequence = this.sequenceOf(uid)
      if (sequence === 0 || sequence > known) continue
      if (this.features.events.flags || annotation !== undefined)
        this.tellMessageFlags(reply, row, sequence, withUid, annotation)
    }
  }

  /** UIDs of whose flags the client has been told since the running command began */
  readonly toldFlags = new Set<number>()

  /** @param annotation `ANNOTATION (…)` to be told as well */
  tellMessageFlags(reply: Reply, row: number, sequence: number, withUid: boolean, annotation?: string): void {
    this.toldFlags.add(this.index.uid(row))
    const { condstore, qresync, imap4rev2, uidOnly, events } = this.features
    const modseq = condstore ? ` MODSEQ (${this.index.modseq(row)})` : ''
    const more = annotation === undefined ? modseq : `${modseq} ${annotation}`
    if (uidOnly) {
      reply.untagged(`${this.index.uid(row)} UIDFETCH (FLAGS ${this.flagText(row)}${more})`)
      return
    }
    const uid = withUid || qresync || imap4rev2 || events.live ? ` UID ${this.index.uid(row)}` : ''
    reply.untagged(`${sequence} FETCH (FLAGS ${this.flagText(row)}${uid}${more})`)
  }

  /** New messages beyond what sessions have seen are \Recent here, and no longer elsewhere unless we only examine. */
  #noteRecent(): void {
    const last = this.index.header.lastUid
    const mine = this.#recent[this.#recent.length - 1]
    const from = Math.max(claimedUid(this.store, this.index.header, this.userid), mine?.last ?? 0) + 1
    if (from > last) return
    if (mine && mine.last + 1 === from) this.#recent[this.#recent.length - 1] = { first: mine.first, last }
    else this.#recent.push({ first: from, last })
    if (!this.readOnly) this.recentNoted = claim(this.store, this.index.header, this.userid, last)
  }

  /** A guest's own \Seen has changed: read it again. */
  reloadSeen(): void {
    this.guestSeen = seenUids(this.store, this.index.header, this.userid)
  }

  /** Whether a guest has read a UID, or the record says so. Used when messages are copied. */
  hasSeenUid(uid: number): boolean {
    if (this.guestSeen) return contains(this.guestSeen, uid)
    const row = this.index.findUid(uid)
    return row >= 0 && (this.index.flags(row) & Flag.Seen) !== 0
  }
}
