/** RENAME (RFC 3501 §6.3.5); an administrator may name a partition to which a mailbox moves under its name, as in Cyrus. Renaming INBOX moves its messages to the new mailbox and leaves INBOX empty. */
import { astring } from '../../../lib/imap/wire_text.js'
import { createMailbox, renameMailbox } from '../../../lib/mailbox/folders.js'
import { copyMessages, expungeMessages } from '../../../lib/mailbox/messages.js'
import { isInbox, nameProblem, ownerOf, parentOf } from '../../../lib/mailbox/names.js'
import { moveToPartition } from '../../../lib/mailbox/partition.js'
import { renameUser } from '../../../lib/mailbox/rename_user.js'
import { isSeen, seenUids } from '../../../lib/mailbox/seen.js'
import { checkParent, checkUnprotected } from '../../../lib/mailbox/special_use.js'
import type { MailboxHeader } from '../../../lib/store/store.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { lookUp, mayCreate, mustFind } from '../mailboxes.js'
import { changeKey } from '../notify/notifier.js'
import type { Session } from '../session.js'

export const rename = define<{ from: string; to: string; partition: string | undefined }>({
  name: 'RENAME',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const from = args.mailbox()
    args.space()
    const to = args.mailbox()
    const partition = args.tryChar(' ') ? args.astring().toString('latin1') : undefined
    args.end()
    return { from, to, partition }
  },
  async run({ session }, { from, to, partition }) {
    const { header } = mustFind(session, from, session.isAdmin ? '' : 'x')
    const target = session.namespace!.toInternal(to)
    const problem = nameProblem(target)
    if (problem !== undefined) throw new No(`[CANNOT] Invalid mailbox name: ${problem}`)
    if (partition !== undefined) {
      await moveTree(session, header, target, partition)
      return undefined
    }
    if (lookUp(session, target)) throw new No('[ALREADYEXISTS] Mailbox already exists')
    if (!mayCreate(session, target)) throw new No(`[NOPERM] ${DENIED}`)
    const { store } = session.imapd
    if (!session.isAdmin && parentOf(header.name) !== parentOf(target)) checkUnprotected(store, header, session.user!)
    checkParent(store, target, session.user!)
    if (isInbox(header.name) && ownerOf(header.name) === session.user) await emptyInto(session, header, target)
    else {
      const namespace = session.namespace!
      const isUser = session.isAdmin && isInbox(header.name) && isInbox(target)
      const renamed = isUser
        ? await renameUser(store, ownerOf(header.name)!, ownerOf(target)!)
        : await renameMailbox(store, header.name, target)
      session.notifier?.causes(...renamed.map(([, after]) => changeKey('mailbox', after)))
      for (const [before, after] of renamed)
        session.reply.untagged(
          `OK rename ${astring(namespace.toExternal(before))} ${astring(namespace.toExternal(after))}`,
        )
    }
    return undefined
  },
})

/** An administrator moves a mailbox and all below it to another partition by naming it twice, as with Cyrus. */
async function moveTree(session: Session, { name }: MailboxHeader, target: string, partition: string): Promise<void> {
  if (!session.isAdmin) throw new No(`[NOPERM] ${DENIED}`)
  if (name !== target) throw new No('[CANNOT] Cross-server or cross-partition move w/rename not supported')
  const { store } = session.imapd
  let moved = 0
  for (const header of [...store.mailboxes(name)]) {
    if (!(await moveToPartition(store, header, partition))) continue
    moved += 1
    const shown = astring(session.namespace!.toExternal(header.name))
    session.reply.untagged(`OK rename ${shown} ${shown}`)
    await session.connection.flush()
  }
  if (moved === 0) throw new No('[ALREADYEXISTS] Mailbox already exists')
}

async function emptyInto(session: Session, inbox: MailboxHeader, target: string): Promise<void> {
  const { store } = session.imapd
  session.notifier?.causes(changeKey('mailbox', target))
  const created = await createMailbox(store, target)
  const index = store.index(inbox.id)
  if (!index) return
  const uids = [...index.visibleUids]
  const guest = seenUids(store, inbox, session.user!)
  const seen = (uid: number): boolean => isSeen(index, index.findUid(uid), guest)
  const { sourceUids } = await copyMessages(store, inbox, uids, created, session.user!, seen)
  await expungeMessages(store, inbox, sourceUids)
}
