/** A process that adds messages until the database cannot grow any more, and tells how many were acknowledged. Not a test. */
import { Config } from '../../lib/config/config.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { appendMessages } from '../../lib/mailbox/messages.js'
import { MailStore } from '../../lib/store/store.js'
import { silent } from '../fixture_store.js'

// beyond the limit that its parent has set, writing then fails instead of ending the process
process.on('SIGXFSZ', () => undefined)
const store = await MailStore.open(Config.load(process.argv[2]!), silent)
const mailbox = await createMailbox(store, 'user.alice')
let acknowledged = 0
const failures: string[] = []
while (failures.length < 3 && acknowledged < 5000) {
  const staged = await store.stageBuffer(
    'default',
    Buffer.from(`Subject: ${acknowledged}\r\n\r\n${'x'.repeat(30_000)}`),
  )
  try {
    await appendMessages(store, mailbox, [{ staged, flags: 0, keywords: [] }])
    acknowledged++
  } catch (error) {
    failures.push((error as Error).message)
  }
  store.unstage(staged)
}
await store.settled()
process.stdout.write(JSON.stringify({ acknowledged, failures, exists: store.index(mailbox.id)!.length }))
process.exit(0)
