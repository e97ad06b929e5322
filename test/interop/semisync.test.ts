/**
 * semisync: the master loses its power under load, again and again; each time everything that it had acknowledged, deliveries and
 * flags, is on the replica at once. SEMISYNC_KILLS says how often (3).
 */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import type { ImapClient } from '../lab/imap_client.js'
import { Lab } from '../lab/lab.js'
import { LmtpClient } from '../lab/lmtp_client.js'

const KILLS = Number(process.env.SEMISYNC_KILLS ?? 3)
const CONNECTIONS = 8

t.test(
  'what was acknowledged is on the replica when the master dies',
  { timeout: 60_000 + KILLS * 20_000 },
  async (t) => {
    const lab = await Lab.start('semisync_pair.ini')
    t.teardown(() => lab.stop())
    await lab.createUsers()
    const { users } = lab.topology
    const acknowledged = new Map(users.map((user) => [user, new Set<string>()]))
    let flagged = 0
    let sequence = 0

    /** Delivers until the master is gone. */
    const deliver = async (): Promise<void> => {
      try {
        const client = await LmtpClient.connect(lab.master.ports.lmtp)
        for (;;) {
          const user = users[sequence % users.length]!
          const subject = `message ${++sequence}`
          const [reply] = await client.deliver(Buffer.from(`Subject: ${subject}\r\n\r\nx\r\n`), user)
          if (reply?.startsWith('250')) acknowledged.get(user)!.add(subject)
        }
      } catch {
        // the power has gone
      }
    }
    /** Flags one message after the other until the master is gone. */
    const flag = async (from: number): Promise<void> => {
      try {
        const client = await lab.login(users[0]!)
        await client.command('SELECT INBOX')
        for (let n = from; ; n++) {
          await client.command('NOOP')
          const { status } = await client.command(`UID STORE ${n} +FLAGS (\\Flagged)`)
          if (status === 'OK' && n <= acknowledged.get(users[0]!)!.size) flagged = n
          else if (n > acknowledged.get(users[0]!)!.size) n--
        }
      } catch {
        // the power has gone
      }
    }
    for (let kill = 0; kill < KILLS; kill++) {
      const work = Promise.all([...Array.from({ length: CONNECTIONS }, deliver), flag(flagged + 1)])
      const before = sequence
      while (sequence < before + 30) await pause(5)
      await pause(Math.random() * 300)
      await lab.master.crash()
      await work
      for (const user of users) {
        const replica = await lab.login(user, lab.replica)
        const there = await subjectsOf(replica)
        const missing = [...acknowledged.get(user)!].filter((subject) => !there.has(subject))
        t.strictSame(missing, [], `${user}: all ${acknowledged.get(user)!.size} are there`)
        if (user === users[0]) {
          const { untagged } = await replica.command(`UID SEARCH UID 1:${Math.max(flagged, 1)} UNFLAGGED`)
          if (flagged > 0)
            t.match(untagged.map(({ text }) => text).join('\n'), /^\* SEARCH\s*$/m, `${flagged} flags are there`)
        }
        await replica.command('LOGOUT')
      }
      await lab.master.start()
    }
    t.ok(flagged > 0)
  },
)

async function subjectsOf(client: ImapClient): Promise<Set<string>> {
  await client.command('EXAMINE INBOX')
  const { untagged } = await client.command('FETCH 1:* (BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
  return new Set(untagged.flatMap(({ text }) => /Subject: (message \d+)/.exec(text)?.[1] ?? []))
}
