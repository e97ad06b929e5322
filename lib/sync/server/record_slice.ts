/** Some records of an APPLY MAILBOX, and the files of those messages that are in memory, which are made before the transaction. */
import { Flag, type InMemory, type MailboxHeader } from '../../store/store.js'
import type { MailboxState } from '../mailbox_codec.js'
import { type StoreParts, type SyncRecord, toStore } from '../record_codec.js'
import type { SessionContext } from './context.js'
import type { ReadyMessage } from './staging.js'

/** So many records as one transaction takes. */
export class RecordSlice {
  readonly parts: StoreParts[]
  /** resolves when the files are made; a file that could not be is made, or its error told, with the transaction */
  readonly ready: Promise<void>
  readonly #place: MailboxHeader | undefined
  readonly #placing: [uid: number, message: ReadyMessage & { source: InMemory }][] = []

  constructor(
    private readonly context: SessionContext,
    { name, uniqueid }: MailboxState,
    records: readonly SyncRecord[],
  ) {
    const { store, staging, log } = context
    this.parts = records.map((record) => toStore(record))
    for (const { unknownFlags } of this.parts)
      for (const flag of unknownFlags) log.warning(`Unknown system flag: ${flag}`)
    const here = store.mailbox(name)
    if (here?.uniqueid === uniqueid) {
      this.#place = here
      for (const { fields } of this.parts) {
        if (fields.uid <= here.lastUid || fields.flags & Flag.Expunged) continue
        const message = staging.find(here.partition, fields.guid)
        if (message !== undefined && typeof message.source !== 'string')
          this.#placing.push([fields.uid, message as ReadyMessage & { source: InMemory }])
      }
    }
    this.ready = this.#place === undefined ? Promise.resolve() : store.placeAhead(this.#place, this.#sources())
  }

  *#sources(): Generator<[uid: number, message: InMemory]> {
    for (const [uid, { source }] of this.#placing) if (typeof source !== 'string') yield [uid, source]
  }

  /** The mailbox has them: what is in memory can go, since they are found there. Not those whose UID another peer was quicker to give. */
  taken(): void {
    const { store, staging } = this.context
    for (const [uid, message] of this.#placing) {
      const taken = typeof message.source !== 'string' && message.source.isTakenAs(store.messagePath(this.#place!, uid))
      if (taken) staging.taken(message, this.#place!, uid)
    }
  }

  /** They were not taken: their files go. */
  async drop(): Promise<void> {
    await this.ready
    // that they stay would do no harm
    if (this.#placing.length > 0) await this.context.store.removePlaced(this.#place!, this.#sources()).catch(() => {})
  }
}
