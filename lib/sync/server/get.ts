/** GET of replication (csync.md §4): what the replica has. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { quotaRootOf } from '../../mailbox/quota.js'
import type { MailboxHeader } from '../../store/store.js'
import { bytesOf, type Dlist, DlistFieldError, DlistMap, field, fileHead, list, stringsOf, textOf } from '../dlist.js'
import { stateOf, writeMailbox } from '../mailbox_codec.js'
import { deletedOf, inboxOf } from '../names.js'
import { fromStore, type SyncRecord } from '../record_codec.js'
import { writeAnnotation, writeQuota, writeSeen } from '../user_codec.js'
import type { SessionContext } from './context.js'
import { Refusal, Refused } from './refusal.js'
import { sendSieve } from './sieve.js'

type Get = (context: SessionContext, value: Dlist) => Promise<void>

/** The GET commands by their name in capitals. Each throws {Refusal} or {DlistFieldError}. */
export const GETS: ReadonlyMap<string, Get> = new Map<string, Get>([
  ['USER', getUser],
  ['META', getMeta],
  ['MAILBOXES', getMailboxes],
  ['UNIQUEIDS', getUniqueids],
  ['FULLMAILBOX', getFullMailbox],
  ['QUOTA', getQuota],
  ['ANNOTATION', getAnnotation],
  ['FETCH', getFetch],
])

function scalarOf(value: Dlist): string {
  if (typeof value !== 'string') throw new DlistFieldError('a single value is needed')
  return textOf(value)
}

async function sendMailbox(
  context: SessionContext,
  header: MailboxHeader,
  records?: Iterable<SyncRecord>,
): Promise<void> {
  if (header.mbtype.includes('f') && !context.sieveMailbox) return
  const { store } = context
  const state = stateOf(header, store.annotations(header.id), quotaRootOf(store, header.name)?.[0])
  await context.send('* MAILBOX ')
  for (const piece of writeMailbox(state, 'server', undefined, records)) await context.send(piece)
  await context.send('\r\n')
}

async function getUser(context: SessionContext, value: Dlist): Promise<void> {
  const { store } = context
  const userid = scalarOf(value)
  if (userid !== '') {
    const roots = new Set<string>()
    for (const prefix of [inboxOf(userid), deletedOf(userid)]) {
      for (const header of store.mailboxes(prefix)) {
        const root = quotaRootOf(store, header.name)?.[0]
        if (root !== undefined) roots.add(root)
        await sendMailbox(context, header)
      }
    }
    for (const root of roots) await context.send(`* QUOTA ${writeQuota(root, store.quota(root)!, 'server')}\r\n`)
  }
  await getMeta(context, value)
}

async function getMeta(context: SessionContext, value: Dlist): Promise<void> {
  const { store } = context
  const userid = scalarOf(value)
  for (const [uniqueid, entry] of store.seenEntries(userid))
    await context.send(`* SEEN ${writeSeen('', uniqueid, entry, 'server')}\r\n`)
  const names = [...store.subscriptions(userid)]
  if (names.length > 0) await context.send(`* LSUB ${list(names, 'server')}\r\n`)
  await sendSieve(context, userid)
}

async function getMailboxes(context: SessionContext, value: Dlist): Promise<void> {
  for (const name of stringsOf(value)) {
    const header = context.store.mailbox(name)
    if (header !== undefined) await sendMailbox(context, header)
  }
}

async function getUniqueids(context: SessionContext, value: Dlist): Promise<void> {
  for (const uniqueid of stringsOf(value)) {
    const header = context.store.mailboxByUniqueid(uniqueid)
    if (header !== undefined) await sendMailbox(context, header)
  }
}

async function getFullMailbox(context: SessionContext, value: Dlist): Promise<void> {
  const { store } = context
  const header = store.mailbox(scalarOf(value))
  const index = header && store.index(header.id)
  if (index === undefined || (index.header.mbtype.includes('f') && !context.sieveMailbox))
    throw new Refusal(Refused.nonexistent)
  const { header: snapshot } = index
  function* records(): Generator<SyncRecord> {
    for (let row = 0; row < index!.length; row++) {
      const record = index!.record(row)
      const annotations = snapshot.annotated === 0 ? [] : store.messageAnnotations(snapshot.id, record.uid)
      yield fromStore(record, snapshot.userFlags, annotations)
    }
  }
  await sendMailbox(context, snapshot, records())
}

async function getQuota(context: SessionContext, value: Dlist): Promise<void> {
  const root = scalarOf(value)
  const quota = context.store.quota(root)
  if (quota !== undefined) await context.send(`* QUOTA ${writeQuota(root, quota, 'server')}\r\n`)
}

async function getAnnotation(context: SessionContext, value: Dlist): Promise<void> {
  const name = scalarOf(value)
  const id = name === '' ? 0 : context.store.mailbox(name)?.id
  if (id === undefined) return
  for (const { entry, userid, value: bytes } of context.store.annotations(id)) {
    await context.send(`* ANNOTATION ${writeAnnotation({ name, entry, userid, value: bytes }, true, 'server')}\r\n`)
  }
}

async function getFetch(context: SessionContext, value: Dlist): Promise<void> {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('FETCH is no list of keys')
  const name = field.string(value, 'MBOXNAME')
  const partition = field.string(value, 'PARTITION')
  field.string(value, 'UNIQUEID')
  const guid = field.guid(value, 'GUID')
  const uid = field.number32(value, 'UID')
  const header = context.store.mailbox(name)
  if (header === undefined) throw new Refusal(Refused.nonexistent)
  let file: FileHandle
  try {
    file = await context.store.openMessage(header, uid)
  } catch {
    throw new Refusal(Refused.nonexistent)
  }
  try {
    const hash = createHash('sha1')
    let size = 0
    for await (const chunk of pieces(file)) {
      hash.update(chunk)
      size += chunk.length
    }
    if (hash.digest('hex') !== guid) {
      await context.send('* MESSAGE NIL\r\n')
      return
    }
    await context.send(`* MESSAGE ${fileHead(bytesOf(partition), guid, size, 'server')}`)
    for await (const chunk of pieces(file)) await context.sendBytes(chunk)
    await context.send('\r\n')
  } finally {
    await file.close()
  }
}

/** A file from its start, in pieces of its own. */
async function* pieces(file: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(65536), 0, 65536, at)
    if (bytesRead === 0) return
    at += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
