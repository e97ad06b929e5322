/** Mailboxes as a whole (csync-2.3.md §4.2 to §4.5, §4.7 to §4.9): SELECT, STATUS, MAILBOXES, USER, CREATE, RENAME, DELETE, RESET, ACL, quota. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { forgetUser } from '../../../mailbox/folders.js'
import { quotaRootOf } from '../../../mailbox/quota.js'
import {
  isPathSafe,
  MailboxGoneError,
  type MailboxHeader,
  type MailboxIndex,
  syncLogLine,
} from '../../../store/store.js'
import { bytesOf, textOf } from '../../dlist.js'
import { inboxOf, isMailboxName, ownerOf } from '../../names.js'
import { CONDSTORE, hasCondstore, mailboxLine, messageLines, optionLetters } from '../mailbox_lines.js'
import { isShown, shownMailbox } from '../shown.js'
import { subscriptionsOf } from '../subscriptions.js'
import { nameArgument, number32Of } from '../text.js'
import { ArgumentFault, argumentsOf, type Command, type Context, nextArgument, Reason, reasonOf } from './context.js'
import { listFiles } from './sieve.js'

/** SELECT. */
export const select: Command = async (context, line) => {
  const [bytes = ''] = await argumentsOf(line, 1)
  const mailbox = shownMailbox(context.store, textOf(bytes))
  context.selected = mailbox?.id
  if (mailbox?.lastUid === 0) context.fresh.add(mailbox.id)
  if (mailbox === undefined) return `NO Failed to select mailbox "${bytes}": ${Reason.nonexistent}`
  return `OK ${mailbox.uniqueid} ${mailbox.lastUid}`
}

/** STATUS. */
export const status: Command = async (context, line) => {
  await argumentsOf(line, 0)
  const index = context.selected === undefined ? undefined : context.store.index(context.selected)
  if (index === undefined) return 'NO Mailbox not open'
  await sendMessages(context, index)
  return `OK ${index.header.lastUid}`
}

async function sendMailbox(context: Context, mailbox: MailboxHeader): Promise<void> {
  const { store, release } = context
  const index = store.index(mailbox.id)
  if (index === undefined) return
  const { header } = index
  const quota = store.quota(header.name)
  const limit = quota && (quota.limits.STORAGE ?? -1)
  await context.send(mailboxLine(header, store.annotations(header.id), limit, release))
  await sendMessages(context, index)
}

async function sendMessages(context: Context, index: MailboxIndex): Promise<void> {
  for (const each of messageLines(index, context.release)) {
    await context.send(each)
    await nextTurn()
  }
}

/** MAILBOXES. Names that do not exist are passed over. */
export const mailboxes: Command = async (context, line) => {
  const names = [await nextArgument(line)]
  while (!line.ended) names.push(await nextArgument(line))
  for (const name of names) {
    const mailbox = shownMailbox(context.store, textOf(name))
    if (mailbox !== undefined) await sendMailbox(context, mailbox)
  }
  return 'OK Mailboxes finished'
}

/** USER: mailboxes, subscriptions, scripts. Lists the named user's scripts (2.3.8 those of the administrator who asks). */
export const user: Command = async (context, line) => {
  const [bytes = ''] = await argumentsOf(line, 1)
  const { store } = context
  const userid = textOf(bytes)
  const inbox = inboxOf(userid)
  if (shownMailbox(store, inbox) === undefined)
    return `NO IMAP_MAILBOX_NONEXISTENT Failed to access inbox for ${bytes}: ${Reason.nonexistent}`
  for (const mailbox of store.mailboxes(inbox)) if (isShown(mailbox)) await sendMailbox(context, mailbox)
  for (const name of subscriptionsOf(store, userid)) await context.send(`*** ${nameArgument(name)}\r\n`)
  for (const { name, mtime, active } of await listFiles(store, userid))
    await context.send(`**** ${nameArgument(name)} ${mtime}${active ? ' *' : ''}\r\n`)
  return 'OK User completed'
}

/** The uniqueid that 2.3 makes of a name: a hash of it and the UIDVALIDITY, 8 hex digits each. */
export function uniqueidOf(name: string, uidvalidity: number): string {
  let hash = 0n
  for (const byte of Buffer.from(name)) hash = (hash * 251n + BigInt(byte)) % 2147484043n
  return hash.toString(16).padStart(8, '0') + uidvalidity.toString(16).padStart(8, '0')
}

