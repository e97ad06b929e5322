/**
 * Our client and our server over the wire of 2.3, on stores of their own: whatever is done on the master, in whatever order, a run over its log
 * makes the replica equal, and a second look finds nothing to do.
 */
import { rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { setAcl } from '../../../lib/mailbox/access.js'
import { setMailboxAnnotations, setServerAnnotations } from '../../../lib/mailbox/annotations.js'
import { createMailbox, deleteMailbox, renameMailbox } from '../../../lib/mailbox/folders.js'
import { appendMessages, copyMessages, expungeMessages, storeFlags } from '../../../lib/mailbox/messages.js'
import { setQuota } from '../../../lib/mailbox/quota.js'
import { hasInternalSeen, markRecent } from '../../../lib/mailbox/seen.js'
import { activateSieveScript, putSieveScript, sieveScripts } from '../../../lib/mailbox/sieve_scripts.js'
import { setSubscribed } from '../../../lib/mailbox/subscriptions.js'
import { MessageUuids, uuidPrefix } from '../../../lib/process/message_uuid.js'
import { Flag, type MailboxHeader, type MailStore } from '../../../lib/store/store.js'
import { type AnySession, replicateLog, replicateUser, sessionWith } from '../../../lib/sync/client/any_generation.js'
import { Peer } from '../../../lib/sync/client/peer.js'
import { targetOf } from '../../../lib/sync/client/target.js'
import { LogFiles } from '../../../lib/sync/log_file.js'
import { sortAnnotations } from '../../../lib/sync/record_codec.js'
import { listedAnnotations } from '../../../lib/sync/v23/listed_annotations.js'
import { protocolOf, type Release } from '../../../lib/sync/v23/release.js'
import { isShown } from '../../../lib/sync/v23/shown.js'
import { collectingLog, type Fixture, openStore, startServer } from '../server_fixture.js'

/** A generator of numbers below a bound, the same for the same seed. */
function randomness(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 4294967296) * below)
  }
}

/** All that a release carries: equal pictures are equal stores. */
async function picture(store: MailStore, { guids }: Release): Promise<string[]> {
  store.refresh()
  const lines: string[] = []
  for (const header of store.mailboxes('')) {
    if (!isShown(header)) continue
    const { id, name, uniqueid, acl, uidvalidity, lastUid, options, recentUid } = header
    lines.push(JSON.stringify([name, uniqueid, acl, uidvalidity, lastUid, options, recentUid]))
    const index = store.index(id)!
    for (let row = 0; row < index.length; row++) {
      const record = index.record(row)
      if (record.flags & (Flag.Expunged | Flag.Unlinked)) continue
      const keywords = header.userFlags.filter((_, slot) => record.userFlags[slot >>> 5]! & (1 << (slot & 31))).sort()
      const { uid, guid, uuid, size, internaldate, flags } = record
      const bytes = (await store.readMessage(header, uid)).length
      lines.push(JSON.stringify([name, uid, guid, !guids && uuid, size, bytes, internaldate, flags, keywords]))
    }
    for (const { entry, userid, value } of sortAnnotations(listedAnnotations(store, name)))
      lines.push(`${name} ${entry} ${userid} ${value}`)
  }
  for (const [root, { limits }] of store.quotas('')) lines.push(`quota ${root} ${limits.STORAGE}`)
  for (const { entry, value } of listedAnnotations(store, '')) lines.push(`server ${entry} ${value}`)
  for (const user of ['alice', 'bob']) {
    for (const name of store.subscriptions(user)) lines.push(`${user} subscribed ${name}`)
    // what is told of mailboxes that are gone is kept here and there
    for (const [uniqueid, { seenUids, lastUid }] of store.seenEntries(user)) {
      // of mailboxes that are gone, or were a guest's and are the owner's now, it says nothing
      const mailbox = store.mailboxByUniqueid(uniqueid)
      if (mailbox && !hasInternalSeen(mailbox, user)) lines.push(`${user} seen ${uniqueid} ${seenUids} ${lastUid}`)
    }
    for (const { name, active, content } of (await sieveScripts(store, user)).sort((a, b) =>
      a.name < b.name ? -1 : 1,
    ))
      lines.push(`${user} ${name} ${active && ''} ${content}`)
  }
  return lines
}

/** What the rules of mailboxes forbid. */
const RULES = new Set(['MailboxExistsError', 'MailboxGoneError', 'ForbiddenError', 'BadNameError', 'HasChildrenError'])

interface Pair {
  readonly store: MailStore
  readonly replica: Fixture
  readonly log: LogFiles
  readonly logged: string[]
  connect(): Promise<AnySession>
}

