/** What is a user's own (csync-2.3.md §4.10, §4.11): subscriptions and seen state. */
import { hasInternalSeen } from '../../../mailbox/seen.js'
import { MailboxGoneError, type MailStore, type SeenEntry, syncLogLine } from '../../../store/store.js'
import { textOf } from '../../dlist.js'
import { readSeenFile, SeenFileError } from '../seen_file.js'
import { isNewer, seenEntryOf, setGuestEntry, setSeenEntry } from '../seen_state.js'
import { shownMailbox } from '../shown.js'
import { internalName, subscriptionsOf } from '../subscriptions.js'
import { nameArgument, number32Of } from '../text.js'
import { ArgumentFault, argumentsOf, type Command, Reason, reasonOf } from './context.js'

/** LSUB. */
export const lsub: Command = async (context, line) => {
  const [userid = ''] = (await argumentsOf(line, 1)).map(textOf)
  for (const name of subscriptionsOf(context.store, userid)) await context.send(`* ${nameArgument(name)}\r\n`)
  return 'OK Lsub completed'
}

const changeSubscription =
  (verb: 'Addsub' | 'Delsub'): Command =>
  async (context, line) => {
    const [user = '', bytes = ''] = await argumentsOf(line, 2)
    const [userid, name] = [textOf(user), internalName(textOf(bytes), textOf(user))]
    if (userid === '' || userid.length > 512 || name === '' || name.length > 1023)
      return `NO ${verb} ${user} ${bytes} failed: ${Reason.badName}`
    await context.write((txn) => {
      if (txn.setSubscribed(userid, name, verb === 'Addsub')) txn.log(syncLogLine('SUB', userid, name))
    })
    return `OK ${verb} completed`
  }

/** ADDSUB. Whether there is such a mailbox does not matter. */
export const addSub = changeSubscription('Addsub')
/** DELSUB. */
export const delSub = changeSubscription('Delsub')

/** SETSEEN: one user's record of one mailbox, which it selects. */
export const setSeen: Command = async (context, line) => {
  const [user = '', bytes = '', ...rest] = await argumentsOf(line, 6)
  const [lastRead, lastUid, lastChange] = rest.slice(0, 3).map(number32Of)
  if (lastRead === undefined || lastUid === undefined || lastChange === undefined) throw new ArgumentFault('invalid')
  const seenUids = rest[3]!
  const { store } = context
  const mailbox = shownMailbox(store, textOf(bytes))
  context.selected = mailbox?.id
  if (mailbox === undefined) return `NO Failed to select mailbox "${bytes}": ${Reason.nonexistent}`
  if (!/^[\d:,]*$/.test(seenUids) || user === '' || user.length > 512)
    return `NO Setseen Failed on ${user} ${bytes}: no such seen state`
  try {
    await setSeenEntry(store, mailbox, textOf(user), { lastRead, lastUid, lastChange, seenUids })
  } catch (error) {
    return `NO Setseen Failed on ${user} ${bytes}: ${reasonOf(context, error)}`
  }
  return 'OK Setseen Suceeded'
}

/** SETSEEN_ALL: a user's whole seen file, each record of which counts if it is newer than what is here; from 2.3.14 on it is all there is. */
export const setSeenAll: Command = async (context, line) => {
  const [user = '', data = ''] = await argumentsOf(line, 2)
  const userid = textOf(user)
  const failed = (why: string): string => `NO Setseen_all Failed on ${user}: ${why}`
  if (userid === '' || userid.length > 512) return failed(Reason.badName)
  let entries: Map<string, SeenEntry>
  try {
    entries = readSeenFile(Buffer.from(data, 'latin1'))
  } catch (error) {
    if (!(error instanceof SeenFileError)) throw error
    context.log.error(`SETSEEN_ALL of ${userid}: ${error.message}`)
    return failed(Reason.io)
  }
  const { store } = context
  const { wholesale } = context.release
  const guests: [uniqueid: string, entry: SeenEntry | undefined][] = []
  if (wholesale)
    for (const [uniqueid] of store.seenEntries(userid)) if (!entries.has(uniqueid)) guests.push([uniqueid, undefined])
  try {
    for (const [uniqueid, entry] of entries) {
      if (uniqueid.length > 128) continue
      const mailbox = store.mailboxByUniqueid(uniqueid)
      if (mailbox === undefined || !hasInternalSeen(mailbox, userid)) {
        if (wholesale || isNewer(entry, store.seen(userid, uniqueid))) guests.push([uniqueid, entry])
      } else if (wholesale || isNewer(entry, seenEntryOf(store, mailbox, userid)))
        await setOwn(store, mailbox.id, userid, entry)
    }
    if (guests.length > 0)
      await context.write((txn) => {
        for (const [uniqueid, entry] of guests) {
          if (entry === undefined) txn.setSeen(userid, uniqueid, undefined)
          else setGuestEntry(txn, userid, uniqueid, entry)
        }
      })
  } catch (error) {
    return failed(reasonOf(context, error))
  }
  return 'OK Setseen_all Suceeded'
}

async function setOwn(store: MailStore, id: number, userid: string, entry: SeenEntry): Promise<void> {
  const mailbox = store.mailboxById(id)
  if (mailbox === undefined) return
  try {
    await setSeenEntry(store, mailbox, userid, entry)
  } catch (error) {
    // gone meanwhile, and its seen state with it
    if (!(error instanceof MailboxGoneError)) throw error
  }
}
