/** What the captures do not show of our server of the 2.3 generation: how it is recognised, later releases, crowded and bad conversations. */
import t, { type Test } from 'tap'
import { guidOf } from '../../../lib/message/summary.js'
import { Flag } from '../../../lib/store/store.js'
import { FOUNDING_RELEASE, protocolOf, releaseInGreeting, releaseOf } from '../../../lib/sync/v23/release.js'
import { writeSeenFile } from '../../../lib/sync/v23/seen_file.js'
import { type Fixture, RawClient, startServer } from '../server_fixture.js'
import { Player } from './player.js'

async function serve(t: Test, extra = ''): Promise<Fixture> {
  const server = await startServer(extra)
  t.teardown(() => {
    Player.closeAll()
    return server.close()
  })
  return server
}

async function connect(port: number): Promise<Player> {
  const player = await Player.connect(port)
  await player.until(/^\* OK [^\n]*\n/m)
  await player.ask(`AUTHENTICATE PLAIN ${Buffer.from('\0repl\0replpw').toString('base64')}\r\n`)
  return player
}

const ACL = '"alice\tlrswipkxtecda\t"'
const literal = (text: string): string => `{${text.length}+}\r\n${text}`

t.test('a client of either generation is served on one port', async (t) => {
  const server = await serve(t)
  const old = await connect(server.port)
  t.equal(await old.ask('LOCK\r\n'), 'OK Locked\r\n')
  t.equal(
    await old.ask(`CREATE user.alice default 7adce5976b041714 ${ACL} 0 1 1795430164\r\n`),
    'OK Create completed\r\n',
  )
  t.equal(await old.ask('GET USER alice\r\n'), 'BAD Unrecognized command\r\n', 'it stays what it has shown to be')
  const later = await RawClient.connect(server.port)
  await later.login()
  t.match(await later.ask('GET USER alice\r\n'), /MAILBOX %\(UNIQUEID 7adce5976b041714 /)
  t.teardown(() => later.close())
  t.equal(await later.ask('NOOP\r\n'), 'OK Noop completed\r\n')
  t.equal(await later.ask('RESTART\r\n'), 'OK Restarting\r\n')
  t.match(await later.ask('GET USER alice\r\n'), /^OK /m, 'RESTART ends no session of the later generation')
  const nobody = await Player.connect(server.port)
  await nobody.until(/^\* OK [^\n]*\n/m)
  t.equal(await nobody.ask('LOCK\r\n'), 'NO Please authenticate first\r\n')
  t.equal(await nobody.ask('NOOP\r\n'), 'OK Noop completed\r\n')
})

t.test('sync_protocol: 3 serves nobody else', async (t) => {
  const server = await serve(t, 'sync_protocol: 3\n')
  const old = await connect(server.port)
  t.equal(await old.ask('LOCK\r\n'), 'BAD IMAP_PROTOCOL_ERROR Unrecognized command\r\n')
})

t.test('a wrong sync_protocol is named', async (t) => {
  const { config } = await serve(t, 'sync_protocol: 2.4\n')
  t.throws(
    () => protocolOf(config, config.string('sync_protocol')),
    /imapd\.conf:\d+: sync_protocol must be auto, 3, 2\.3 or 2\.3\.N, not "2\.4"/,
  )
})

t.test('releases', async (t) => {
  t.equal(releaseInGreeting('* OK replica.example.com Cyrus sync server v2.3.8')?.name, '2.3.8')
  t.equal(releaseInGreeting('* OK r Cyrus sync server v2.3.16-Fedora-RPM')?.modseqs, true)
  t.equal(releaseInGreeting('* OK r Cyrus sync server v2.4.17'), undefined)
  t.same(
    [8, 9, 10, 11, 16].map((patch) => [releaseOf(patch).guids, releaseOf(patch).modseqs, releaseOf(patch).compress]),
    [
      [false, false, false],
      [false, false, false],
      [true, false, false],
      [true, true, false],
      [true, true, true],
    ],
  )
  t.equal(FOUNDING_RELEASE.name, '2.3.8')
})

t.test('2.3.14: SETSEEN_ALL is all there is, every option may be set', async (t) => {
  const entry = (lastUid: number, lastChange: number, seenUids: string) => ({
    lastRead: 5,
    lastUid,
    lastChange,
    seenUids,
  })
  for (const protocol of ['2.3.13', '2.3.14']) {
    const server = await serve(t, `sync_protocol: ${protocol}\n`)
    const player = await connect(server.port)
    const later = protocol === '2.3.14'
    for (const id of ['0123456789abcdef', '1123456789abcdef'])
      await player.ask(`CREATE shared.${id[0]} default ${id} ${ACL} 0 1 77\r\n`)
    await player.ask('SETSEEN bob shared.0 9 9 9 1:9\r\n')
    await player.ask('SETSEEN bob shared.1 9 9 9 1:9\r\n')
    const file = writeSeenFile(new Map([['0123456789abcdef', entry(8, 8, '1:8')]]), 10).toString('latin1')
    t.equal(await player.ask(`SETSEEN_ALL bob ${literal(file)}\r\n`), 'OK Setseen_all Suceeded\r\n')
    server.store.refresh()
    t.equal(server.store.seen('bob', '0123456789abcdef')?.seenUids, later ? '1:8' : '1:9', protocol)
    t.equal(server.store.seen('bob', '1123456789abcdef')?.seenUids, later ? undefined : '1:9')
    for (const name of ['pop3newuidl', 'duplicatedeliver', 'sharedseen', 'condstore'])
      t.equal(
        await player.ask(
          `SETANNOTATION shared.0 /vendor/cmu/cyrus-imapd/${name} "" ${name === 'pop3newuidl' ? 'false' : 'true'}\r\n`,
        ),
        'OK Setannotation completed\r\n',
      )
    t.match(await player.ask('MAILBOXES shared.0\r\n'), / 77 0 \d+ 14\r\n/)
    t.equal(await player.ask('LIST_ANNOTATIONS shared.0\r\n'), 'OK List_annotations completed\r\n')
  }
})

t.test('2.3.16: GUIDs, UIDVALIDITY, mod-sequences, compression', async (t) => {
  const server = await serve(t, 'sync_protocol: 2.3.16\n')
  const greeted = await Player.connect(server.port)
  t.equal(
    await greeted.until(/^\* OK [^\n]*\n/m),
    '* SASL PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1\r\n* COMPRESS DEFLATE\r\n* OK b.example.org Cyrus sync server v2.3.16\r\n'.replace(
      /SASL .*/,
      (await greetingOf(server.port)).split('\r\n')[0]!.slice(2),
    ),
  )
  const player = await connect(server.port)
  const message = 'Subject: one\r\n\r\nx\r\n'
  const guid = guidOf(Buffer.from(message))
  const steps: [command: string, answer: string][] = [
    [`CREATE user.alice default 0123456789abcdef ${ACL} 0 3 77`, 'OK Create completed\r\n'],
    ['SELECT user.alice', 'OK 0123456789abcdef 0\r\n'],
    [
      `UPLOAD 2 1795430168 SIMPLE ${guid} 1 1170787759 1170763200 1795430168 5 (\\draft) ${literal(message)} COPY ${guid} 2 1170787759 1170763200 1795430168 6 ()`,
      'OK [CONTINUE] Upload 2 messages okay\r\n',
    ],
    [
      'MAILBOXES user.alice',
      `** 0123456789abcdef user.alice ${ACL} 77 2 6 3\r\n* 1 5 ${guid} (\\draft)\r\n* 2 6 ${guid} ()\r\nOK Mailboxes finished\r\n`,
    ],
    ['SETFLAGS 1 (\\flagged)', 'OK Updated flags on 1 messages okay\r\n'],
    ['SETMODSEQ 9 1 8 2 9', 'OK Updated modseqs on 2 messages okay\r\n'],
    ['SETUIDVALIDITY user.alice 78', 'OK SetUIDvalidity succeeded\r\n'],
    ['SETUIDVALIDITY user.nobody 78', 'NO SetUIDvalidity failed: Mailbox does not exist\r\n'],
    ['SETUIDVALIDITY user.alice x', 'BAD Invalid argument to Setuidvalidity\r\n'],
    ['SETMODSEQ 9 3 8', 'BAD Syntax error in Setmodseq: UID out of range\r\n'],
    ['SETMODSEQ 9', 'OK Updated modseqs on 0 messages okay\r\n'],
    [
      'MAILBOXES user.alice',
      `** 0123456789abcdef user.alice ${ACL} 78 2 10 3\r\n* 1 8 ${guid} (\\flagged)\r\n* 2 9 ${guid} ()\r\nOK Mailboxes finished\r\n`,
    ],
    [
      `UPLOAD 3 1795430168 SIMPLE ${'1'.repeat(40)} 3 1170787759 1170763200 1795430168 10 () ${literal(message)}`,
      'BAD Syntax error in Append at item 1: Invalid Message\r\n',
    ],
    ['COMPRESS LZW', 'NO Unknown compression algorithm: LZW\r\n'],
    ['COMPRESS DEFLATE', 'OK DEFLATE active\r\n'],
  ]
  for (const [command, answer] of steps) t.equal(await player.ask(`${command}\r\n`), answer, command.slice(0, 50))
})

async function greetingOf(port: number): Promise<string> {
  const player = await Player.connect(port)
  const greeting = await player.until(/^\* OK [^\n]*\n/m)
  player.close()
  return greeting
}

t.test('a peer that turns out to be newer is remembered as such', async (t) => {
  const server = await serve(t)
  const message = 'Subject: one\r\n\r\nx\r\n'
  const guid = guidOf(Buffer.from(message))
  const first = await connect(server.port)
  await first.ask(`CREATE user.alice default 0123456789abcdef ${ACL} 0 1 77\r\n`)
  t.match(await first.ask('MAILBOXES user.alice\r\n'), ` 0 1\r\n`)
  await first.ask('SELECT user.alice\r\n')
  await first.ask(`UPLOAD 1 1795430168 SIMPLE ${guid} 1 1170787759 1170763200 1795430168 5 () ${literal(message)}\r\n`)
  const next = await connect(server.port)
  t.equal((await next.ask('MAILBOXES user.alice\r\n')).split('\r\n')[1], `* 1 5 ${guid} ()`)
  t.match(server.logged.join('\n'), /better say so: sync_protocol: 2\.3\.11/)
})

t.test('batches: the last UID is told first, and what is between comes later', async (t) => {
  const server = await serve(t, 'sync_protocol: 2.3\n')
  const player = await connect(server.port)
  await player.ask(`CREATE user.alice default 0123456789abcdef ${ACL} 0 1 77\r\n`)
  await player.ask('SELECT user.alice\r\n')
  const batch = (...uids: number[]): string =>
    `UPLOAD 200 1795430168${uids.map((uid) => ` SIMPLE 0101006b04171100010${String(uid).padStart(5, '0')} ${uid} 1170787759 1170763200 1795430168 1 () ${literal(`Subject: m${uid}\r\n\r\nx\r\n`)}`).join('')}\r\n`
  const odd = Array.from({ length: 100 }, (_, n) => 2 * n + 1)
  // what was read is told before the messages are here
  t.equal(await player.ask('SETSEEN alice user.alice 1795430168 4 1795430168 2:3\r\n'), 'OK Setseen Suceeded\r\n')
  t.match(await player.ask(batch(...odd)), /^OK \[CONTINUE\] Upload 100/)
  t.match(await player.ask(batch(...odd.map((uid) => uid + 1))), /^OK \[CONTINUE\] Upload 100/)
  const mailbox = server.store.mailbox('user.alice')!
  const index = server.store.index(mailbox.id)!
  t.same(
    [...index.uids],
    Array.from({ length: 200 }, (_, n) => n + 1),
  )
  t.equal(mailbox.exists, 200)
  for (let row = 0; row < index.length; row++) {
    const { uid, guid } = index.record(row)
    const bytes = await server.store.readMessage(mailbox, uid)
    if (bytes.toString() !== `Subject: m${uid}\r\n\r\nx\r\n` || guidOf(bytes) !== guid) t.fail(`message ${uid}`)
  }
  const seen = [...index.uids].filter((uid) => index.flags(index.findUid(uid)) & Flag.Seen)
  t.same(seen, [2, 3])
})

t.test('conversations that go wrong stay in step', async (t) => {
  const server = await serve(t, 'sync_protocol: 2.3\n')
  const player = await connect(server.port)
  await player.ask(`CREATE user.alice default 0123456789abcdef ${ACL} 0 1 77\r\n`)
  const steps: [command: string, answer: string][] = [
    [`UPLOAD 1 1 SIMPLE NIL 1 1 1 1 1 () ${literal('LOCK\r\nLOCK\r\n')}`, 'NO Mailbox not selected\r\n'],
    [`NOSUCH ${literal('LOCK\r\n')} x ${literal('EXIT\r\n')}`, 'BAD Unrecognized command\r\n'],
    ['SELECT user.alice', 'OK 0123456789abcdef 0\r\n'],
    [
      `UPLOAD 1 1 SIMPLE NIL 0 1 1 1 1 () ${literal('LOCK\r\n')}`,
      'BAD Syntax error in Append at item 1: Invalid UID\r\n',
    ],
    [
      `UPLOAD 1 1 PARSED NIL 1 1 1 1 1 () 1 1 2 ${literal('x')}x`,
      'BAD Syntax error in Append at item 1: Invalid Message\r\n',
    ],
    [
      `UPLOAD 1 1 SIMPLE NIL 1 1 1 1 1 () ${literal('x\r\n')}x`,
      'BAD Syntax error in Append at item 2: Invalid end of sequence\r\n',
    ],
    ['UPLOAD 1 1 SIMPLE NIL 1 1 1 1 1 ()', 'BAD Syntax error in Append at item 1: Invalid flags\r\n'],
    ['CREATE ../../x default NIL NIL 0 0 1', 'NO Create ../../x failed: Invalid mailbox name\r\n'],
    ['CREATE user.x default ../../../x NIL 0 0 1', 'NO Create user.x failed: Invalid mailbox name\r\n'],
    ['RESET ../x', 'NO Failed to reset account ../x: Invalid mailbox name\r\n'],
    ['UPLOAD_SIEVE alice ../../x 1 x', 'NO Upload_sieve failed: Invalid mailbox name\r\n'],
    ['SETSEEN alice user.alice 1 1 1 x', 'NO Setseen Failed on alice user.alice: no such seen state\r\n'],
    [`SETSEEN_ALL alice ${literal('rubbish')}`, 'NO Setseen_all Failed on alice: System I/O error\r\n'],
    [
      `SETSEEN_ALL alice ${literal('\xa1\x02\x8b\rskiplist file\0\0\0'.padEnd(60, '\0'))}`,
      'NO Setseen_all Failed on alice: System I/O error\r\n',
    ],
    ['SELECT "user.alice', 'BAD Missing required argument to Select\r\n'],
    ['STATUS', 'OK 0\r\n'],
  ]
  for (const [command, answer] of steps) t.equal(await player.ask(`${command}\r\n`), answer, command.slice(0, 50))
  player.say(`SELECT "${'x'.repeat(9000)}"\r\n`)
  t.match(await player.until(/\n/), /^\* Fatal error: /)
  t.equal(await player.take(1), '')
  t.ok(player.ended)
})

t.test('a lock is held by one, counts, and ends with its session', async (t) => {
  const server = await serve(t, 'sync_protocol: 2.3\n')
  const [one, two] = [await connect(server.port), await connect(server.port)]
  t.equal(await one.ask('LOCK\r\n'), 'OK Locked\r\n')
  two.say('LOCK\r\n')
  await one.ask('NOOP\r\n')
  t.equal(two.rest, '')
  one.close()
  t.equal(await two.until(/\n/), 'OK Locked\r\n')
  t.equal(await two.ask('UNLOCK\r\n'), 'OK [CONTINUE] Unlocked\r\n')
})
