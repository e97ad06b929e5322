/** Annotations of server, mailboxes and messages: what is kept, what it costs, what the replication log says, which values entries take. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { annotationEntries, canonicalValue, settableEntry } from '../../lib/mailbox/annotation_entries.js'
import {
  annotationValue,
  setMailboxAnnotations,
  setMessageAnnotations,
  setServerAnnotations,
} from '../../lib/mailbox/annotations.js'
import { expireExpunged } from '../../lib/mailbox/expire.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { appendMessages, copyMessages, expungeMessages } from '../../lib/mailbox/messages.js'
import { quotaUsage, setQuota } from '../../lib/mailbox/quota.js'
import { VENDOR } from '../../lib/store/store.js'
import { storeFixture } from '../fixture_store.js'

const set = (entry: string, value: string | undefined, userid = '') => ({
  entry,
  userid,
  value: value === undefined ? undefined : Buffer.from(value),
})
const told = (annotations: { entry: string; userid: string; value: Buffer }[]): string[] =>
  annotations.map(({ entry, userid, value }) => `${entry}|${userid}|${value}`)

t.test('annotations of mailboxes and of the server', async (t) => {
  const { store, directory } = await storeFixture(t)
  const inbox = await createMailbox(store, 'user.alice')
  await store.settled()
  const log = () => readFileSync(join(directory, 'conf/sync/log'), 'utf8')
  const before = log()
  await setMailboxAnnotations(store, inbox, [set('/comment', 'ours'), set('/comment', 'mine', 'alice')])
  t.same(told(store.annotations(inbox.id)), ['/comment||ours', '/comment|alice|mine'])
  const first = store.mailbox('user.alice')!
  t.equal(first.annotationOctets, 8)
  t.equal(first.highestModseq, inbox.highestModseq + 1)
  t.equal(first.folderModseq, first.highestModseq)
  await store.settled()
  t.equal(log().slice(before.length), 'MAILBOX user.alice\n')

  await setMailboxAnnotations(store, inbox, [set('/comment', 'ours')])
  t.equal(store.mailbox('user.alice')!.highestModseq, first.highestModseq, 'the same value changes nothing')
  await setMailboxAnnotations(store, inbox, [set('/comment', undefined), set('/comment', 'm', 'alice')])
  t.same(told(store.annotations(inbox.id)), ['/comment|alice|m'])
  t.equal(store.mailbox('user.alice')!.annotationOctets, 1)

  await setMailboxAnnotations(store, inbox, [
    set(`${VENDOR}sharedseen`, 'true'),
    set(`${VENDOR}pop3newuidl`, 'false'),
    set(`${VENDOR}pop3showafter`, ' 1-Jan-2020 00:00:00 +0000'),
  ])
  const fields = store.mailbox('user.alice')!
  t.equal(fields.options, 'S')
  t.equal(fields.pop3ShowAfter, 1577836800)
  t.equal(store.annotations(inbox.id).length, 1, 'these are fields of the mailbox')

  await store.settled()
  const length = log().length
  await setServerAnnotations(store, [set('/comment', 'server'), set('/comment', 'a', 'alice')])
  t.same(told(store.annotations(0)), ['/comment||server', '/comment|alice|a'])
  await setServerAnnotations(store, [set('/comment', undefined)])
  t.same(told(store.annotations(0)), ['/comment|alice|a'])
  await store.settled()
  t.equal(log().slice(length), 'ANNOTATION ""\nANNOTATION ""\n')
})

t.test('annotations of messages', async (t) => {
  const { store } = await storeFixture(t, 'expunge_mode: delayed')
  const inbox = await createMailbox(store, 'user.alice')
  const other = await createMailbox(store, 'user.alice.other')
  const staged = await store.stageBuffer('default', Buffer.from('Subject: x\r\n\r\nx\r\n'))
  const { uids } = await appendMessages(store, inbox, [
    { staged, flags: 0, keywords: [] },
    { staged, flags: 0, keywords: [], annotations: [set('/comment', 'appended')] },
  ])
  t.same(told(store.messageAnnotations(inbox.id, 2)), ['/comment||appended'])
  const changes = [set('/comment', 'shared'), set('/comment', 'private', 'alice'), set('/comment', 'his', 'bob')]
  t.same(await setMessageAnnotations(store, inbox, uids, changes), { uids: [1, 2], modified: [] })
  t.same((await setMessageAnnotations(store, inbox, uids, changes)).uids, [], 'the same again changes nothing')
  const header = store.mailbox('user.alice')!
  t.equal(header.annotated, 6)
  t.equal(header.annotationOctets, 32)
  t.equal(store.index(inbox.id)!.record(0).modseq, header.highestModseq)
  t.same(
    store.messageAnnotations(inbox.id, 1).map(({ modseq }) => modseq),
    [header.highestModseq, header.highestModseq, header.highestModseq],
  )

  await copyMessages(store, header, [1], other, 'alice', () => false)
  t.same(
    told(store.messageAnnotations(other.id, 1)),
    ['/comment||shared', '/comment|alice|private'],
    'a copy has the shared ones and one’s own',
  )
  await setMessageAnnotations(store, inbox, [1], [set('/comment', undefined, 'bob')])
  t.same(told(store.messageAnnotations(inbox.id, 1)), ['/comment||shared', '/comment|alice|private'])

  await expungeMessages(store, inbox, [1, 2])
  await expireExpunged(store, inbox, Infinity)
  t.same(store.messageAnnotations(inbox.id, 1), [])
  t.equal(store.mailbox('user.alice')!.annotationOctets, 0)
})

t.test('annotations count against X-ANNOTATION-STORAGE', async (t) => {
  const { store } = await storeFixture(t)
  const inbox = await createMailbox(store, 'user.alice')
  await setQuota(store, 'user.alice', { 'X-ANNOTATION-STORAGE': 1 })
  await setMailboxAnnotations(store, inbox, [set('/comment', 'x'.repeat(1000))])
  t.equal(quotaUsage(store, 'user.alice').annotationBytes, 1000)
  const more = set('/sort', 'x'.repeat(25))
  await t.rejects(setMailboxAnnotations(store, inbox, [more]), {
    name: 'OverQuotaError',
    resource: 'X-ANNOTATION-STORAGE',
  })
  const staged = await store.stageBuffer('default', Buffer.from('Subject: x\r\n\r\nx\r\n'))
  const { uids } = await appendMessages(store, inbox, [{ staged, flags: 0, keywords: [] }])
  await t.rejects(setMessageAnnotations(store, inbox, uids, [more]), { name: 'OverQuotaError' })
  await setMailboxAnnotations(store, inbox, [set('/comment', 'y'.repeat(999))])
  t.equal(annotationValue(store.annotations(inbox.id), '/comment', '')?.length, 999, 'what shrinks is taken')
})

t.test('entries and their values', async (t) => {
  const { config, directory } = await storeFixture(t)
  const find = (name: string) => settableEntry(config, 'mailbox', name)
  t.equal(find('/nope'), undefined)
  t.equal(find(`${VENDOR}size`), undefined, 'read-only')
  const values: [string, string, string | undefined][] = [
    ['/comment', 'anything', 'anything'],
    ['/check', 'TRUE', 'true'],
    ['/check', 'maybe', undefined],
    ['/checkperiod', '18446744073709551615', '18446744073709551615'],
    ['/checkperiod', '18446744073709551616', undefined],
    ['/checkperiod', '-1', undefined],
    [`${VENDOR}expire`, '7', '7'],
    [`${VENDOR}expire`, '1h30m', '1h30m'],
    [`${VENDOR}expire`, 'x', undefined],
    [`${VENDOR}pop3showafter`, '23-Nov-2026 15:17:16 +0000', '23-Nov-2026 15:17:16 +0000'],
    [`${VENDOR}pop3showafter`, 'foo', undefined],
  ]
  for (const [name, value, kept] of values) {
    const canonical = () => canonicalValue(find(name)!, Buffer.from(value)).toString()
    if (kept === undefined) t.throws(canonical, { name: 'AnnotationValueError' }, `${name} ${value}`)
    else t.equal(canonical(), kept, `${name} ${value}`)
  }

  const file = join(directory, 'definitions')
  writeFileSync(file, '# ours\n\n/vendor/x/y, mailbox, uint, backend, value.shared, w\n')
  const { config: defined } = await storeFixture(t, `annotation_definitions: ${file}`)
  t.match(settableEntry(defined, 'mailbox', '/vendor/x/y'), { type: 'uint', shared: true, private: false, rights: 'w' })
  t.equal(settableEntry(defined, 'message', '/vendor/x/y'), undefined)
  writeFileSync(file, '/vendor/x/y, mailbox, uint, backend, value.shared, w\n/a, planet, string, backend, value, w\n')
  const { config: wrong } = await storeFixture(t, `annotation_definitions: ${file}`)
  t.throws(() => annotationEntries(wrong, 'mailbox'), {
    message: `${file}:2: "planet" is no scope: server, mailbox or message`,
  })

  const { config: free } = await storeFixture(t, 'annotation_allow_undefined: yes')
  t.ok(settableEntry(free, 'mailbox', '/vendor/any/thing'))
  for (const bad of ['/a//b', '/a/', '/a*', '/a%', '/', `${VENDOR}mine`, '/a\x07'])
    t.equal(settableEntry(free, 'mailbox', bad), undefined, bad)
  t.equal(settableEntry(free, 'message', '/flags/x'), undefined)
})
