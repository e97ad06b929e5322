/**
 * APPEND (RFC 3501 §6.3.11) with APPENDUID (RFC 4315 §3), MULTIAPPEND, BINARY and CATENATE (appending.ts). OK means
 * messages and index are on disk; all of a command's messages are added, or none.
 */
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { formatNumbers } from '../../../lib/imap/sequence_set.js'
import { appendMessages } from '../../../lib/mailbox/messages.js'
import { receiveMessages } from '../appending.js'
import { define, LOGGED_IN } from '../command.js'
import { mustFind } from '../mailboxes.js'

/** What is wrong in front of a message is told when that has been read past. */
interface Arguments {
  readonly args: ArgumentReader
  readonly mailbox: string | undefined
  readonly problem: unknown
}

export const append = define<Arguments>({
  name: 'APPEND',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    try {
      args.space()
      return { args, mailbox: args.mailbox(), problem: undefined }
    } catch (problem) {
      return { args, mailbox: undefined, problem }
    }
  },
  async run({ session }, { args, mailbox, problem }) {
    const { store } = session.imapd
    const { found, messages } = await receiveMessages(session, args, () => {
      if (mailbox === undefined) throw problem
      return mustFind(session, mailbox, 'i', true)
    })
    try {
      const { uidvalidity, uids } = await appendMessages(store, found.header, messages, { userid: session.user! })
      session.added(found.header.id, uids)
      return `[APPENDUID ${uidvalidity} ${formatNumbers(uids)}] Completed`
    } finally {
      for (const { staged } of messages) store.unstage(staged)
    }
  },
})
