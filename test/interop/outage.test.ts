/** Both machines lose their power while mail comes in: nothing acknowledged is lost, and the replica catches up by itself. */
import t from 'tap'
import { compareUntilEqual } from '../lab/compare.js'
import { Lab } from '../lab/lab.js'
import { LmtpClient } from '../lab/lmtp_client.js'
import { sampleMessage } from '../lab/messages.js'

t.test('the replica dies, then the master, then both come back', async (t) => {
  const lab = await Lab.start('pair.ini', { users: ['alice'] })
  t.teardown(() => lab.stop())
  await lab.createUsers()
  const lmtp = await LmtpClient.connect(lab.master.ports.lmtp)
  for (let n = 0; n < 30; n++) {
    if (n === 10) await lab.replica.crash()
    if (n === 20) await lab.master.crash()
    if (n === 20) {
      await lab.master.start()
      lmtp.socket.destroy()
    }
    const client = n < 20 ? lmtp : await LmtpClient.connect(lab.master.ports.lmtp)
    t.match(await client.deliver(sampleMessage(n), 'alice'), [/^250/])
    if (n >= 20) await client.quit()
  }
  await lab.replica.start()
  const { differences, messages } = await compareUntilEqual(lab, 60)
  t.same(differences, [])
  t.equal(messages, 30)
})
