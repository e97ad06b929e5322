/**
 * What the parts of a sync_client's work share on one connection: the store, the replica, what is staged there, and what is known of its
 * mailboxes. A new one for every connection.
 */
import type { Logger } from '../../process/log.js'
import type { MailStore } from '../../store/store.js'
import type { MailboxState } from '../mailbox_codec.js'
import type { Peer } from './peer.js'

/** How a run behaves (csync.md §11.1). */
export interface ClientOptions {
  /** -l: log each command, -v: tell each on stdout */
  readonly tell: (line: string) => void
  /** -O: never take anything back from the replica */
  readonly noCopyback: boolean
  /** -L: say LOCAL_ commands */
  readonly localOnly: boolean
  /** -p: partition of the replica on which mailboxes are to be */
  readonly partition: string | undefined
  /**
   * the replica's mailboxes as its last answers told them, if several connections to it share that: what one has done is no news to
   * the others. To be cleared when a connection is lost, since nothing is known then of what was under way.
   */
  readonly known?: Map<string, MailboxState>
  /** counts what is sent, if given */
  readonly sent?: { messages: number; bytes: number }
}

/** One item could not be replicated, for a reason on this side: the others go on. */
export class ItemError extends Error {
  override name = 'ItemError'
}

/** Mailboxes of the replica whose state is remembered: some 20 MB. */
const MOST_KNOWN = 20_000

export class ClientSession {
  /** the replica's mailboxes as its last answers told them */
  readonly known: Map<string, MailboxState>
  readonly #staged = new Map<string, Set<string>>()

  constructor(
    readonly store: MailStore,
    readonly peer: Peer,
    readonly log: Logger,
    readonly options: ClientOptions,
  ) {
    this.known = options.known ?? new Map()
  }

  /** GUIDs that the replica has staged on a partition in this run. */
  staged(partition: string): Set<string> {
    let set = this.#staged.get(partition)
    if (set === undefined) {
      set = new Set()
      this.#staged.set(partition, set)
    }
    return set
  }

  /** Makes the replica forget what is staged, if anything is. */
  async restart(): Promise<void> {
    if ([...this.#staged.values()].every((set) => set.size === 0)) return
    await this.forget()
  }

  /** Makes the replica forget what is staged, whatever that is. */
  async forget(): Promise<void> {
    this.#staged.clear()
    await this.peer.restart()
  }

  /** Remembers a mailbox of the replica as it has told, or been told, it; not more than so many. */
  remember(name: string, state: MailboxState): void {
    if (this.known.size >= MOST_KNOWN) this.known.clear()
    this.known.set(name, state)
  }

  /** The command's name, or with -L its LOCAL_ form. */
  verb(name: 'MAILBOX' | 'UNMAILBOX' | 'RENAME' | 'UNUSER'): string {
    return this.options.localOnly ? `LOCAL_${name}` : name
  }
}
