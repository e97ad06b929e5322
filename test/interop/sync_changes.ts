/** What sync_direct.test.ts and sync_inside_imap.test.ts play: all kinds of changes, one after the other, against a real Cyrus. Not a test. */
import type { Test } from 'tap'
import { compareUntilEqual } from '../lab/compare.js'
import { ADMIN, type Instance } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { readCommandResult } from './sync_direct_run.js'

const message = (n: number | string, size = 0): Buffer =>
  Buffer.from(
    `From: a@example.org\r\nSubject: ${n}\r\nMessage-ID: <${n}@x>\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\nbody ${n}\r\n${'x'.repeat(size)}\r\n`,
  )

/**
 * One kind of change after the other, each replicated by hand.
 * @param topology whose master replicates to its replica
 * @param transport that the replica is spoken to with
 */
export async function playChanges(t: Test, topology: string, transport: 'csync' | 'imap'): Promise<void> {
  if (!needsCyrus(t)) return
  const real = topology === 'ours_to_cyrus.ini' ? 'replica' : 'master'
  const gone = { delete_mode: transport === 'imap' ? 'immediate' : 'delayed' }
  // XCONVMODSEQ and thrid are told by a server with conversations, and kept by ours
  const conversations: Record<string, string> = transport === 'imap' ? { conversations: 'yes' } : {}
  const lab = await Lab.start(topology, {
    rolling: false,
    users: ['alice', 'bob', 'carol'],
    // every mailbox goes in steps
    // one transport with mailboxes that are gone at once, the other with Cyrus' own way
    imapd: {
      master: {
        allowusermoves: 'yes',
        sync_batchsize: '2',
        sync_try_imap: transport === 'imap' ? 'yes' : 'no',
        ...gone,
        ...(real === 'master' && conversations),
      },
      replica: { ...gone, ...(real === 'replica' && conversations) },
    },
  })
  t.teardown(() => lab.stop())
  await lab.createUsers()
  const client = await lab.login('alice')
  const admin = await lab.login(ADMIN.user, lab.master, ADMIN.password)
  const { ports } = lab.replica
  const where = ['-S', `127.0.0.1:${transport === 'imap' ? ports.imap : ports.sync}`]
  const run = (...args: string[]) => readCommandResult(lab.master, 'sync_client', ...where, ...args)
  const sync = async (what: string): Promise<void> => {
    const first = await run('-v', '-u', 'alice')
    t.equal(first.status, 0, `${what}: done\n${first.output}`)
    const second = await run('-v', '-u', 'alice')
    t.match(second, { status: 0, output: /^USER alice$/m }, `${what}: looked again`)
    t.notMatch(second.output, /MAILBOX |RENAME|SUB|QUOTA|SEEN/, `${what}: nothing is left to be done\n${second.output}`)
  }
  const replica = async (mailbox: string): Promise<string> => {
    const there = await lab.login('alice', lab.replica)
    const answer = await there.ok(`STATUS ${mailbox} (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)`)
    await there.logout()
    return answer.untagged.map(({ raw }) => raw.toString()).join('')
  }
  await sync('new user')
  await client.append('INBOX', message(1))
  await client.append('INBOX', message(2), '(\\Flagged $Work)')
  await client.append('INBOX', message('large', 2_000_000))
  await sync('messages')
  t.match(await replica('INBOX'), /MESSAGES 3 /)
  await client.ok('SELECT INBOX')
  await client.ok('STORE 1 +FLAGS (\\Answered \\Seen kw1)')
  await client.ok('STORE 2 -FLAGS ($Work)')
  await sync('flags')
  await client.ok('CREATE "INBOX/Old Stuff"')
  await client.ok('COPY 1:2 "INBOX/Old Stuff"')
  await client.ok('SUBSCRIBE "INBOX/Old Stuff"')
  await sync('copies, new mailbox, subscription')
  await client.ok('STORE 2 +FLAGS (\\Deleted)')
  await client.ok('EXPUNGE')
  await sync('expunge')
  t.match(await replica('INBOX'), /MESSAGES 2 /)
  await client.ok('RENAME "INBOX/Old Stuff" INBOX/new.&AOk-')
  await sync('rename, in modified UTF-7')
  await client.ok('SELECT INBOX')
  await client.ok('UNSUBSCRIBE "INBOX/Old Stuff"')
  await sync('unsubscribed')
  const { untagged } = await client.ok('CAPABILITY')
  const capabilities = untagged.map(({ raw }) => raw.toString()).join('')
  if (/ ACL\b/.test(capabilities)) {
    await client.ok('SETACL INBOX bob lrs')
    await sync('rights')
  }
  if (/ QUOTA\b/.test(capabilities)) {
    await admin.ok('SETQUOTA user/alice (STORAGE 50000 MESSAGE 1000)')
    await sync('quota')
    await admin.ok('SETQUOTA user/alice (MESSAGE 1000)')
    await sync('quota of one resource')
  }
  const guest = await lab.login('bob')
  await guest.ok('SELECT user/alice')
  await guest.ok('STORE 1 +FLAGS (\\Seen)')
  await guest.logout()
  await sync('what a guest has read, seen from the owner')
  t.equal((await run('-u', 'bob')).status, 0, 'and from the guest')
  if (/ METADATA\b/.test(capabilities)) {
    await client.ok('SETMETADATA INBOX (/private/comment "mine" /shared/comment "ours")')
    await sync('annotations of a mailbox')
    await client.ok('SETMETADATA INBOX (/private/comment NIL /shared/comment "ours, changed")')
    await sync('an annotation removed, another changed')
    const there = await lab.login('alice', lab.replica)
    const answer = await there.ok('GETMETADATA INBOX (/private/comment /shared/comment)')
    t.match(answer.untagged.map(({ text }) => text).join(''), /"?\/shared\/comment"? "ours, changed"/)
    await there.logout()
  }
  if (/ ANNOTATE-EXPERIMENT-1\b/.test(capabilities)) {
    await client.ok('SELECT INBOX')
    await client.ok('STORE 1 ANNOTATION (/comment (value.priv "mine" value.shared "of all"))')
    await client.ok('COPY 1 INBOX/new.&AOk-')
    await sync('annotations of messages')
    await client.ok('STORE 1 ANNOTATION (/comment (value.priv NIL))')
    await sync('an annotation of a message removed')
  }
  if (/ CREATE-SPECIAL-USE\b/.test(capabilities)) {
    await client.ok('CREATE INBOX/Sent (USE (\\Sent))')
    await sync('special use')
  }
  await scripts(lab, lab.master, 'SIEVE %(USERID alice FILENAME keep.script LAST_UPDATE 1795000000 CONTENT "keep;")')
  await scripts(lab, lab.master, 'SIEVE %(USERID alice FILENAME stop.script LAST_UPDATE 1795000001 CONTENT "stop;")')
  await scripts(lab, lab.master, 'ACTIVATE_SIEVE %(USERID alice FILENAME stop.bc)')
  await sync('scripts')
  t.match(await scripts(lab, lab.replica), [/^ [0-9a-f]{40}$/, /^\\Flagged [0-9a-f]{40}$/], 'two scripts, one active')
  t.strictSame(await scripts(lab, lab.replica), await scripts(lab, lab.master))
  await scripts(lab, lab.master, 'UNSIEVE %(USERID alice FILENAME keep.script)')
  await sync('a script removed')
  t.strictSame(await scripts(lab, lab.replica), await scripts(lab, lab.master))
  await client.ok('CREATE INBOX/a')
  await client.ok('CREATE INBOX/b')
  await client.append('INBOX/a', message('a'))
  await client.append('INBOX/b', message('b1'))
  await client.append('INBOX/b', message('b2'))
  await sync('two more')
  if (topology === 'ours_to_cyrus.ini') {
    // 3.6.1's own client cannot do this
    await client.ok('RENAME INBOX/a INBOX/c')
    await client.ok('RENAME INBOX/b INBOX/a')
    await client.ok('RENAME INBOX/c INBOX/b')
    await sync('two mailboxes exchanged their names')
    t.match(await replica('INBOX/a'), /MESSAGES 2 /)
    await client.ok('RENAME INBOX/a INBOX/a/x/y')
    await sync('a mailbox moved below itself')
    t.match(await replica('INBOX/a/x/y'), /MESSAGES 2 /)
    t.match(await replica('INBOX/a'), /MESSAGES 0 /)
  }
  await client.ok('DELETE INBOX/b')
  await sync('delete')
  const elsewhere = await run('-p', 'other', '-m', 'user/alice/new.&AOk-')
  t.equal(elsewhere.status, 0, `to another partition\n${elsewhere.output}`)
  await sync('and back')
  for (const name of ['tree', 'tree/branch', 'tree/branch/leaf']) await client.ok(`CREATE INBOX/${name}`)
  await client.append('INBOX/tree/branch/leaf', message('leaf'))
  await sync('a tree')
  await client.ok('RENAME INBOX/tree INBOX/wood')
  await sync('a tree renamed')
  await client.ok(`CREATE "INBOX/it's (a) R&-D * ~name~"`)
  await client.append(`"INBOX/it's (a) R&-D * ~name~"`, message('name'))
  await sync('a name of all kinds of characters')
  // split brain: both sides have been worked on
  const there = await lab.login('alice', lab.replica)
  await there.append('INBOX', message('only there'))
  await there.ok('SELECT INBOX')
  await there.ok('STORE 1 +FLAGS (there)')
  await there.logout()
  await client.append('INBOX', message('only here'))
  await sync('both sides changed')
  t.match(await replica('INBOX'), /MESSAGES 4 /, 'neither message is lost')
  await client.ok('SELECT INBOX')
  const subjects = await client.ok('FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
  const text = subjects.untagged.map(({ raw }) => raw.toString()).join('')
  t.match(text, /only there/)
  t.match(text, /only here/)
  if (topology === 'ours_to_cyrus.ini') {
    await sync('all that came back')
    const check = await readCommandResult(lab.master, 'sync_check', ...where, '-b', 'alice')
    t.match(check, { status: 0, output: /^the replica is the same/m })
    await client.ok('STORE 1 +FLAGS (unknown-there)')
    t.match(await readCommandResult(lab.master, 'sync_check', ...where, '-w', '0', 'alice'), {
      status: 1,
      output: /^user\.alice: UID \d+: flags \(.*unknown-there.*\) here, \(.*\) there/m,
    })
  }
  await client.logout()

  // users come and go; what happened is in the log, all of it
  await admin.ok('RENAME user/bob user/robert')
  await admin.ok(`SETACL user/carol ${ADMIN.user} +x`)
  await admin.ok('DELETE user/carol')
  await admin.ok('SETQUOTA user/alice ()')
  await admin.ok('SETMETADATA "" (/shared/comment "of the server")')
  const log = await run('-v', '-R', '-1')
  t.equal(log.status, 0, `the whole log at once\n${log.output}`)
  t.equal((await run('-u', 'robert')).status, 0)
  const onReplica = await lab.login(ADMIN.user, lab.replica, ADMIN.password)
  const users = (await onReplica.ok('LIST "" user/%')).untagged.flatMap(
    ({ text }) => /user\/(\w+)"?\s*$/.exec(text)?.[1] ?? [],
  )
  t.strictSame(users.sort(), ['alice', 'robert'])
  t.match(
    (await onReplica.ok('GETMETADATA "" /shared/comment')).untagged.map(({ text }) => text).join(''),
    /of the server/,
  )
  await onReplica.logout()
  const all = await run('-A')
  t.equal(all.status, 0, `-A\n${all.output}`)
  const { differences, messages } = await compareUntilEqual(lab, 5, ['alice'])
  t.strictSame(differences, [], `${messages} messages and all that belongs to them are equal`)
  await admin.logout()
}

/**
 * Says something of scripts to a server, as a replication client inside IMAP does.
 * @returns what it has of alice's afterwards: the flags of each, of which \\Flagged means active, and the GUID
 */
async function scripts(lab: Lab, instance: Instance, command?: string): Promise<string[]> {
  const client = await lab.login(ADMIN.user, instance, ADMIN.password)
  if (command !== undefined) await client.ok(`SYNCAPPLY ${command}`)
  await client.ok('SYNCAPPLY CAPABILITIES (SIEVE-MAILBOX)')
  const { untagged } = await client.ok('SYNCGET FULLMAILBOX user.alice.#sieve')
  client.close()
  const records = untagged
    .map(({ text }) => text)
    .join('')
    .matchAll(/%\(UID \d+ [^()]*FLAGS \(([^)]*)\)[^()]*GUID ([0-9a-f]{40})/g)
  return [...records].flatMap(([, flags, guid]) => (flags!.includes('\\Expunged') ? [] : [`${flags} ${guid}`])).sort()
}