async function start(t: Test, protocol: string): Promise<Pair> {
  const replica = await startServer(`sync_protocol: ${protocol}\n`)
  const { folder, config, store, logged } = await openStore(
    `sync_log: yes\nsync_host: 127.0.0.1\nsync_port: ${replica.port}\nsync_authname: repl\nsync_password: replpw\nsync_batch_size: 7\ndelete_mode: immediate\n`,
  )
  const sessions: AnySession[] = []
  t.teardown(async () => {
    for (const { peer } of sessions) await peer.exit()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
    await replica.close()
  })
  return {
    store,
    replica,
    logged,
    log: new LogFiles(config.directory, ''),
    async connect() {
      const peer = await Peer.open(targetOf(config, '', undefined)!)
      const options = { tell: () => {}, noCopyback: false, localOnly: false, partition: undefined, pauses: [0] }
      const session = sessionWith(peer, store, collectingLog(logged), options)
      sessions.push(session)
      return session
    },
  }
}

async function rollOnce({ store, log }: Pair, session: AnySession): Promise<string[]> {
  await store.settled()
  const taken = await log.take()
  if (taken === undefined) return []
  const failed = await replicateLog(session, taken.lines, () => false)
  log.done([])
  return failed
}

/** One change of any kind. */
async function change(store: MailStore, random: (below: number) => number, uuids: MessageUuids): Promise<void> {
  const one = <T>(items: readonly T[]): T => items[random(items.length)]!
  const all = [...store.mailboxes('')].filter(isShown)
  const mailbox = one(all)
  const user = one(['alice', 'bob'])
  const uidsOf = ({ id }: MailboxHeader): number[] => {
    const index = store.index(id)!
    return [...index.visibleUids].filter(() => random(3) === 0)
  }
  const fresh = (): string => `user.alice.${one(['a', 'b', 'c', 'with space', 'd&AOk-', 'a.deep'])}`
  switch (random(16)) {
    case 0:
    case 1:
    case 2:
    case 3: {
      const staged = []
      for (let n = 0; n <= random(12); n++) {
        const text = `From: A <a@example.org>\r\nSubject: ${random(1000)}\r\n${random(2) === 0 ? 'Date: Tue, 06 Feb 2007 18:49:19 +0000\r\n' : ''}${random(4) === 0 ? 'X: \xc3\xa9\r\n' : ''}\r\nbody ${random(1e6)}\r\n`
        staged.push(await store.stageBuffer(mailbox.partition, Buffer.from(text, 'latin1')))
      }
      const items = staged.map((each) => ({
        staged: each,
        flags: one([0, Flag.Flagged, Flag.Draft, Flag.Seen]),
        keywords: random(3) === 0 ? [one(['$Work', 'kw', 'Other'])] : [],
        // some services make UUIDs, some do not
        ...(random(3) > 0 && { uuid: uuids.next()! }),
      }))
      await appendMessages(store, mailbox, items, { userid: user })
      for (const each of staged) store.unstage(each)
      return
    }
    case 4:
    case 5: {
      const flags = one([Flag.Seen, Flag.Answered, Flag.Flagged | Flag.Seen, Flag.Deleted])
      const keywords = random(2) === 0 ? ['$Work'] : []
      await storeFlags(
        store,
        mailbox,
        uidsOf(mailbox),
        { mode: one(['add', 'remove', 'replace']), flags, keywords },
        user,
      )
      return
    }
    case 6:
      await expungeMessages(store, mailbox, uidsOf(mailbox))
      return
    case 7:
    case 8:
      await copyMessages(store, mailbox, uidsOf(mailbox), one(all), user, () => false)
      return
    case 9:
      await createMailbox(store, fresh())
      return
    case 10:
      await renameMailbox(store, one(all).name, fresh())
      return
    case 11:
      if (/\..*\./.test(mailbox.name)) await deleteMailbox(store, mailbox.name)
      return
    case 12:
      await setSubscribed(store, user, mailbox.name, random(2) === 0)
      return
    case 13:
      await setAcl(store, mailbox, (acl) => `${acl.replace(/\tbob\t.*/, '\t')}bob\tlrs${one(['', 'w', 'i'])}\t`)
      return
    case 14:
      await setQuota(store, 'user.alice', { STORAGE: 1000 + random(3) })
      await setMailboxAnnotations(store, mailbox, [
        {
          entry: '/comment',
          userid: one(['', 'bob']),
          value: one([undefined, Buffer.from('none'), Buffer.from('a "b"')]),
        },
      ])
      await setServerAnnotations(store, [{ entry: '/comment', userid: '', value: Buffer.from(`${random(3)}`) }])
      return
    case 15:
      await markRecent(store, mailbox, user, mailbox.lastUid)
      if (random(2) === 0) await putSieveScript(store, 'alice', one(['x', 'y']), Buffer.from(`# ${random(5)}\r\n`))
      else await activateSieveScript(store, 'alice', undefined)
  }
}

