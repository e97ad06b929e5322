/** What annotations, special uses, quotas and another name of a user are on the master, they are on the replica: with a real Cyrus at either end. */
import t, { type Test } from 'tap'
import { ImapClient } from '../lab/imap_client.js'
import { ADMIN, PASSWORD } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { waitFor } from '../lab/wait.js'

async function loggedIn(port: number, user: string, password = PASSWORD): Promise<ImapClient> {
  const client = await ImapClient.connect(port)
  await client.ok(`LOGIN ${user} ${password}`)
  return client
}

async function replicates(t: Test, topology: string): Promise<void> {
  const moves = { allowusermoves: 'yes' }
  const lab = await Lab.start(topology, { users: ['alice', 'zoe'], imapd: { master: moves, replica: moves } })
  t.teardown(() => lab.stop())
  const [master, replica] = [lab.instance('master').ports.imap, lab.instance('replica').ports.imap]
  const admin = await loggedIn(master, ADMIN.user, ADMIN.password)
  const there = await loggedIn(replica, ADMIN.user, ADMIN.password)
  await admin.command('CREATE user/alice')
  const alice = await loggedIn(master, 'alice')
  const message = 'Subject: x\r\n\r\nx\r\n'
  for (const command of [
    'CREATE INBOX/Sent (USE (\\Sent))',
    'CREATE INBOX/x',
    'SETMETADATA INBOX/x (/shared/comment "ours" /private/comment "mine")',
    'SETMETADATA INBOX (/shared/vendor/cmu/cyrus-imapd/sharedseen "true")',
    `APPEND INBOX {${message.length}+}\r\n${message}`,
    'SELECT INBOX',
    'STORE 1 ANNOTATION (/comment (value.shared "s" value.priv "p"))',
  ])
    await alice.ok(command)
  await admin.ok('SETMETADATA "" (/shared/comment "of the server")')
  await admin.ok('SETQUOTA user/alice (STORAGE 1000 X-NUM-FOLDERS 9)')

  const tells = async (client: ImapClient, command: string, wanted: string): Promise<void> => {
    let told = ''
    await waitFor(`${command}: ${wanted}`, async () => {
      const { status, untagged } = await client.command(command)
      told = `${status} ${untagged.map((each) => each.raw.toString('latin1')).join(' | ')}`
      return told.includes(wanted)
    }).catch(() => undefined)
    t.match(told, wanted, command)
  }
  await waitFor('the INBOX', async () => (await there.command('MYRIGHTS user/alice')).status === 'OK')
  const copy = await loggedIn(replica, 'alice')
  await tells(copy, 'LIST "" *', '\\Sent')
  await tells(copy, 'GETMETADATA INBOX/x (/shared/comment /private/comment)', '"/shared/comment" "ours"')
  await tells(copy, 'GETMETADATA INBOX/x (/shared/comment /private/comment)', '"/private/comment" "mine"')
  await tells(copy, 'GETMETADATA INBOX /shared/vendor/cmu/cyrus-imapd/sharedseen', '"true"')
  await tells(copy, 'GETMETADATA "" /shared/comment', '"of the server"')
  await tells(copy, 'GETQUOTAROOT INBOX', 'STORAGE 0 1000 X-NUM-FOLDERS 3 9')
  await copy.ok('EXAMINE INBOX')
  await tells(copy, 'FETCH 1 (ANNOTATION (/comment value))', '(value.shared "s" value.priv "p")')

  await alice.ok('LOGOUT')
  await admin.ok('RENAME user/alice user/zoe')
  await tells(there, 'LIST "" *', 'user/zoe/Sent')
  await waitFor('the old name to go', async () => (await there.command('MYRIGHTS user/alice')).status !== 'OK')
  const renamed = await loggedIn(replica, 'zoe')
  await tells(renamed, 'GETMETADATA INBOX/x /private/comment', '"mine"')
  await tells(renamed, 'GETQUOTAROOT INBOX/x', 'STORAGE 0 1000')
}

t.test('ours to Cyrus 3.6.1', async (t) => {
  if (needsCyrus(t)) await replicates(t, 'ours_to_cyrus.ini')
})
t.test('Cyrus 3.6.1 to ours', async (t) => {
  if (needsCyrus(t)) await replicates(t, 'cyrus_to_ours.ini')
})
t.test('ours to ours', (t) => replicates(t, 'pair.ini'))
