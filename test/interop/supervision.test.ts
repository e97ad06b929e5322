/** Our master runs the real Cyrus' imapd and lmtpd, the real Cyrus' master runs ours: a delivery, a login, a fetch, a clean end. */
import t, { type Test } from 'tap'
import { Lab } from '../lab/lab.js'
import { LmtpClient } from '../lab/lmtp_client.js'
import { sampleMessage } from '../lab/messages.js'
import { needsCyrus } from '../lab/needs.js'

async function work(t: Test, topology: string): Promise<void> {
  const lab = await Lab.start(topology)
  t.teardown(() => lab.stop())
  await lab.createUsers()
  for (const [n, where] of [lab.master.ports.lmtp, lab.master.lmtpSocket].entries()) {
    const lmtp = await LmtpClient.connect(where)
    t.match(await lmtp.deliver(sampleMessage(n + 1), 'alice'), [/^250/])
    await lmtp.quit()
  }
  // more connections than one classic process takes
  const clients = await Promise.all(Array.from({ length: 8 }, () => lab.login('alice')))
  for (const client of clients) {
    await client.ok('SELECT INBOX')
    const { untagged } = await client.ok('FETCH 1:2 (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    t.equal(untagged.filter(({ text }) => /^\* \d FETCH .*Subject: message [12]/s.test(text)).length, 2)
  }
  for (const client of clients) await client.logout()
  process.kill(lab.master.pid, 'SIGHUP')
  const again = await lab.login('alice')
  await again.logout()
  await lab.stop()
  t.same(lab.master.processes(''), [], 'nothing is left behind')
}

t.test('the real Cyrus’ master runs ours', async (t) => {
  if (needsCyrus(t)) await work(t, 'cyrus_supervises_ours.ini')
})

t.test('our master runs the real Cyrus’', async (t) => {
  if (needsCyrus(t)) await work(t, 'ours_supervises_cyrus.ini')
})
