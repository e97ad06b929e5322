/** What the commands of a replication session work with. */
import type { Logger } from '../../process/log.js'
import type { MailStore, StoreTransaction } from '../../store/store.js'
import type { Staging } from './staging.js'

/** A session's state, apart from its connection. */
export interface SessionContext {
  readonly store: MailStore
  readonly log: Logger
  readonly staging: Staging
  /** APPLY FORCE was said: checks of csync.md §6.3 marked F are skipped, for this session only */
  force: boolean
  /** APPLY CAPABILITIES enabled SIEVE-MAILBOX: the #sieve mailbox is shown and taken */
  sieveMailbox: boolean
  /** A change that a replication peer asks for; logged only for chains of replicas. */
  write<T>(change: (transaction: StoreTransaction) => T): Promise<T>
  /** Adds text of bytes to the answer; waits when much has gathered and the peer is slow. */
  send(text: string): void | Promise<void>
  /** Adds raw bytes. */
  sendBytes(bytes: Buffer): void | Promise<void>
}
