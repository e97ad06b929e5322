/** REPLACE and UID REPLACE (RFC 8508): a message takes another's place, both in one transaction. */
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import type { SequenceSet } from '../../../lib/imap/sequence_set.js'
import { appendMessages } from '../../../lib/mailbox/messages.js'
import { receiveMessages } from '../appending.js'
import { type CommandContext, define, SELECTED, selectedOf } from '../command.js'
import { DENIED, No } from '../errors.js'
import { type Found, mustFind } from '../mailboxes.js'

interface Arguments {
  readonly args: ArgumentReader
  readonly set: SequenceSet
  readonly mailbox: string
  readonly problem: unknown
}

/** The one message to be replaced. @throws {No} */
function replaced(context: CommandContext, set: SequenceSet): number {
  const selected = selectedOf(context)
  const uids = selected.uids(set, context.uid)
  if (uids.length !== 1) throw new No('No matching message')
  if (selected.readOnly) throw new No(DENIED)
  if (!selected.rights.has('te')) throw new No(`[NOPERM] ${DENIED}`)
  return uids[0]!
}

export const replace = define<Arguments>({
  name: 'REPLACE',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  tellsExpunged: true,
  expunges: true,
  parse(args) {
    try {
      args.space()
      const set = args.sequenceSet()
      args.space()
      return { args, set, mailbox: args.mailbox(), problem: undefined }
    } catch (problem) {
      return { args, set: [], mailbox: '', problem }
    }
  },
  async run(context, { args, set, mailbox, problem }) {
    const { session } = context
    const { store } = session.imapd
    let uid = 0
    const find = (): Found => {
      if (problem !== undefined) throw problem
      uid = replaced(context, set)
      return mustFind(session, mailbox, 'i', true)
    }
    const { found, messages } = await receiveMessages(session, args, find, 1)
    try {
      const replaces = { mailbox: selectedOf(context).header, uid }
      const added = await appendMessages(store, found.header, messages, { userid: session.user!, replaces })
      session.reply.untagged(`OK [APPENDUID ${added.uidvalidity} ${added.uids[0]}] Replacement message ready`)
      return undefined
    } finally {
      for (const { staged } of messages) store.unstage(staged)
    }
  },
})
