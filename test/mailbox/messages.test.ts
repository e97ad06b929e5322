/** Rules over the store: adding, flagging, copying, expunging messages; folders; seen state of guests; quota; the log lines that go with them. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMailbox, deleteMailbox, renameMailbox } from '../../lib/mailbox/folders.js'
import {
  appendMessages,
  copyMessages,
  expungeMessages,
  moveMessages,
  type NewMessage,
  storeFlags,
} from '../../lib/mailbox/messages.js'
import { checkQuota, quotaUsage, setQuota } from '../../lib/mailbox/quota.js'
import { countUnseen, isSeen, markRecent, recentUid, seenUids } from '../../lib/mailbox/seen.js'
import { setSubscribed } from '../../lib/mailbox/subscriptions.js'
import { Flag, type MailStore } from '../../lib/store/store.js'
import { storeFixture } from '../fixture_store.js'

async function message(
  store: MailStore,
  text: string,
  fields: Partial<NewMessage> = {},
  partition = 'default',
): Promise<NewMessage> {
  const staged = await store.stageBuffer(
    partition,
    Buffer.from(`Subject: ${text}\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\n${text}\r\n`),
  )
  return { staged, flags: 0, keywords: [], ...fields }
}

async function add(store: MailStore, name: string, ...texts: string[]): Promise<number[]> {
  const messages = await Promise.all(texts.map((text) => message(store, text)))
  const { uids } = await appendMessages(store, store.mailbox(name)!, messages)
  for (const { staged } of messages) store.unstage(staged)
  return uids
}

const logOf = (directory: string): string[] => {
  const path = join(directory, 'conf/sync/log')
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
  rmSync(path, { force: true })
  return lines
}

t.test('append: flags, keywords, dates, summary, log lines in the order of a real Cyrus', async (t) => {
  const { store, directory } = await storeFixture(t)
  const alice = await createMailbox(store, 'user.alice')
  t.equal(alice.acl, 'alice\tlrswipkxtecdan\t')
  await store.settled()
  t.same(logOf(directory), ['MAILBOX user.alice'])
  const one = await message(store, 'one', {
    flags: Flag.Seen | Flag.Expunged,
    keywords: ['$Work'],
    internaldate: 1170787759,
  })
  t.same(await appendMessages(store, alice, [one], { userid: 'alice' }), { uidvalidity: alice.uidvalidity, uids: [1] })
  await store.settled()
  t.same(logOf(directory), ['APPEND user.alice', 'MAILBOX user.alice'])
  const record = store.index(alice.id)!.record(0)
  t.match(record, {
    flags: Flag.Seen,
    internaldate: 1170787759,
    modseq: 2,
    createdModseq: 2,
    size: one.staged.size,
    guid: one.staged.guid,
  })
  t.equal(record.sentdate - (record.sentdate % 86400), Date.UTC(2007, 1, 6) / 1000)
  t.match(store.mailboxById(alice.id), { unseen: 0, exists: 1, userFlags: ['$Work'], lastUid: 1, highestModseq: 2 })
  t.ok(store.readCache(alice.id, 1))
})

t.test('flags: add, remove, replace; what does not change is left alone; expunge by flag and by UID', async (t) => {
  const { store } = await storeFixture(t)
  await createMailbox(store, 'user.alice')
  await add(store, 'user.alice', ...Array.from({ length: 600 }, (_, n) => `m${n}`))
  const alice = store.mailbox('user.alice')!
  const all = [...store.index(alice.id)!.uids]
  t.same(await storeFlags(store, alice, all, { mode: 'add', flags: Flag.Flagged, keywords: ['Work'] }, 'alice'), {
    changed: all,
    modified: [],
  })
  t.same(
    await storeFlags(store, alice, all, { mode: 'add', flags: Flag.Flagged, keywords: ['work'] }, 'alice'),
    { changed: [], modified: [] },
    'keywords fold case',
  )
  const before = store.mailboxById(alice.id)!.highestModseq
  t.same(await storeFlags(store, alice, [3, 7777], { mode: 'replace', flags: Flag.Deleted, keywords: [] }, 'alice'), {
    changed: [3],
    modified: [],
  })
  t.match(store.index(alice.id)!.record(2), { flags: Flag.Deleted, modseq: before + 1 })
  await storeFlags(store, alice, [4], { mode: 'remove', flags: Flag.Flagged, keywords: ['Work', 'never'] }, 'alice')
  t.match(store.mailboxById(alice.id), { flagged: 598, deleted: 1, userFlags: ['Work'] })
  t.same(await expungeMessages(store, alice, [2, 3], { onlyDeleted: true }), [3])
  t.same(await expungeMessages(store, alice, [5]), [5])
  t.same(await expungeMessages(store, alice), [])
  t.match(store.mailboxById(alice.id), { exists: 598, expunged: 2 })
  t.ok(existsSync(store.messagePath(alice, 3)), 'kept for a while (expunge_mode: delayed)')
})

t.test('expunge_mode: immediate removes the file', async (t) => {
  const { store } = await storeFixture(t, 'expunge_mode: immediate')
  await createMailbox(store, 'user.alice')
  await add(store, 'user.alice', 'x')
  const alice = store.mailbox('user.alice')!
  await expungeMessages(store, alice, [1])
  await store.settled()
  t.notOk(existsSync(store.messagePath(alice, 1)))
})

t.test(
  'copy: hard links on one partition, bytes across, flags and keywords by name, sources that are gone left out',
  async (t) => {
    const { store, directory } = await storeFixture(t)
    await createMailbox(store, 'user.alice')
    const there = await createMailbox(store, 'user.alice.there')
    const far = await createMailbox(store, 'user.alice.far', { partition: 'other' })
    await add(store, 'user.alice', 'a', 'b', 'c')
    const alice = store.mailbox('user.alice')!
    await storeFlags(store, alice, [1], { mode: 'add', flags: Flag.Answered | Flag.Seen, keywords: ['Work'] }, 'alice')
    await store.write((txn) => void txn.mustMailbox(there.id).flagSlot('First'))
    await store.settled()
    logOf(directory)
    const seen = (uid: number) => uid === 1
    const copied = await copyMessages(store, alice, [1, 2, 99], there, 'alice', seen)
    t.match(copied, { uids: [1, 2], sourceUids: [1, 2] })
    await store.settled()
    t.same(logOf(directory), [
      'DOUBLEMAILBOX user.alice user.alice.there',
      'APPEND user.alice.there',
      'MAILBOX user.alice.there',
    ])
    const index = store.index(there.id)!
    t.equal(index.flags(0), Flag.Answered | Flag.Seen)
    t.ok(index.userFlag(0, 1), 'another number, the same keyword')
    t.same(index.header.userFlags, ['First', 'Work'])
    t.equal(statSync(store.messagePath(there, 1)).ino, statSync(store.messagePath(alice, 1)).ino)
    t.same(store.readCache(there.id, 1), store.readCache(alice.id, 1))
    await copyMessages(store, alice, [3], far, 'alice', seen)
    t.same(await store.readMessage(far, 1), await store.readMessage(alice, 3))
    await expungeMessages(store, alice, [2])
    t.match(await copyMessages(store, alice, [2], there, 'alice', seen), { uids: [] })
  },
)

t.test('a guest reads with a \\Seen of their own', async (t) => {
  const { store, directory } = await storeFixture(t)
  const alice = await createMailbox(store, 'user.alice')
  await add(store, 'user.alice', 'a', 'b', 'c')
  await store.settled()
  logOf(directory)
  const before = store.mailboxById(alice.id)!.highestModseq
  await storeFlags(store, alice, [1, 2], { mode: 'add', flags: Flag.Seen, keywords: [] }, 'bob')
  await storeFlags(store, alice, [2], { mode: 'remove', flags: Flag.Seen, keywords: [] }, 'bob')
  const index = store.index(alice.id)!
  const guest = seenUids(store, index.header, 'bob')
  t.same(
    [0, 1, 2].map((row) => isSeen(index, row, guest)),
    [true, false, false],
  )
  t.equal(countUnseen(index, guest), 2)
  t.equal(countUnseen(index, seenUids(store, index.header, 'alice')), 3)
  t.equal(index.flags(0), 0, 'the owner’s flags are untouched')
  t.equal(index.header.highestModseq, before + 3, 'each change raises the mod-sequence, as in Cyrus')
  await store.settled()
  t.same(new Set(logOf(directory)), new Set(['MAILBOX user.alice', `SEEN bob ${alice.uniqueid}`]))
  t.equal(recentUid(store, alice, 'bob'), 3)
  await markRecent(store, index.header, 'alice', 3)
  t.equal(recentUid(store, store.mailboxById(alice.id)!, 'alice'), 3)
})

t.test('folders: inheritance, delayed and immediate deletion, renames with children, forbidden ones', async (t) => {
  const { store, directory } = await storeFixture(t)
  await createMailbox(store, 'user.alice')
  await t.rejects(createMailbox(store, 'user.nobody.x'), { name: 'MailboxGoneError' })
  await t.rejects(createMailbox(store, 'user.alice..x'), { name: 'BadNameError' })
  await t.rejects(createMailbox(store, 'DELETED.user.x'), { name: 'BadNameError' })
  await store.write((txn) => {
    const writer = txn.mustMailbox('user.alice')
    writer.header.acl += 'bob\tlrs\t'
    writer.touch()
  })
  const a = await createMailbox(store, 'user.alice.a')
  t.equal(a.acl, 'alice\tlrswipkxtecdan\tbob\tlrs\t')
  t.equal((await createMailbox(store, 'shared')).acl, 'anyone\tlrs\t')
  await createMailbox(store, 'user.alice.a.b')
  await setSubscribed(store, 'alice', 'user.alice.a', true)
  await store.settled()
  logOf(directory)
  await renameMailbox(store, 'user.alice.a', 'user.alice.c')
  t.same(
    [...store.mailboxes('user.alice')].map((m) => m.name),
    ['user.alice', 'user.alice.c', 'user.alice.c.b'],
  )
  t.match(store.mailbox('user.alice.c'), {
    uniqueid: a.uniqueid,
    uidvalidity: a.uidvalidity,
    folderModseq: 2,
    highestModseq: 2,
  })
  await store.settled()
  t.same(logOf(directory).slice(0, 3), [
    'RENAME user.alice.a user.alice.c',
    'MAILBOX user.alice.a',
    'MAILBOX user.alice.c',
  ])
  await t.rejects(renameMailbox(store, 'user.alice', 'user.bob'), { name: 'ForbiddenError' })
  await t.rejects(renameMailbox(store, 'user.alice.c', 'user.alice.c.b'), /exists/)
  await t.rejects(deleteMailbox(store, 'user.alice.c'), { name: 'HasChildrenError' })
  const made = await createMailbox(store, 'user.alice.p.q.r')
  t.equal(store.mailbox('user.alice.p.q')?.acl, made.acl, 'what is missing above is made')
  const p = store.mailbox('user.alice.p')!
  t.same(await renameMailbox(store, 'user.alice.p', 'user.alice.p.x.y'), [])
  t.equal(store.mailbox('user.alice.p.x.y')?.uniqueid, p.uniqueid, 'it moves alone')
  t.ok(store.mailbox('user.alice.p.q.r'), 'what was below stays')
  t.not(store.mailbox('user.alice.p')?.uniqueid, p.uniqueid, 'another one takes its place')
  t.ok(store.mailbox('user.alice.p.x'))
  await deleteMailbox(store, 'user.alice.c.b')
  await deleteMailbox(store, 'user.alice.c')
  t.match(
    [...store.mailboxes('DELETED')].map((m) => m.name),
    [/^DELETED\.user\.alice\.c\.[0-9A-F]{8}$/, /^DELETED\.user\.alice\.c\.b\.[0-9A-F]{8}$/],
  )
  for (const { name } of [...store.mailboxes('DELETED')]) await deleteMailbox(store, name)
  t.same([...store.mailboxes('DELETED')], [])
  await deleteMailbox(store, 'user.alice')
  t.same([...store.mailboxes('user.alice')], [])
  t.same([...store.subscriptions('alice')], [])
  await store.settled()
  t.ok(logOf(directory).includes('UNUSER alice'))
})

t.test('quota: nearest root, usage from the mailboxes themselves', async (t) => {
  const { store } = await storeFixture(t)
  await createMailbox(store, 'user.alice')
  await createMailbox(store, 'user.alice.a')
  await add(store, 'user.alice.a', 'x', 'y')
  await setQuota(store, 'user.alice', { STORAGE: 1, MESSAGE: 3 })
  t.match(quotaUsage(store, 'user.alice'), { messages: 2, folders: 2 })
  checkQuota(store, 'user.alice.a', 100, 1)
  t.throws(() => checkQuota(store, 'user.alice.a', 100, 2), { name: 'OverQuotaError', resource: 'MESSAGE' })
  t.throws(() => checkQuota(store, 'user.alice.a', 5000, 1), { name: 'OverQuotaError', resource: 'STORAGE' })
  await setQuota(store, 'user.alice', undefined)
  checkQuota(store, 'user.alice.a', 5000, 10)
})

t.test('copying to another partition leaves out what is gone, and a missing file leaves nothing behind', async (t) => {
  const { store, directory } = await storeFixture(t, 'expunge_mode: immediate')
  const from = await createMailbox(store, 'user.alice')
  const to = await createMailbox(store, 'user.alice.there', { partition: 'other' })
  await add(store, 'user.alice', 'one', 'two', 'three')
  await expungeMessages(store, from, [2])
  await store.settled()
  const copied = await copyMessages(store, from, [1, 2, 3], to, 'alice', () => false)
  t.same(
    [copied.sourceUids, copied.uids],
    [
      [1, 3],
      [1, 2],
    ],
  )
  t.match(String(await store.readMessage(to, 2)), /three/)
  rmSync(store.messagePath(from, 3))
  await t.rejects(
    copyMessages(store, from, [1, 3], to, 'alice', () => false),
    /message 3: file is missing/,
  )
  await store.settled()
  await new Promise((resolve) => setImmediate(resolve))
  const stage = join(directory, 'other/stage.')
  const left = readdirSync(stage).filter((name) => statSync(join(stage, name)).size > 0)
  t.same(left, [])
})

t.test('a move is one commit: a message is never in both mailboxes, nor in neither', async (t) => {
  const { store } = await storeFixture(t)
  for (const name of ['user.alice', 'user.alice.old']) await createMailbox(store, name)
  await add(store, 'user.alice', 'one', 'two', 'three')
  const [from, to] = [store.mailbox('user.alice')!, store.mailbox('user.alice.old')!]
  const counts: string[] = []
  const write = store.write.bind(store)
  store.write = async (...args: Parameters<typeof write>) => {
    const result = await write(...args)
    store.refresh()
    counts.push(`${store.mailbox('user.alice')!.exists} and ${store.mailbox('user.alice.old')!.exists}`)
    return result as never
  }
  const moved = await moveMessages(store, from, [1, 3], to, 'alice', () => true)
  store.write = write
  t.strictSame(moved, { uidvalidity: to.uidvalidity, uids: [1, 2], sourceUids: [1, 3] })
  t.strictSame(counts, ['1 and 2'])
  t.match(await store.readMessage(store.mailbox('user.alice.old')!, 2), /three/)
  const gone = await moveMessages(store, from, [1, 2], { ...to, id: 999_999 }, 'alice', () => true)
  t.match(gone, { uids: [], failure: { name: 'MailboxGoneError' } })
  store.refresh()
  t.equal(store.mailbox('user.alice')!.exists, 1, 'what cannot be moved stays')
})
