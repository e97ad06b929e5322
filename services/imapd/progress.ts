/** Long commands tell how far they have come (INPROGRESS, RFC 9585), so that a client knows the server to be at work. */
import type { CommandContext } from './command.js'

/** Milliseconds between two notices; the first comes after as long. */
export const notices = { every: 10_000 }

export class Progress {
  #next = performance.now() + notices.every

  constructor(readonly context: CommandContext) {}

  /** Tells, if it is time to. @param done of how many in all */
  at(done: number, all: number): void {
    if (performance.now() < this.#next) return
    this.#next = performance.now() + notices.every
    const { session, tag } = this.context
    session.reply.untagged(`OK [INPROGRESS ("${tag}" ${done} ${all})] Still at work`)
  }
}
