/**
 * What Cyrus 2.3 spoke, between servers of ours under their masters, and as a bridge: 2.3 → ours → a real Cyrus 3.6.1. A day's work, then rights,
 * quota, subscriptions, what a guest has read, another name, a deletion; everything arrives at the far end.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compareUntilEqual } from '../lab/compare.js'
import type { ImapClient } from '../lab/imap_client.js'
import { ADMIN, type Instance, REPL } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { runScenario } from '../lab/scenario.js'
import { waitFor } from '../lab/wait.js'
import { conversations, GAPS, ORDER } from '../sync/v23/history.js'
import { Player } from '../sync/v23/player.js'
import { readCommandResult } from './sync_direct_run.js'

const MESSAGES = 60

async function tells(t: Test, client: ImapClient, command: string, wanted: RegExp): Promise<void> {
  let told = ''
  await waitFor(`${command}: ${wanted}`, async () => {
    const { status, untagged } = await client.command(command)
    told = `${status} ${untagged.map((each) => each.raw.toString('latin1')).join(' | ')}`
    return wanted.test(told)
  }).catch(() => undefined)
  t.match(told, wanted, command)
}

async function work(t: Test, topology: string): Promise<void> {
  const lab = await Lab.start(topology, { users: ['alice', 'bob'] })
  t.teardown(() => lab.stop())
  const { differences, messages, lags } = await runScenario(lab, { messages: MESSAGES })
  t.same(differences, [], 'a day’s work')
  t.ok(messages > MESSAGES, `${messages} messages compared`)
  t.equal(lags.length, MESSAGES)
  const { master, replica } = lab
  const admin = await lab.login(ADMIN.user, master, ADMIN.password)
  const there = await lab.login(ADMIN.user, replica as Instance, ADMIN.password)
  const alice = await lab.login('alice')
  await alice.ok('CREATE INBOX/Bridge')
  for (const n of [1, 2, 3]) await alice.append('INBOX/Bridge', Buffer.from(`Subject: ${n}\r\n\r\n${n}\r\n`))
  await alice.ok('SETACL INBOX/Bridge bob lrsw')
  await alice.ok('SUBSCRIBE INBOX/Bridge')
  await alice.ok('SELECT INBOX/Bridge')
  await alice.ok('STORE 1 +FLAGS (\\Seen \\Flagged $Bridge)')
  await alice.ok('STORE 2 +FLAGS (\\Seen)')
  await alice.ok('STORE 2 -FLAGS (\\Seen)')
  await alice.ok('COPY 1:3 INBOX/Bridge')
  await alice.ok('STORE 3 +FLAGS (\\Deleted)')
  await alice.ok('EXPUNGE')
  await admin.ok('SETQUOTA user/alice (STORAGE 123456)')
  const bob = await lab.login('bob')
  await bob.ok('SELECT user/alice/Bridge')
  await bob.ok('STORE 2,4 +FLAGS (\\Seen)')
  await bob.logout()
  await tells(t, there, 'GETACL user/alice/Bridge', /\bbob lrsw\b/)
  await tells(t, there, 'GETQUOTA user/alice', /STORAGE \d+ 123456/)
  const copy = await lab.login('alice', replica)
  await tells(t, copy, 'LSUB "" INBOX/Bridge', /INBOX\/Bridge/)
  const guest = await lab.login('bob', replica)
  await tells(t, guest, 'STATUS user/alice/Bridge (MESSAGES UNSEEN)', /MESSAGES 5 UNSEEN 3/)
  await tells(t, copy, 'STATUS INBOX/Bridge (MESSAGES UNSEEN)', /MESSAGES 5 UNSEEN 3/)
  t.same((await compareUntilEqual(lab)).differences, [], 'what alice and bob have')
  await alice.ok('RENAME INBOX/Bridge INBOX/Other')
  await alice.ok('CREATE INBOX/Gone')
  await tells(t, there, 'MYRIGHTS user/alice/Gone', /^OK/)
  await alice.ok('DELETE INBOX/Gone')
  await tells(t, there, 'MYRIGHTS user/alice/Gone', /^NO/)
  await tells(t, there, 'GETACL user/alice/Other', /\bbob lrsw\b/)
  t.same((await compareUntilEqual(lab)).differences, [], 'after a rename and a deletion')
}

t.test('ours to ours as 2.3.8', (t) => work(t, 'pair_2.3.ini'))
t.test('2.3.8 to ours to Cyrus 3.6.1', { timeout: 120_000 }, async (t) => {
  if (needsCyrus(t)) await work(t, 'bridge_2.3.ini')
})

const CHAIN = `[lab]
users = user1 user2 joe
[master]
software = ours
services = imap syncserver
replicate_to = replica
[master.imapd]
sync_log_chain = yes
[replica]
software = cyrus
services = imap syncserver
`

t.test('captured clients of 2.3.8 to ours to Cyrus 3.6.1', { timeout: 120_000 }, async (t) => {
  if (!needsCyrus(t)) return
  const folder = mkdtempSync(join(tmpdir(), 'chain-'))
  writeFileSync(join(folder, 'chain.ini'), CHAIN)
  const lab = await Lab.start(join(folder, 'chain.ini'))
  t.teardown(async () => {
    Player.closeAll()
    await lab.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  for (const number of ORDER.filter((each) => !/^(?:38|44|45|46|47)$/.test(each))) {
    const player = await Player.connect(lab.master.ports.sync)
    await player.until(/^\* OK [^\n]*\n/m)
    const { user, password } = REPL
    t.match(
      await player.ask(`AUTHENTICATE PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}\r\n`),
      /^OK/,
    )
    const captured = conversations(number).flat()
    const from = number === '01' ? captured.findIndex(({ text }) => text.endsWith('LOCK\r\n')) : 0
    const commands = captured.slice(from).flatMap(({ side, text }) => (side === 'client' ? [text] : []))
    // one connection holds them all
    const said = commands.map((text) =>
      text.endsWith('LOCK\r\n') && number === '01' && text !== 'UNLOCK\r\n' ? 'LOCK\r\n' : text,
    )
    for (const text of [...(GAPS[number] ?? []).map((command) => `${command}\r\n`), ...said])
      if (!/^(?:EXIT|RESTART)\r\n$/.test(text)) await player.ask(text)
    player.close()
  }
  const { differences, messages, mailboxes } = await compareUntilEqual(lab, 60)
  t.same(differences, [])
  t.ok(messages >= 25, `${messages} messages compared`)
  t.ok(mailboxes >= 8, `${mailboxes} mailboxes compared`)
  const check = await readCommandResult(lab.master, 'sync_check', '-b')
  t.match(check, { status: 0, output: /^the replica is the same/m }, check.output)
})

t.test('sync_client -u, -m, -s, -A, -r -f with a replica of 2.3', async (t) => {
  const lab = await Lab.start('pair_2.3.ini', { rolling: false, users: ['alice', 'bob'] })
  t.teardown(() => lab.stop())
  await lab.createUsers()
  const alice = await lab.login('alice')
  await alice.append('INBOX', Buffer.from('Subject: x\r\n\r\nx\r\n'), '(\\Flagged)')
  await alice.ok('CREATE INBOX/a')
  const run = (...args: string[]) => readCommandResult(lab.master, 'sync_client', ...args)
  const there = await lab.login('alice', lab.replica)
  const status = async (mailbox: string): Promise<string> => {
    const { status, untagged } = await there.command(`STATUS ${mailbox} (MESSAGES)`)
    return `${status} ${untagged.map(({ text }) => text).join('')}`
  }
  t.match(await run('-v', '-u', 'alice'), {
    status: 0,
    output: /^USER alice\nCREATE user\.alice\nCREATE user\.alice\.a$/m,
  })
  t.match(await status('INBOX'), /MESSAGES 1/)
  t.same(await run('-v', '-u', 'alice'), { status: 0, output: 'USER alice' })
  await alice.append('INBOX/a', Buffer.from('Subject: y\r\n\r\ny\r\n'))
  t.match(await run('-v', '-m', 'user/alice/a'), { status: 0, output: 'MAILBOXES user.alice.a' })
  t.match(await status('INBOX/a'), /MESSAGES 1/)
  await alice.ok('DELETE INBOX/a')
  const log = join(lab.directory, 'log')
  writeFileSync(log, 'MAILBOX user.alice.a\nUNSUB alice user.alice.a\nnonsense\n')
  t.match(await run('-v', '-r', '-f', log), {
    status: 0,
    output: /DELSUB alice user\.alice\.a\nMAILBOXES user\.alice\.a\n/,
  })
  t.match(await status('INBOX/a'), /^NO/)
  t.match(await run('-v', '-s', 'alice'), { status: 0 })
  t.match(await run('-v', '-A'), { status: 0, output: /USER bob/ })
  t.match(await readCommandResult(lab.master, 'sync_check', 'alice'), {
    status: 71,
    output: /the replica is of 2\.3\.8, which cannot be asked what it has/,
  })
  // a user who is gone here is gone there
  const admin = await lab.login(ADMIN.user, lab.master, ADMIN.password)
  await admin.ok(`SETACL user/bob ${ADMIN.user} x`)
  await admin.ok('DELETE user/bob')
  t.match(await run('-v', '-u', 'bob'), { status: 0, output: 'USER bob' })
  const guest = await lab.login(ADMIN.user, lab.replica, ADMIN.password)
  t.equal((await guest.command('MYRIGHTS user/bob')).status, 'NO')
})

t.test('ours to ours as 2.3.8, both ends of the replication killed in the middle', async (t) => {
  const lab = await Lab.start('pair_2.3.ini', { users: ['alice', 'bob'] })
  t.teardown(() => lab.stop())
  const { differences, messages } = await runScenario(lab, {
    messages: MESSAGES,
    halfway() {
      for (const pid of [...lab.replica.processes('sync_server'), ...lab.master.processes('sync_client')])
        process.kill(pid, 'SIGKILL')
    },
  })
  t.same(differences, [], 'equal at the end, by itself')
  t.ok(messages > MESSAGES, `${messages} messages compared`)
})