const isNil = (text: string): boolean => text.toUpperCase() === 'NIL'

/** CREATE. */
export const create: Command = async (context, line) => {
  const [bytes = '', partition = '', id = '', acl = '', ...numbers] = await argumentsOf(line, 7)
  const [mbtype, options, uidvalidity] = numbers.map(number32Of)
  if (mbtype === undefined || options === undefined || uidvalidity === undefined) throw new ArgumentFault('invalid')
  const name = textOf(bytes)
  const failed = (why: string): string => `NO Create ${bytes} failed: ${why}`
  const uniqueid = isNil(id) ? uniqueidOf(name, uidvalidity) : textOf(id)
  if (!isMailboxName(name) || !isPathSafe(uniqueid)) return failed(Reason.badName)
  if (isShown(context.store.mailbox(name))) return failed(Reason.exists)
  if (!context.store.hasPartition(partition)) return failed(Reason.partition)
  try {
    await context.write((txn) => {
      const inTheWay = txn.mailbox(name)
      if (inTheWay?.header.mbtype.includes('i')) txn.remove(inTheWay, { tombstone: false })
      // deleted or renamed here, or not yet deleted: the master says where it is now, and sends what is in it
      const former = txn.mailboxByUniqueid(uniqueid)
      if (former !== undefined) {
        context.log.notice(`SYNCNOTICE: ${name} is made with the uniqueid of ${former.header.name}, which is removed`)
        txn.log(syncLogLine('UNMAILBOX', former.header.name))
        txn.remove(former, { tombstone: true })
      }
      const writer = txn.create({
        uniqueid,
        name,
        mbtype: '',
        partition,
        acl: isNil(acl) ? `${context.user}\tlrswipcda\tanonymous\t0\t` : textOf(acl),
        uidvalidity,
        options: optionLetters(options),
      })
      if (hasCondstore(options))
        txn.setAnnotation(writer.header.id, { entry: CONDSTORE, userid: '', modseq: 0, value: Buffer.from('true') })
      txn.log(syncLogLine('MAILBOX', name))
    })
  } catch (error) {
    return failed(reasonOf(context, error))
  }
  return 'OK Create completed'
}

/** RENAME: one mailbox, not what is below it. Its annotations stay behind, as the peer expects, and are sent again. */
export const rename: Command = async (context, line) => {
  const [from = '', to = ''] = await argumentsOf(line, 2)
  const failed = (why: string): string => `NO Rename failed ${from} -> ${to}: ${why}`
  const [oldName, newName] = [textOf(from), textOf(to)]
  if (!isMailboxName(newName)) return failed(Reason.badName)
  if (shownMailbox(context.store, oldName) === undefined) return failed(Reason.nonexistent)
  try {
    await context.write((txn) => {
      const writer = txn.mustMailbox(oldName)
      const inTheWay = txn.mailbox(newName)
      if (inTheWay?.header.mbtype.includes('i')) txn.remove(inTheWay, { tombstone: false })
      txn.rename(writer, newName)
      const { id } = writer.header
      for (const annotation of txn.annotations(id))
        if (annotation.entry !== CONDSTORE) txn.setAnnotation(id, { ...annotation, value: Buffer.alloc(0) })
      writer.header.folderModseq = writer.nextModseq()
      txn.log(syncLogLine('RENAME', oldName, newName))
      txn.log(syncLogLine('MAILBOX', oldName))
      txn.log(syncLogLine('MAILBOX', newName))
    })
  } catch (error) {
    return failed(reasonOf(context, error))
  }
  return 'OK Rename completed'
}

/** DELETE: at once, one mailbox only. */
export const remove: Command = async (context, line) => {
  const [bytes = ''] = await argumentsOf(line, 1)
  const name = textOf(bytes)
  try {
    if (shownMailbox(context.store, name) === undefined) throw new MailboxGoneError(name)
    await context.write((txn) => {
      txn.remove(txn.mustMailbox(name), { tombstone: true })
      txn.log(syncLogLine('UNMAILBOX', name))
    })
  } catch (error) {
    return `NO Failed to delete ${bytes}: ${reasonOf(context, error)}`
  }
  return 'OK Delete completed'
}

