/** What is measured: each function runs one measurement on a lab that is up and gives figures by row name. */
import { setTimeout as sleep } from 'node:timers/promises'
import { compareUntilEqual } from '../test/lab/compare.js'
import type { ImapClient } from '../test/lab/imap_client.js'
import type { Instance } from '../test/lab/instance.js'
import type { Lab } from '../test/lab/lab.js'
import { LmtpClient } from '../test/lab/lmtp_client.js'
import { messageOfSize } from '../test/lab/messages.js'
import { percentile } from '../test/lab/scenario.js'
import { pss } from './memory.js'

/** A figure, and whether more of it is better. */
export interface Figure {
  value: number
  unit: string
  more: boolean
}
export type Figures = Record<string, Figure>

const now = () => performance.now()

/** LMTP deliveries a second of 4 KiB messages over some connections, without replication. */
export async function lmtpRate(lab: Lab, connections: number, messages: number): Promise<Figures> {
  const clients = await Promise.all(
    Array.from({ length: connections }, () => LmtpClient.connect(lab.master.ports.lmtp)),
  )
  const users = lab.topology.users
  // a first message each, so that processes are up and caches filled alike
  for (const client of clients) await client.deliver(messageOfSize(0, 4096), users[0]!)
  let next = 0
  const begun = now()
  await Promise.all(
    clients.map(async (client, c) => {
      while (next < messages) {
        const [reply] = await client.deliver(messageOfSize(next++, 4096), users[c % users.length]!)
        if (!reply?.startsWith('250')) throw new Error(`LMTP: ${reply}`)
      }
    }),
  )
  const rate = messages / ((now() - begun) / 1000)
  await Promise.all(clients.map((client) => client.quit()))
  return {
    [`LMTP, ${connections} connection${connections === 1 ? '' : 's'}`]: { value: rate, unit: 'msg/s', more: true },
  }
}

/** Rolling lag of single messages: each is delivered when the one before has appeared on the replica. */
export async function rollingLag(lab: Lab, messages: number): Promise<Figures> {
  const [user] = lab.topology.users as [string]
  await compareUntilEqual(lab, 30, [user])
  const watch = await lab.login(user, lab.replica)
  let exists = existsIn((await watch.ok('EXAMINE INBOX')).untagged) ?? 0
  const lmtp = await LmtpClient.connect(lab.master.ports.lmtp)
  const lags: number[] = []
  for (let n = 0; n < messages; n++) {
    await lmtp.deliver(messageOfSize(n, 4096), user)
    const acknowledged = now()
    exists++
    for (;;) {
      const seen = existsIn((await watch.ok('NOOP')).untagged)
      if (seen !== undefined && seen >= exists) break
      if (now() - acknowledged > 30_000) throw new Error('a message did not reach the replica in 30 s')
      // asking without a pause would take the processor from those that are measured
      await sleep(1)
    }
    lags.push(now() - acknowledged)
  }
  await lmtp.quit()
  await watch.logout()
  lags.sort((a, b) => a - b)
  return {
    'rolling lag p50': { value: percentile(lags, 0.5), unit: 'ms', more: false },
    'rolling lag p99': { value: percentile(lags, 0.99), unit: 'ms', more: false },
  }
}

function existsIn(untagged: { text: string }[]): number | undefined {
  const found = untagged.map(({ text }) => /^\* (\d+) EXISTS/.exec(text)?.[1]).filter((count) => count !== undefined)
  return found.length === 0 ? undefined : Number(found.at(-1))
}

/** Times of a first `sync_client -u` of a user with so many messages of 4 KiB, of another, and of one for a flag; start of the program included. */
export async function firstSync(lab: Lab, messages: number): Promise<Figures> {
  const [user] = lab.topology.users as [string]
  await lmtpFill(lab, user, messages)
  const begun = now()
  await lab.master.run('sync_client', '-u', user)
  const took = now() - begun
  const result = await compareUntilEqual(lab, 5, [user])
  if (result.differences.length > 0) throw new Error(`after sync_client -u: ${result.differences[0]}`)
  const again = now()
  await lab.master.run('sync_client', '-u', user)
  const unchanged = now() - again
  const client = await lab.login(user)
  await client.ok('SELECT INBOX')
  await client.ok('STORE 1 +FLAGS (\\Flagged)')
  await client.logout()
  const flagged = now()
  await lab.master.run('sync_client', '-u', user)
  return {
    [`sync_client -u, ${messages} messages`]: { value: took / 1000, unit: 's', more: false },
    'sync_client -u again': { value: unchanged, unit: 'ms', more: false },
    'sync_client -u, one flag changed': { value: now() - flagged, unit: 'ms', more: false },
  }
}

async function lmtpFill(lab: Lab, user: string, messages: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 8 }, () => LmtpClient.connect(lab.master.ports.lmtp)))
  // one by one at first: a fresh Cyrus makes its databases then, and several lmtpds at that at once end
  let next = 0
  for (const client of clients) await client.deliver(messageOfSize(next++, 4096), user)
  await Promise.all(
    clients.map(async (client) => {
      while (next < messages) await client.deliver(messageOfSize(next++, 4096), user)
    }),
  )
  await Promise.all(clients.map((client) => client.quit()))
}

/** PSS of all imapd processes with so many idle connections, each logged in with a mailbox selected: in all, and what each added. */
export async function idleMemory(lab: Lab, instance: Instance, connections: number): Promise<Figures> {
  const [user] = lab.topology.users as [string]
  const first = await lab.login(user, instance)
  await first.ok('SELECT INBOX')
  const before = imapdPss(instance)
  const clients: ImapClient[] = []
  for (let n = 0; n < connections; n++) {
    const client = await lab.login(user, instance)
    await client.ok('SELECT INBOX')
    clients.push(client)
  }
  const after = imapdPss(instance)
  for (const client of [first, ...clients]) client.close()
  return {
    [`${connections} idle IMAP connections, each adds`]: {
      value: (after - before) / connections,
      unit: 'KiB',
      more: false,
    },
    [`${connections} idle IMAP connections, all of imapd`]: { value: after / 1024, unit: 'MiB', more: false },
  }
}

function imapdPss(instance: Instance): number {
  return instance.processes('imapd').reduce((sum, pid) => sum + pss(pid), 0)
}