for (const protocol of ['2.3.8', '2.3.10', '2.3.16']) {
  t.test(`random work over ${protocol}`, async (t) => {
    const pair = await start(t, protocol)
    const { store, replica } = pair
    const release = protocolOf(replica.config, protocol) as Release
    const uuids = new MessageUuids(uuidPrefix({ machine: 1, generation: 0, startTime: 1795430161, child: 1 }))
    for (const user of ['alice', 'bob']) await createMailbox(store, `user.${user}`)
    await createMailbox(store, 'shared')
    const seed = Number(process.env.SEED ?? 23)
    const random = randomness(seed)
    let session = await pair.connect()
    for (let round = 0; round < 12; round++) {
      for (let n = 0; n < 8; n++)
        await change(store, random, uuids).catch((error: Error) => {
          // what the rules of mailboxes forbid
          if (!RULES.has(error.name)) throw error
        })
      if (round % 4 === 3) session = await pair.connect()
      t.same(await rollOnce(pair, session), [], `round ${round}, seed ${seed}`)
      const [ours, theirs] = [await picture(store, release), await picture(replica.store, release)]
      if (!t.same(theirs, ours, `round ${round}, seed ${seed}: equal`)) break
    }
    const told: string[] = []
    const again = await pair.connect()
    Object.assign(again.options, { tell: (line: string) => told.push(line) })
    await replicateUser(again, 'alice')
    t.same(told, ['USER alice'], 'nothing is left to be done')
  })
}

t.test('a mailbox that has been renamed since the log was written is renamed, not sent again', async (t) => {
  const pair = await start(t, '2.3')
  const { store, replica } = pair
  await createMailbox(store, 'user.alice')
  const mailbox = await createMailbox(store, 'user.alice.a')
  const staged = await store.stageBuffer('default', Buffer.from('Subject: x\r\n\r\nx\r\n'))
  await appendMessages(store, mailbox, [{ staged, flags: Flag.Seen, keywords: [] }])
  store.unstage(staged)
  const sent = { messages: 0, bytes: 0 }
  const session = await pair.connect()
  Object.assign(session.options, { sent })
  t.same(await rollOnce(pair, session), [])
  await renameMailbox(store, 'user.alice.a', 'user.alice.b')
  t.same(await replicateLog(session, ['MAILBOX user.alice.a'], () => false), [], 'of which the log does not speak yet')
  t.same(await rollOnce(pair, session), [])
  const release = protocolOf(replica.config, '2.3') as Release
  t.same(await picture(replica.store, release), await picture(store, release))
  t.equal(sent.messages, 1)
  // lost there: what was told of it is told again
  await deleteMailbox(replica.store, 'user.alice.b')
  t.same(await replicateLog(session, ['MAILBOX user.alice.b'], () => false), [])
  t.same(await picture(replica.store, release), await picture(store, release))
  t.equal(sent.messages, 2)
  const bytes = await replica.store.readMessage(replica.store.mailbox('user.alice.b')!, 1)
  t.equal(bytes.toString(), 'Subject: x\r\n\r\nx\r\n')
})

t.test('a copy keeps its message’s UUID, and is not sent again; without UUID it is', async (t) => {
  const pair = await start(t, '2.3')
  const { store, replica } = pair
  const inbox = await createMailbox(store, 'user.alice')
  const uuids = new MessageUuids(uuidPrefix({ machine: 7, generation: 0, startTime: 1795430161, child: 2 }))
  for (const uuid of [uuids.next(), undefined]) {
    const staged = await store.stageBuffer('default', Buffer.from(`Subject: ${uuid}\r\n\r\nx\r\n`))
    await appendMessages(store, inbox, [{ staged, flags: 0, keywords: [], ...(uuid && { uuid }) }])
    store.unstage(staged)
  }
  const sent = { messages: 0, bytes: 0 }
  const session = await pair.connect()
  Object.assign(session.options, { sent })
  await replicateUser(session, 'alice')
  t.equal(sent.messages, 2)
  const copies = await createMailbox(store, 'user.alice.copies')
  await copyMessages(store, inbox, [1, 2], copies, 'alice', () => false)
  // another connection knows nothing of what was staged on the first
  const next = await pair.connect()
  Object.assign(next.options, { sent })
  await replicateUser(next, 'alice')
  t.equal(sent.messages, 3, 'the one without')
  const index = replica.store.index(replica.store.mailbox('user.alice.copies')!.id)!
  t.same(
    [0, 1].map((row) => index.record(row).uuid),
    ['010700' + '6b041711' + '0002' + '000000', '0'.repeat(24)],
  )
})
