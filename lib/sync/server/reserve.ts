/** APPLY RESERVE and APPLY MESSAGE (csync.md §5.1, §5.2): messages made ready for the MAILBOX commands that follow. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { guidOf as messageGuid } from '../../message/summary.js'
import { Flag, type MailboxHeader } from '../../store/store.js'
import { type Dlist, DlistFieldError, DlistFile, DlistMap, field, guidOf, list, stringsOf } from '../dlist.js'
import type { SessionContext } from './context.js'
import { Refusal, Refused } from './refusal.js'
import type { ReadyMessage } from './staging.js'

/** Rows looked at before other conversations get their turn. */
const ROWS = 5000

export async function applyReserve(context: SessionContext, value: Dlist): Promise<void> {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('RESERVE is no list of keys')
  const { store, staging } = context
  const partition = field.string(value, 'PARTITION')
  const names = stringsOf(field.list(value, 'MBOXNAME'))
  const guids = field.list(value, 'GUID').map((guid) => {
    const found = guidOf(guid)
    if (found === undefined) throw new DlistFieldError('GUID holds something that is no GUID')
    return found
  })
  if (!store.hasPartition(partition)) throw new Refusal(Refused.unknown, `RESERVE: unknown partition ${partition}`)
  const wanted = new Set(guids.filter((guid) => staging.find(partition, guid) === undefined))
  const mailboxes = names.flatMap((name) => store.mailbox(name) ?? []).filter(({ mbtype }) => !mbtype.includes('i'))
  // those on the same partition first: from them a message is linked, not copied
  mailboxes.sort((a, b) => Number(b.partition === partition) - Number(a.partition === partition))
  for (const mailbox of mailboxes) {
    if (wanted.size === 0) break
    for (const [uid, guid] of await findGuids(context, mailbox, wanted)) {
      if (!wanted.has(guid)) continue
      const message = await verified(context, mailbox, uid, guid, partition)
      if (message === undefined) continue
      staging.add(partition, guid, message)
      wanted.delete(guid)
    }
  }
  const missing = guids.filter((guid) => wanted.has(guid))
  if (missing.length > 0) await context.send(`* MISSING ${list(missing, 'server')}\r\n`)
}

async function findGuids(
  { store }: SessionContext,
  mailbox: MailboxHeader,
  wanted: ReadonlySet<string>,
): Promise<Array<[uid: number, guid: string]>> {
  const found: Array<[number, string]> = []
  const index = store.index(mailbox.id)
  if (index === undefined) return found
  for (let row = 0; row < index.length; row++) {
    if (row % ROWS === ROWS - 1) await nextTurn()
    if (index.flags(row) & Flag.Unlinked) continue
    const { guid } = index.record(row)
    if (wanted.has(guid)) found.push([index.uid(row), guid])
  }
  return found
}

/** The message if its file is there and is what its record says. */
async function verified(
  { store }: SessionContext,
  mailbox: MailboxHeader,
  uid: number,
  guid: string,
  partition: string,
): Promise<ReadyMessage | undefined> {
  let message: Buffer
  try {
    message = await store.readMessage(mailbox, uid)
  } catch {
    return undefined
  }
  if (messageGuid(message) !== guid) return undefined
  const index = store.index(mailbox.id)
  const row = index?.findUid(uid) ?? -1
  if (index === undefined || row < 0) return undefined
  const ready = {
    guid,
    size: message.length,
    headerSize: index.headerSize(row),
    sentdate: index.sentdate(row),
    cache: store.readCache(mailbox.id, uid),
  }
  if (mailbox.partition === partition) return { ...ready, source: store.messagePath(mailbox, uid), owned: false }
  const staged = await store.stageBuffer(partition, message)
  return { ...ready, source: staged.path, owned: true }
}

/** The files have gone to the staging area while they were read; here their writing is waited for. */
export async function applyMessage(_context: SessionContext, value: Dlist): Promise<void> {
  if (!Array.isArray(value)) throw new DlistFieldError('MESSAGE is no list')
  const files = (value as readonly Dlist[]).filter((item) => item instanceof DlistFile)
  const results = await Promise.allSettled(files.map(({ content }) => (content as { done: Promise<boolean> }).done))
  for (const [at, result] of results.entries()) {
    if (result.status === 'rejected') throw result.reason
    if (!result.value) throw new Refusal(Refused.unknown, `MESSAGE: unknown partition ${files[at]!.partition}`)
  }
}
