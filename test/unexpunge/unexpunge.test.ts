/** unexpunge over a real store: what it lists, what comes back and how, what its command line refuses. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import { setMessageAnnotations } from '../../lib/mailbox/annotations.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { appendMessages, expungeMessages } from '../../lib/mailbox/messages.js'
import { expungedMessages, restoreExpunged } from '../../lib/mailbox/unexpunge.js'
import { Flag, MailStore } from '../../lib/store/store.js'
import { silent, storeFixture } from '../fixture_store.js'
import { program } from '../lab/software.js'

const TEXT = 'From: =?UTF-8?Q?J=C3=B6rg?= <joerg@example.org>\r\nSubject: found again\r\n\r\nhello\r\n'

t.test('messages come back with all that was theirs', async (t) => {
  const { store } = await storeFixture(t)
  const inbox = await createMailbox(store, 'user.alice')
  const staged = await store.stageBuffer('default', Buffer.from(TEXT))
  await appendMessages(
    store,
    inbox,
    [1, 2, 3].map(() => ({ staged, flags: Flag.Deleted | Flag.Flagged, keywords: ['Work'] })),
  )
  await setMessageAnnotations(store, inbox, [1], [{ entry: '/comment', userid: '', value: Buffer.from('kept') }])
  await expungeMessages(store, inbox, [1, 3])
  t.same(
    [...expungedMessages(store, inbox)].map(({ uid }) => uid),
    [1, 3],
  )
  t.same(
    await restoreExpunged(store, inbox, [1, 2], { undelete: true, keyword: 'Again' }),
    [[1, 4]],
    '2 is no expunged one',
  )
  const index = store.index(inbox.id)!
  const record = index.record(index.findUid(4))
  t.equal(record.flags, Flag.Flagged)
  t.equal((await store.readMessage(inbox, 4)).toString(), TEXT)
  t.same(
    store.messageAnnotations(inbox.id, 4).map(({ value }) => value.toString()),
    ['kept'],
  )
  t.match(store.mailboxById(inbox.id), { exists: 2, lastUid: 4, userFlags: ['Work', 'Again'] })
  t.same(
    [...expungedMessages(store, inbox)].map(({ uid }) => uid),
    [3],
    'it does not come back twice',
  )
  t.same(await restoreExpunged(store, inbox, [3], { undelete: false }), [[3, 5]])
  const other = store.index(inbox.id)!
  t.equal(other.record(other.findUid(5)).flags, Flag.Flagged | Flag.Deleted)
  await store.settled()
  t.notOk(existsSync(store.messagePath(inbox, 1)))
})

t.test('the program', async (t) => {
  const { config, store } = await storeFixture(t, `cyrus_user: ${process.env.USER ?? 'root'}\nunixhierarchysep: yes`)
  const inbox = await createMailbox(store, 'user.alice')
  const staged = await store.stageBuffer('default', Buffer.from(TEXT))
  await appendMessages(
    store,
    inbox,
    [1, 2, 3].map(() => ({ staged, flags: Flag.Deleted, keywords: [] })),
  )
  await expungeMessages(store, inbox, [1, 2, 3])
  await store.settled()
  const run = (...args: string[]) =>
    spawnSync(program('ours', 'unexpunge'), ['-C', config.path, ...args], { encoding: 'utf8' })
  const listed = run('-l', 'user/alice', '2', '3')
  t.equal(listed.status, 0, listed.stderr)
  t.match(
    listed.stdout,
    /^UID: 2\n\tSize: \d+\n\tSent: .*\n\tRecv: .*\n\tExpg: .*\n\tFrom: Jörg <joerg@example.org>\n\tTo {2}: \n/,
  )
  t.match(listed.stdout, /\tSubj: found again\n/)
  t.notMatch(listed.stdout, /UID: 1\n/)
  t.match(run('-u', '-d', '-v', 'user/alice', '2'), {
    status: 0,
    stdout:
      "restoring expunged messages in mailbox 'user/alice'\nUnexpunged user/alice: 2 => 4\nrestored 1 expunged messages\n",
  })
  t.match(run('-t', '1h', '-f', 'Saved', 'user/alice'), { status: 0, stdout: /restored 2 expunged messages\n$/ })
  t.match(run('-a', 'user/alice'), { status: 0, stdout: /restored 0 expunged messages\n$/ })
  t.match(run('-a', 'user/nobody'), { status: 71, stderr: 'unexpunge: user/nobody: no such mailbox\n' })
  for (const [args, problem] of [
    [['user/alice'], /exactly one of/],
    [['-a', '-l', 'user/alice'], /exactly one of/],
    [['-a'], /no mailbox/],
    [['-u', 'user/alice'], /-u needs UIDs/],
    [['-u', 'user/alice', 'x'], /"x" is no UID/],
    [['-t', 'soon', 'user/alice'], /"soon" is no time/],
    [['-a', '-f', '\\Seen', 'user/alice'], /is no keyword/],
  ] as const)
    t.match(run(...args), { status: 64, stderr: problem }, args.join(' '))
  const again = await MailStore.open(config, silent)
  t.match(again.mailbox('user.alice'), { exists: 3, lastUid: 6, deleted: 2 })
  await again.close()
})
