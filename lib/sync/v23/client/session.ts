/** What the parts of a sync_client's work share on one connection to a replica of the 2.3 generation. A new one for every connection. */
import type { Logger } from '../../../process/log.js'
import type { MailboxHeader, MailStore } from '../../../store/store.js'
import { shownMailbox } from '../shown.js'
import type { Peer23 } from './peer.js'

/** How a run behaves. */
export interface ClientOptions23 {
  /** -l: log each action, -v: tell each on stdout */
  readonly tell: (line: string) => void
  /** -p: partition of the replica on which mailboxes are to be */
  readonly partition: string | undefined
  /** most messages in one UPLOAD (`sync_batch_size`); 0 no limit */
  readonly batchSize: number
  /** pauses before the tries of a user, ms */
  readonly pauses: readonly number[]
  /** counts what is sent, if given */
  readonly sent?: { messages: number; bytes: number }
  /** what several connections of one client know, so that what one has said is no news to the others */
  readonly knowledge?: Knowledge
}

/** What is known of a replica from what was said to it. To be cleared when a connection is lost: nothing is known then of what was under way. */
export class Knowledge {
  /** mailboxes that were in line once, by unique id: then only what changes here need be said */
  readonly known = new Map<string, KnownMailbox>()
  /** what owners have read in their mailboxes, by unique id, as it was told: `syncOwnSeen` */
  readonly seenTold = new Map<string, string>()

  clear(): void {
    this.known.clear()
    this.seenTold.clear()
  }
}

/** A mailbox as it was when it was in line. */
export interface KnownMailbox {
  readonly name: string
  /** HIGHESTMODSEQ here */
  readonly modseq: number
  readonly lastUid: number
  readonly acl: string
  readonly uidvalidity: number
  /** bits, see mailbox_lines.ts */
  readonly options: number
  /** KiB, -1 no limit; undefined if it is no quota root */
  readonly quota: number | undefined
  /** all of them as one text */
  readonly annotations: string
}

/** As 2.3.8 pauses before its three tries. */
export const PAUSES = [0, 2000, 4000] as const

export class ClientSession23 {
  /** ids of messages that the replica has staged on this connection */
  readonly staged = new Set<string>()
  /** as of Knowledge */
  readonly known: Knowledge['known']
  readonly seenTold: Knowledge['seenTold']

  constructor(
    readonly store: MailStore,
    readonly peer: Peer23,
    readonly log: Logger,
    readonly options: ClientOptions23,
  ) {
    const { known, seenTold } = options.knowledge ?? new Knowledge()
    this.known = known
    this.seenTold = seenTold
  }

  /** The replica forgets nothing between items: what is staged is its to give up (`[RESTART]`). */
  async restart(): Promise<void> {}

  /** Local mailboxes that this generation can have, by name; what is not here is left out. */
  mailbox(name: string): MailboxHeader | undefined {
    return shownMailbox(this.store, name)
  }

  /** Does something under the replica's lock. */
  async locked<T>(work: () => Promise<T>): Promise<T> {
    await this.peer.lock()
    try {
      return await work()
    } finally {
      if (await this.peer.unlock()) this.staged.clear()
    }
  }
}
