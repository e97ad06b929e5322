/**
 * RESTORE, which backup tools use, said to our sync_server and to the real one: the same answers, and the same mailboxes afterwards. Into
 * mailboxes that are there: where 3.6.1 has to make one, it dies of an assertion (user_isnamespacelocked), so that is asked of ours alone.
 */
import t from 'tap'
import { guidOf } from '../../lib/message/summary.js'
import { compareViews, viewOf } from '../lab/compare.js'
import { ADMIN } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { RawClient } from '../sync/server_fixture.js'

const message = (n: number): Buffer =>
  Buffer.from(`From: a@example.org\r\nSubject: ${n}\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\nbody ${n}\r\n`)
const record = (n: number, uid: number, modseq: number, flags = ''): string =>
  `%(UID ${uid} MODSEQ ${modseq} LAST_UPDATED 1170787759 FLAGS (${flags}) INTERNALDATE 1170787759 SIZE ${message(n).length} GUID ${guidOf(message(n))})`

t.test('both answer alike and end alike', { timeout: 60_000 }, async (t) => {
  if (!needsCyrus(t)) return
  const lab = await Lab.start('ours_to_cyrus.ini', { rolling: false, users: ['alice'] })
  t.teardown(() => lab.stop())
  const other = await Lab.start('cyrus_to_ours.ini', { rolling: false, users: ['alice'] })
  t.teardown(() => other.stop())
  const sides = [other.replica, lab.replica]
  const answers: string[][] = []
  for (const instance of sides) {
    await lab.createUsers(instance)
    const admin = await lab.login(ADMIN.user, instance, ADMIN.password)
    await admin.ok('CREATE user/alice/sub')
    await admin.logout()
    const said: string[] = []
    const client = await RawClient.connect(instance.ports.sync)
    await client.until(/^\* OK[^\n]*\n/m)
    const ask = async (text: string): Promise<void> => {
      client.say(text)
      const answer = await client.until(/^(?:OK|NO|BAD|BYE|\* Fatal)[^\n]*\n/m)
      said.push(`${text.slice(0, 60).split('\r')[0]} -> ${answer.trim()}`)
    }
    const upload = async (...numbers: number[]): Promise<void> => {
      for (const n of numbers)
        await ask(
          `APPLY MESSAGE (%{default ${guidOf(message(n))} ${message(n).length}}\r\n${message(n).toString('latin1')})\r\n`,
        )
    }
    await ask(`AUTHENTICATE PLAIN ${Buffer.from(`\0repl\0replpw`).toString('base64')}\r\n`)
    await ask('APPLY CAPABILITIES (SIEVE-MAILBOX)\r\n')
    await ask('RESTORE\r\n')
    await ask('RESTORE USER alice\r\n')
    await ask('RESTORE MAILBOX %(ACL x)\r\n')
    await upload(1, 2, 3, 4, 5)
    const acl = 'PARTITION default ACL "alice\tlrs\t" OPTIONS P'
    const note = (text: string): string => `ANNOTATIONS (%(ENTRY /comment USERID "" MODSEQ 0 VALUE ${text}))`
    // identity, UIDs and mod-sequences of what is there already are not taken over
    await ask(
      `RESTORE MAILBOX %(MBOXNAME user.alice UNIQUEID 34zcgchopcdr7dna19vfmf7l HIGHESTMODSEQ 20 UIDVALIDITY 1170787000 ${acl} ${note('first')} RECORD (${record(1, 3, 12, '\\Seen')} ${record(2, 7, 15, '\\Flagged $Work')}))\r\n`,
    )
    // nor are annotations
    await ask(`RESTORE MAILBOX %(MBOXNAME user.alice ${acl} ${note('second')} RECORD (${record(3, 3, 12)}))\r\n`)
    await ask(
      `RESTORE LOCAL_MAILBOX %(MBOXNAME user.alice.sub ${acl} RECORD (${record(4, 9, 5, 'kw')} ${record(1, 10, 6)}))\r\n`,
    )
    // never sent
    await ask(`RESTORE MAILBOX %(MBOXNAME user.alice.sub ${acl} RECORD (${record(9, 1, 1)}))\r\n`)
    await ask('EXIT\r\n')
    answers.push(said)
  }
  const [ours, theirs] = answers
  t.strictSame(ours, theirs)
  const views = []
  for (const [n, each] of [other, lab].entries()) {
    const client = await each.login('alice', each.replica)
    const view = await viewOf(client)
    for (const key of [...view.keys()]) if (key.endsWith(' UIDVALIDITY')) view.delete(key)
    const comment = await client.command('GETMETADATA INBOX /shared/comment')
    view.set(
      'comment',
      comment.untagged
        .map(({ text }) => text)
        .join('')
        .replace(/"\/shared/, '/shared')
        .replace('comment"', 'comment'),
    )
    views.push(view)
    await client.logout()
    t.ok(view.size > 15, `side ${n}: ${view.size} facts`)
  }
  t.strictSame(compareViews('alice', views[0]!, views[1]!).differences, [])
  t.match(views[0]!.get('comment'), /NIL/)
})

t.test('inside IMAP, and mailboxes that have to be made', { timeout: 60_000 }, async (t) => {
  const lab = await Lab.start('pair.ini', { rolling: false, users: ['alice'] })
  t.teardown(() => lab.stop())
  const admin = await lab.login(ADMIN.user, lab.replica, ADMIN.password)
  const bytes = message(1)
  t.match(
    await admin.command(
      `SYNCAPPLY MESSAGE (%{default ${guidOf(bytes)} ${bytes.length}}\r\n${bytes.toString('latin1')})`,
    ),
    { status: 'OK' },
  )
  t.match(await admin.command(`SYNCRESTORE MAILBOX %(MBOXNAME user.alice RECORD (${record(1, 5, 5, '\\Seen')}))`), {
    status: 'OK',
    text: /success/,
  })
  t.match(await admin.command('SYNCRESTORE USER alice'), { status: 'NO', text: /IMAP_PROTOCOL_ERROR/ })
  const identity = 'UNIQUEID 34zcgchopcdr7dna19vfmf7l HIGHESTMODSEQ 20 UIDVALIDITY 1170787000'
  t.match(
    await admin.command(
      `SYNCRESTORE MAILBOX %(MBOXNAME user.alice.old ${identity} ANNOTATIONS (%(ENTRY /comment USERID "" MODSEQ 0 VALUE kept)) RECORD (${record(1, 3, 12, '\\Seen')}))`,
    ),
    { status: 'OK' },
  )
  t.match(
    await admin.command(`SYNCRESTORE MAILBOX %(MBOXNAME user.alice.twin ${identity} RECORD ())`),
    { status: 'NO', text: /IMAP_MAILBOX_MOVED/ },
    'there is one with that UNIQUEID',
  )
  await admin.logout()
  const user = await lab.login('alice', lab.replica)
  t.match((await user.ok('STATUS INBOX (MESSAGES UNSEEN UIDNEXT)')).untagged[0]?.text, /MESSAGES 1 UIDNEXT 2 UNSEEN 0/)
  t.match(
    (await user.ok('STATUS INBOX/old (MESSAGES UIDNEXT UIDVALIDITY)')).untagged[0]?.text,
    /MESSAGES 1 UIDNEXT 4 UIDVALIDITY 1170787000/,
    'as it was',
  )
  t.match((await user.ok('GETMETADATA INBOX/old /shared/comment')).untagged[0]?.text, /kept/)
  await user.ok('EXAMINE INBOX/old (CONDSTORE)')
  t.match((await user.ok('FETCH 1 (UID MODSEQ FLAGS)')).untagged[0]?.text, /MODSEQ \(12\)/)
  await user.logout()
})
