/** Answers to the client: untagged lines, and the one that ends a command. */
import type { Connection } from '../../lib/net/connection.js'

export class Reply {
  constructor(readonly connection: Connection) {}

  /** `* TEXT`. Text of the protocol's own making only: it must hold no line end but within literals. */
  untagged(text: string): void {
    this.connection.writeLatin1(`* ${text}\r\n`)
  }

  tagged(tag: string, status: 'OK' | 'NO' | 'BAD', text: string): void {
    this.connection.writeLatin1(`${tag} ${status} ${text}\r\n`)
  }

  /** `+ TEXT`, sent at once: the client waits for it. */
  async continuation(text: string): Promise<void> {
    this.connection.write(`+ ${text}\r\n`)
    await this.connection.flush()
  }
}
