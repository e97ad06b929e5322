/** SORT and THREAD of a whole mailbox are worked out once for all; what changes the answer is noticed all the same. */
import t from 'tap'
import { ImapClient } from '../lab/imap_client.js'
import { fixture } from './fixture.js'

const mail = (subject: string, day: number, ids = ''): Buffer =>
  Buffer.from(
    `From: a@b.test\r\nSubject: ${subject}\r\nDate: Mon, ${String(day).padStart(2, '0')} Feb 2026 08:00:00 +0000\r\n${ids}\r\nx\r\n`,
  )

t.test('answers follow what comes and goes, in every session', async (t) => {
  const { server } = await fixture(t)
  const clients: ImapClient[] = []
  for (let n = 0; n < 3; n += 1) {
    const client = await ImapClient.connect(server.port)
    t.teardown(() => client.close())
    await client.ok('LOGIN alice testpw')
    clients.push(client)
  }
  const [one] = clients as [ImapClient]
  await one.append('INBOX', mail('b', 3, 'Message-ID: <1@x>\r\n'))
  await one.append('INBOX', mail('c', 2, 'Message-ID: <2@x>\r\nReferences: <1@x>\r\n'))
  await one.append('INBOX', mail('a', 1))
  for (const client of clients) await client.ok('SELECT INBOX')
  const asked = async (client: ImapClient, command: string): Promise<string> => {
    const { untagged } = await client.ok(command)
    return untagged.map(({ text }) => text).find((text) => /^\* (?:SORT|THREAD)/.test(text))!
  }
  const all = async (command: string): Promise<string[]> => [
    ...new Set(await Promise.all(clients.map((client) => asked(client, command)))),
  ]
  const expect = async (bySubject: string, byDate: string, newest: string, threads: string): Promise<void> => {
    t.same(await all('SORT (SUBJECT) UTF-8 ALL'), [`* SORT ${bySubject}`])
    t.same(await all('SORT (DATE) UTF-8 ALL'), [`* SORT ${byDate}`])
    t.same(await all('SORT (REVERSE DATE) UTF-8 ALL'), [`* SORT ${newest}`])
    t.same(await all('THREAD REFERENCES UTF-8 ALL'), [`* THREAD ${threads}`])
  }
  await expect('3 1 2', '3 2 1', '1 2 3', '(3)(1 2)')
  t.same(await all('UID SORT (SUBJECT) UTF-8 UNDELETED'), ['* SORT 3 1 2'])
  await one.ok('STORE 2 +FLAGS (\\Deleted)')
  await expect('3 1 2', '3 2 1', '1 2 3', '(3)(1 2)')
  t.same(await all('UID SORT (SUBJECT) UTF-8 UNDELETED'), ['* SORT 3 1'])
  t.same(await all('SORT (HASFLAG \\Deleted SUBJECT) UTF-8 ALL'), ['* SORT 3 1 2'])
  await one.append('INBOX', mail('aa', 2, 'References: <1@x>\r\n'))
  for (const client of clients) await client.ok('NOOP')
  await expect('3 4 1 2', '3 2 4 1', '1 2 4 3', '(3)(1 (2)(4))')
  await one.ok('EXPUNGE')
  for (const client of clients) await client.ok('NOOP')
  await expect('2 3 1', '2 3 1', '1 3 2', '(2)(1 3)')
  t.same(await all('UID THREAD REFERENCES UTF-8 ALL'), ['* THREAD (3)(1 4)'])
})
