/** What later releases of 2.3 are told otherwise (csync-2.3.md §14): our client against a replica of each, which its greeting names. */
import { rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { createMailbox } from '../../../lib/mailbox/folders.js'
import { appendMessages, storeFlags } from '../../../lib/mailbox/messages.js'
import { guidOf } from '../../../lib/message/summary.js'
import { Flag, type MailStore } from '../../../lib/store/store.js'
import { replicateMailboxes, sessionWith } from '../../../lib/sync/client/any_generation.js'
import { Peer } from '../../../lib/sync/client/peer.js'
import { targetOf } from '../../../lib/sync/client/target.js'
import { ClientSession23 } from '../../../lib/sync/v23/client/session.js'
import { collectingLog, openStore } from '../server_fixture.js'
import { replica, type Step } from './scripted_replica.js'

const UUID = '0101006b0417110001000000'

const message = (n: number): Buffer => Buffer.from(`Subject: m${n}\r\n\r\nx\r\n`)
const guid = (n: number): string => guidOf(message(n))

/** A shared mailbox with two messages, the first of which has a UUID and was flagged. */
async function fill(store: MailStore): Promise<void> {
  const mailbox = await createMailbox(store, 'shared')
  await store.write((txn) => {
    const writer = txn.mustMailbox(mailbox.id)
    writer.header.uidvalidity = 77
    writer.touch()
  })
  for (const n of [1, 2]) {
    const staged = await store.stageBuffer('default', message(n))
    const item = { staged, flags: 0, keywords: [], internaldate: 1170787759, ...(n === 1 && { uuid: UUID }) }
    await appendMessages(store, mailbox, [item])
    store.unstage(staged)
  }
  await storeFlags(store, mailbox, [1], { mode: 'add', flags: Flag.Flagged, keywords: [] }, 'cyrus')
}

async function plays(
  t: Test,
  greeting: string,
  steps: (store: MailStore, uniqueid: string) => Step[],
  extra = '',
): Promise<void> {
  const there = await replica(greeting)
  const { folder, config, store, logged } = await openStore(`sync_host: 127.0.0.1\nsync_port: ${there.port}\n${extra}`)
  t.teardown(async () => {
    there.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await fill(store)
  const { uniqueid } = store.mailbox('shared')!
  there.expect(greeting, [
    { command: 'LOCK\r\n', answer: 'OK Locked\r\n' },
    ...steps(store, uniqueid),
    { command: 'UNLOCK\r\n', answer: 'OK [CONTINUE] Unlocked\r\n' },
    { command: 'EXIT\r\n', answer: 'OK Finished\r\n' },
  ])
  const options = { tell: () => {}, noCopyback: false, localOnly: false, partition: undefined, pauses: [0] }
  const session = sessionWith(await Peer.open(targetOf(config, '', undefined)!), store, collectingLog(logged), options)
  t.ok(session instanceof ClientSession23)
  await replicateMailboxes(session, ['shared'])
  await session.peer.exit()
  there.expect('', [])
  t.same(there.wrong, [])
}

const line = (command: string, answer: string): Step => ({ command: `${command}\r\n`, answer: `${answer}\r\n` })
const annotations = line('LIST_ANNOTATIONS shared', 'OK List_annotations completed')
const ACL = '"anyone\tlrs\t"'

/** Times as the store has them. */
function times(store: MailStore, row: number): { sent: number; updated: number; modseq: number } {
  const record = store.index(store.mailbox('shared')!.id)!.record(row)
  return { sent: record.savedate, updated: record.lastUpdated, modseq: record.modseq }
}

t.test('2.3.10: GUIDs and UIDVALIDITY, messages SIMPLE', (t) =>
  plays(t, '* OK r Cyrus sync server v2.3.10\r\n', (store, id) => {
    const { sent, updated } = times(store, 1)
    return [
      line('MAILBOXES shared', `** ${id} shared ${ACL} 76 1 1\r\n* 1 ${guid(1)} ()\r\nOK Mailboxes finished`),
      line('SETUIDVALIDITY shared 77', 'OK SetUIDvalidity succeeded'),
      annotations,
      line('SELECT shared', `OK ${id} 1`),
      line('SETFLAGS 1 (\\flagged)', 'OK Updated flags on 1 messages okay'),
      line(
        `UPLOAD 2 ${store.mailbox('shared')!.lastAppendDate} SIMPLE ${guid(2)} 2 1170787759 ${sent} ${updated} 1 () {${message(2).length}+}\r\n${message(2)}`,
        'OK [CONTINUE] Upload 1 messages okay',
      ),
    ]
  }),
)

t.test('2.3.11: mod-sequences', (t) =>
  plays(t, '* OK r Cyrus sync server v2.3.11-suffix\r\n', (store, id) => {
    const { highestModseq } = store.mailbox('shared')!
    return [
      line(
        'MAILBOXES shared',
        `** ${id} shared ${ACL} 77 2 3 1\r\n* 1 2 ${guid(1)} ()\r\n* 2 3 ${guid(2)} ()\r\nOK Mailboxes finished`,
      ),
      annotations,
      line('SELECT shared', `OK ${id} 2`),
      line('SETFLAGS 1 (\\flagged)', 'OK Updated flags on 1 messages okay'),
      line(`SETMODSEQ ${highestModseq} 1 ${times(store, 0).modseq}`, 'OK Updated modseqs on 1 messages okay'),
    ]
  }),
)

t.test('2.3.14: all options', (t) =>
  plays(t, '* OK r Cyrus sync server v2.3.14\r\n', (store, id) => {
    const { highestModseq } = store.mailbox('shared')!
    const { modseq } = times(store, 0)
    const option = (name: string, value: string): Step =>
      line(`SETANNOTATION shared /vendor/cmu/cyrus-imapd/${name} "" ${value}`, 'OK Setannotation completed')
    return [
      line(
        'MAILBOXES shared',
        `** ${id} shared ${ACL} 77 2 ${highestModseq} 14\r\n* 1 ${modseq} ${guid(1)} (\\flagged)\r\n* 2 ${times(store, 1).modseq} ${guid(2)} ()\r\nOK Mailboxes finished`,
      ),
      option('pop3newuidl', 'true'),
      option('duplicatedeliver', 'false'),
      option('sharedseen', 'false'),
      option('condstore', 'false'),
      annotations,
    ]
  }),
)

t.test('2.3.16: a new mailbox, compressed if that is asked for', (t) =>
  plays(t, '* OK r Cyrus sync server v2.3.16\r\n', (store, id) => {
    const [one, two] = [times(store, 0), times(store, 1)]
    const item = (n: number, { sent, updated, modseq }: typeof one, flags: string): string =>
      ` SIMPLE ${guid(n)} ${n} 1170787759 ${sent} ${updated} ${modseq} ${flags} {${message(n).length}+}\r\n${message(n)}`
    return [
      line('MAILBOXES shared', 'OK Mailboxes finished'),
      line(`CREATE shared default ${id} ${ACL} 0 1 77`, 'OK Create completed'),
      annotations,
      line('SELECT shared', `OK ${id} 0`),
      line(
        `UPLOAD 2 ${store.mailbox('shared')!.lastAppendDate}${item(1, one, '(\\flagged)')}${item(2, two, '()')}`,
        'OK [CONTINUE] Upload 2 messages okay',
      ),
    ]
  }),
)

t.test('sync_protocol says it in the place of the greeting', (t) =>
  plays(
    t,
    '* OK something else\r\n',
    (_, id) => [
      line(
        'MAILBOXES shared',
        `** ${id} shared ${ACL} 2 1\r\n* 1 ${UUID} (\\flagged)\r\n* 2 ${'0'.repeat(24)} ()\r\nOK Mailboxes finished`,
      ),
      annotations,
    ],
    'sync_protocol: 2.3\n',
  ),
)

t.test('a replica of another release than it is taken for is told apart from one that fails', async (t) => {
  const there = await replica('* OK r Cyrus sync server v2.3.8\r\n')
  const { folder, config, store, logged } = await openStore(`sync_host: 127.0.0.1\nsync_port: ${there.port}\n`)
  t.teardown(async () => {
    there.close()
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  await fill(store)
  const options = { tell: () => {}, noCopyback: false, localOnly: false, partition: undefined, pauses: [0] }
  for (const [answer, why] of [
    [`** x shared ${ACL}\r\n`, /MAILBOXES: not an answer: an argument is missing/],
    [
      `** x shared ${ACL} a 1\r\n`,
      /MAILBOXES: not an answer: "a" is no number; is the replica of 2\.3\.8\? sync_protocol can say/,
    ],
    [`* 1 ${UUID} ()\r\n`, /a message of no mailbox/],
    [`** x shared ${ACL} 1 1\r\n* 1 zz ()\r\n`, /no message/],
    ['* BYE going\r\n', /the replica says BYE going/],
    ['rubbish\r\n', /MAILBOXES: not an answer: rubbish/],
    ['NO IMAP_INVALID_USER nobody\r\n', /MAILBOXES: NO IMAP_INVALID_USER nobody/],
  ] as const) {
    there.expect('', [
      { command: 'LOCK\r\n', answer: 'OK Locked\r\n' },
      { command: 'MAILBOXES shared\r\n', answer },
      { command: 'UNLOCK\r\n', answer: 'OK [CONTINUE] Unlocked\r\n' },
    ])
    const session = sessionWith(
      await Peer.open(targetOf(config, '', undefined)!),
      store,
      collectingLog(logged),
      options,
    )
    await t.rejects(replicateMailboxes(session, ['shared']), { message: why })
    session.peer.destroy()
    there.expect('', [])
    there.wrong.length = 0
  }
})
