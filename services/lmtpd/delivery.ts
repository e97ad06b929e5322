/**
 * A message on disk once, delivered to all its recipients: each mailbox links the staged file. A recipient's 250 comes only when message
 * and index of that mailbox are durable.
 */
import { createReadStream } from 'node:fs'
import { appendMessages } from '../../lib/mailbox/messages.js'
import type { Logger } from '../../lib/process/log.js'
import type { MailboxHeader, MailStore, Staged } from '../../lib/store/store.js'
import type { Recipient, RecipientResolver } from './recipients.js'

/** A staged message and what the log says about it. */
export interface Message {
  readonly staged: Staged
  readonly messageId: string
  /** AUTH= of MAIL */
  readonly sender: string | undefined
  readonly sessionId: string
  /** the same for all its copies: these bytes have this name */
  readonly uuid: string | undefined
}

/** Copies of a message on other partitions, made when first needed. */
class Copies {
  readonly #copies = new Map<string, Promise<Staged>>()

  constructor(
    private readonly store: MailStore,
    private readonly original: Staged,
  ) {}

  on(partition: string): Promise<Staged> {
    if (partition === this.original.partition) return Promise.resolve(this.original)
    let copy = this.#copies.get(partition)
    if (copy === undefined) {
      copy = this.#copy(partition)
      this.#copies.set(partition, copy)
    }
    return copy
  }

  async remove(): Promise<void> {
    for (const result of await Promise.allSettled(this.#copies.values())) {
      if (result.status === 'fulfilled') this.store.unstage(result.value)
    }
  }

  async #copy(partition: string): Promise<Staged> {
    const { message, path } = this.original
    if (message !== undefined) return this.store.stageBuffer(partition, message)
    const stager = this.store.stage(partition)
    try {
      for await (const chunk of createReadStream(path)) stager.write(chunk as Buffer)
      return await stager.finish()
    } catch (error) {
      stager.abort()
      throw error
    }
  }
}

export class Delivery {
  constructor(
    private readonly store: MailStore,
    private readonly resolver: RecipientResolver,
    private readonly log: Logger,
  ) {}

  /**
   * Delivers to every recipient, all at once, so that their commits share a write to disk.
   * @returns for each recipient, in order, undefined once the message is durably theirs, or what went wrong
   */
  async run(message: Message, recipients: readonly Recipient[]): Promise<unknown[]> {
    const copies = new Copies(this.store, message.staged)
    // One copy for a mailbox, however many recipients name it (Cyrus' duplicate suppression within a message).
    const done = new Map<number, Promise<void>>()
    const outcomes = recipients.map((recipient) => this.#deliver(message, recipient, copies, done))
    const settled = await Promise.allSettled(outcomes)
    await copies.remove()
    return settled.map((result) => (result.status === 'rejected' ? result.reason : undefined))
  }

  async #deliver(
    message: Message,
    recipient: Recipient,
    copies: Copies,
    done: Map<number, Promise<void>>,
  ): Promise<void> {
    let problem: unknown
    for (const mailbox of this.resolver.targets(recipient, message.sender)) {
      let append = done.get(mailbox.id)
      if (append === undefined) {
        append = this.#append(message, recipient, mailbox, copies)
        done.set(mailbox.id, append)
      }
      try {
        await append
        return
      } catch (error) {
        problem = error
      }
    }
    throw problem
  }

  async #append(message: Message, recipient: Recipient, mailbox: MailboxHeader, copies: Copies): Promise<void> {
    this.resolver.checkQuota(recipient, mailbox, message.staged.size)
    const staged = await copies.on(mailbox.partition)
    const { uuid } = message
    await appendMessages(this.store, mailbox, [
      { staged, flags: 0, keywords: [], ...(uuid === undefined ? {} : { uuid }) },
    ])
    this.log.info(`Delivered: ${message.messageId} to mailbox: ${mailbox.name} sessionid=<${message.sessionId}>`)
  }
}
