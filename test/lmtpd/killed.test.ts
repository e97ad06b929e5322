/** lmtpd under master, killed again and again with SIGKILL while mail comes in: what was acknowledged is there, once, and whole. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Config } from '../../lib/config/config.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { launcher } from '../../lib/os/link_programs.js'
import { MailStore } from '../../lib/store/store.js'
import { silent } from '../fixture_store.js'
import { Client, childrenOf, Instance, until } from '../master/instance.js'

const LMTPD = fileURLToPath(new URL('../../services/lmtpd/main.js', import.meta.url))
const KILLS = 6
const SENDERS = 4

t.test('kill -9 loses nothing that was acknowledged', async (t) => {
  const master = new Instance('store_map_size: 1g\nservername: mail.test\n')
  t.teardown(() => master.close())
  writeFileSync(master.path('bin/lmtpd'), launcher(relative(master.path('bin'), LMTPD), process.execPath), {
    mode: 0o755,
  })
  mkdirSync(master.path('spool'))
  const config = Config.load(master.path('imapd.conf'))
  const before = await MailStore.open(config, silent)
  for (const name of ['user.a', 'user.b']) await createMailbox(before, name)
  await before.close()

  const socket = master.path('sock')
  master.configure(`SERVICES {
    lmtp cmd="lmtpd -C ${master.path('imapd.conf')}" listen="${socket}" maxchild=2 babysit=1
  }`)
  await master.start()

  const acknowledged: string[] = []
  let attempts = 0
  let stop = false
  /** Delivers one message after the other, connecting again whenever the connection is lost. */
  const sender = async (): Promise<void> => {
    while (!stop) {
      const client = await Client.connect(socket)
      if (!(await client.line())?.startsWith('220')) continue
      while (!stop && !client.ended) {
        const id = `m${attempts++}`
        client.say('MAIL FROM:<>\r\nRCPT TO:<a>\r\nRCPT TO:<b>\r\nDATA\r')
        const answers = [await client.line(), await client.line(), await client.line(), await client.line()]
        if (!answers[3]?.startsWith('354')) break
        client.say(
          `Message-ID: <${id}>\r\nDate: x\r\n\r\n${id} ${'x'.repeat(attempts % 3 === 0 ? 60_000 : 500)}\r\n.\r`,
        )
        for (const user of ['a', 'b']) if ((await client.line())?.startsWith('250')) acknowledged.push(`${user} ${id}`)
      }
      await client.close()
    }
  }
  const senders = Array.from({ length: SENDERS }, sender)
  for (let kill = 0; kill < KILLS; kill++) {
    const soFar = acknowledged.length
    await until('some more mail', () => acknowledged.length >= soFar + 20)
    const victims = childrenOf(master.pid)
    for (const pid of victims) process.kill(pid, 'SIGKILL')
    await until('the victims to be reaped', () => !childrenOf(master.pid).some((pid) => victims.includes(pid)))
  }
  stop = true
  await Promise.all(senders)
  master.kill('SIGTERM')
  await master.exit

  const store = await MailStore.open(config, silent)
  t.teardown(() => store.close())
  const found = new Map<string, number>()
  for (const user of ['a', 'b']) {
    const mailbox = store.mailbox(`user.${user}`)!
    const index = store.index(mailbox.id)!
    for (let row = 0; row < index.length; row++) {
      const text = (await store.readMessage(mailbox, index.uid(row))).toString('latin1')
      const id = /^Message-ID: <(.*)>\r$/m.exec(text)![1]!
      found.set(`${user} ${id}`, (found.get(`${user} ${id}`) ?? 0) + 1)
      if (!text.includes(`\r\n\r\n${id} x`) || !text.endsWith('x\r\n') || text.length !== index.size(row))
        t.fail(`${id} is damaged`)
    }
  }
  t.ok(acknowledged.length > 20 * KILLS)
  t.strictSame(
    acknowledged.filter((key) => !found.has(key)),
    [],
    'all are there',
  )
  t.strictSame(
    [...found].filter(([, count]) => count > 1),
    [],
    'once',
  )
})