/** RESET: all that is a user's. One who is not here is no error. */
export const reset: Command = async (context, line) => {
  const [bytes = ''] = await argumentsOf(line, 1)
  const userid = textOf(bytes)
  const inbox = inboxOf(userid)
  if (!isMailboxName(inbox) || ownerOf(inbox) !== userid)
    return `NO Failed to reset account ${bytes}: ${Reason.badName}`
  try {
    await context.write((txn) => {
      // what is below goes first, the INBOX last
      for (const writer of [...txn.mailboxes(inbox)].reverse()) {
        const { name } = writer.header
        txn.remove(writer, { tombstone: true })
        txn.log(syncLogLine('UNMAILBOX', name))
      }
      txn.removeUrlKeys(userid)
      forgetUser(txn, userid)
      txn.log(syncLogLine('UNUSER', userid))
    })
  } catch (error) {
    return `NO Failed to reset account ${bytes}: ${reasonOf(context, error)}`
  }
  return 'OK Account reset'
}

/** SETACL: the whole of it. */
export const setAcl: Command = async (context, line) => {
  const [bytes = '', acl = ''] = await argumentsOf(line, 2)
  const name = textOf(bytes)
  try {
    if (shownMailbox(context.store, name) === undefined) throw new MailboxGoneError(name)
    await context.write((txn) => {
      const writer = txn.mustMailbox(name)
      const { header } = writer
      if (bytesOf(header.acl) === acl) return
      header.acl = textOf(acl)
      header.folderModseq = writer.nextModseq()
      txn.headerFiles.set(header.id, header)
      txn.log(syncLogLine('MAILBOX', name))
    })
  } catch (error) {
    return `NO SetAcl Failed for ${bytes}: ${reasonOf(context, error)}`
  }
  return 'OK SetAcl Suceeded'
}

/** SETUIDVALIDITY (2.3.10). */
export const setUidvalidity: Command = async (context, line) => {
  const [bytes = '', number = ''] = await argumentsOf(line, 2)
  const uidvalidity = number32Of(number)
  if (uidvalidity === undefined) throw new ArgumentFault('invalid')
  context.saw(10)
  const name = textOf(bytes)
  try {
    if (shownMailbox(context.store, name) === undefined) throw new MailboxGoneError(name)
    await context.write((txn) => {
      const writer = txn.mustMailbox(name)
      if (writer.header.uidvalidity === uidvalidity) return
      writer.header.uidvalidity = uidvalidity
      writer.nextModseq()
      txn.headerFiles.set(writer.header.id, writer.header)
      txn.log(syncLogLine('MAILBOX', name))
    })
  } catch (error) {
    return `NO SetUIDvalidity failed: ${reasonOf(context, error)}`
  }
  return 'OK SetUIDvalidity succeeded'
}

/** QUOTA: the limit that a mailbox counts against, 0 if there is none. */
export const quota: Command = async (context, line) => {
  const [bytes = ''] = await argumentsOf(line, 1)
  const name = textOf(bytes)
  const found = shownMailbox(context.store, name) && quotaRootOf(context.store, name)
  return `OK ${found === undefined ? 0 : (found[1].limits.STORAGE ?? -1)}`
}

/** SETQUOTA, in KiB; -1 is no limit. */
export const setQuota: Command = async (context, line) => {
  const [bytes = '', number = ''] = await argumentsOf(line, 2)
  const limit = number === '-1' ? -1 : number32Of(number)
  if (limit === undefined) throw new ArgumentFault('invalid')
  const root = textOf(bytes)
  if (!isMailboxName(root)) return `NO SetQuota failed ${bytes}: ${Reason.badName}`
  await context.write((txn) => {
    const before = txn.quota(root)
    const { STORAGE, ...others } = before?.limits ?? {}
    if (before !== undefined && (STORAGE ?? -1) === limit) return
    const limits = limit < 0 ? others : { ...others, STORAGE: limit }
    txn.setQuota(root, { limits, modseq: (before?.modseq ?? 0) + 1 })
    txn.log(syncLogLine('QUOTA', root))
  })
  return 'OK SetQuota succeeded'
}
