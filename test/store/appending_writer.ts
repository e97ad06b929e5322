/** Appends messages to a mailbox as fast as it can, and prints the UID and GUID of each once it is durable. Killed from outside. */
import { Config } from '../../lib/config/config.js'
import { appendMessages, storeFlags } from '../../lib/mailbox/messages.js'
import { Flag, MailStore } from '../../lib/store/store.js'
import { silent } from '../fixture_store.js'

const store = await MailStore.open(Config.load(process.argv[2]!), silent)
const mailbox = store.mailbox('user.alice')!

async function work(worker: number): Promise<void> {
  for (let n = 0; ; n++) {
    const staged = await store.stageBuffer(
      'default',
      Buffer.from(`Subject: ${process.pid}-${worker}-${n}\r\n\r\n${'x'.repeat(n % 3000)}\r\n`),
    )
    const { uids } = await appendMessages(store, mailbox, [{ staged, flags: 0, keywords: [`kw${worker}`] }])
    store.unstage(staged)
    process.stdout.write(`added ${uids[0]} ${staged.guid}\n`)
    if (n % 5 !== 0) continue
    await storeFlags(store, mailbox, uids, { mode: 'add', flags: Flag.Seen, keywords: [] }, 'alice')
    process.stdout.write(`seen ${uids[0]}\n`)
  }
}

await Promise.all([0, 1, 2, 3].map(work))
