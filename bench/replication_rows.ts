/** What is measured of rolling replication under load. As rows.ts: a lab that is up, figures by row name. */
import { setTimeout as sleep } from 'node:timers/promises'
import { compareUntilEqual } from '../test/lab/compare.js'
import type { ImapClient } from '../test/lab/imap_client.js'
import type { Lab } from '../test/lab/lab.js'
import { LmtpClient } from '../test/lab/lmtp_client.js'
import { messageOfSize } from '../test/lab/messages.js'
import { percentile } from '../test/lab/scenario.js'
import type { Figures } from './rows.js'

const now = () => performance.now()
const PATIENCE = 60_000

/** Lag of one user's messages while changes come at a steady rate over all users. */
export async function lagUnderLoad(lab: Lab, rate: number, seconds: number): Promise<Figures> {
  const { users } = lab.topology
  const [watched] = users as [string]
  await compareUntilEqual(lab, 30, [...users])
  const watch = await lab.login(watched, lab.replica)
  let exists = (await existsOf(watch, 'EXAMINE INBOX')) ?? 0
  const clients = await Promise.all(users.map(() => LmtpClient.connect(lab.master.ports.lmtp)))
  const waiting: { count: number; since: number }[] = []
  const lags: number[] = []
  let sending = true
  let count = exists
  const begun = now()
  const send = async (n: number): Promise<void> => {
    // each connection has its own user and its own place in the rhythm
    for (let turn = 0; ; turn++) {
      const due = begun + ((turn * users.length + n) * 1000) / rate
      if (due - begun > seconds * 1000) return
      await sleep(Math.max(0, due - now()))
      await clients[n]!.deliver(messageOfSize(turn, 4096), users[n]!)
      if (n === 0) waiting.push({ count: ++count, since: now() })
    }
  }
  const sent = Promise.all(users.map((_, n) => send(n))).then(() => {
    sending = false
  })
  const last = now() + seconds * 1000 + PATIENCE
  while (sending || waiting.length > 0) {
    exists = (await existsOf(watch, 'NOOP')) ?? exists
    while (waiting.length > 0 && waiting[0]!.count <= exists) lags.push(now() - waiting.shift()!.since)
    if (now() > last) {
      process.stderr.write(`lag at ${rate} changes/s: ${waiting.length} messages did not reach the replica in time\n`)
      return {}
    }
    await sleep(1)
  }
  await sent
  await watch.logout()
  for (const client of clients) await client.quit()
  lags.sort((a, b) => a - b)
  return {
    [`lag p50 at ${rate} changes/s`]: { value: percentile(lags, 0.5), unit: 'ms', more: false },
    [`lag p99 at ${rate} changes/s`]: { value: percentile(lags, 0.99), unit: 'ms', more: false },
  }
}

/** Messages a second from the first delivery until the last of them is on the replica, all users side by side. */
export async function deliveredAndReplicated(lab: Lab, messages: number): Promise<Figures> {
  const { users } = lab.topology
  await compareUntilEqual(lab, 60, [...users])
  const before = await countOn(lab)
  const clients = await Promise.all(users.map(() => LmtpClient.connect(lab.master.ports.lmtp)))
  let next = 0
  const begun = now()
  await Promise.all(
    clients.map(async (client, n) => {
      while (next < messages) await client.deliver(messageOfSize(next++, 4096), users[n]!)
    }),
  )
  while ((await countOn(lab)) < before + messages) {
    if (now() - begun > 2 * PATIENCE) {
      process.stderr.write('delivered and replicated: not all messages reached the replica in time\n')
      return {}
    }
    await sleep(20)
  }
  const rate = messages / ((now() - begun) / 1000)
  for (const client of clients) await client.quit()
  return { 'delivered and replicated': { value: rate, unit: 'msg/s', more: true } }
}

/** Deliveries a second that are acknowledged when they are on both machines. */
export async function semisyncRate(lab: Lab, connections: number, messages: number): Promise<Figures> {
  const { users } = lab.topology
  await compareUntilEqual(lab, 60, [...users])
  const clients = await Promise.all(
    Array.from({ length: connections }, () => LmtpClient.connect(lab.master.ports.lmtp)),
  )
  let next = 0
  const begun = now()
  await Promise.all(
    clients.map(async (client, n) => {
      while (next < messages) await client.deliver(messageOfSize(next++, 4096), users[n % users.length]!)
    }),
  )
  const rate = messages / ((now() - begun) / 1000)
  for (const client of clients) await client.quit()
  return { [`on two machines, ${connections} connections`]: { value: rate, unit: 'msg/s', more: true } }
}

async function existsOf(client: ImapClient, command: string): Promise<number | undefined> {
  const { untagged } = await client.ok(command)
  const found = untagged.flatMap(({ text }) => /^\* (\d+) EXISTS/.exec(text)?.[1] ?? [])
  return found.length === 0 ? undefined : Number(found.at(-1))
}

/** Messages in all INBOXes of the replica. */
async function countOn(lab: Lab): Promise<number> {
  let sum = 0
  for (const user of lab.topology.users) {
    const client = await lab.login(user, lab.replica)
    const { untagged } = await client.ok('STATUS INBOX (MESSAGES)')
    sum += Number(/MESSAGES (\d+)/.exec(untagged.map(({ text }) => text).join(''))?.[1] ?? 0)
    await client.logout()
  }
  return sum
}
