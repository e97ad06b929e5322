/** What both ends of replication need of their own for a large mailbox. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Lab } from '../test/lab/lab.js'
import type { Figures } from './rows.js'

/** Messages in one APPEND. */
const AT_ONCE = 500
/** How often the processes are looked at, ms. */
const LOOK = 20

/** Largest memory of their own (anonymous pages) of sync_server and sync_client during a first `sync_client -u` of so many small messages. */
export async function uploadMemory(lab: Lab, messages: number): Promise<Figures> {
  const [user] = lab.topology.users as [string]
  const client = await lab.login(user)
  for (let n = 0; n < messages; n += AT_ONCE) {
    const parts: string[] = []
    for (let m = n; m < Math.min(n + AT_ONCE, messages); m++) {
      const text = `From: a@example.org\r\nSubject: message ${m}\r\nMessage-ID: <${m}@example.org>\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\nbody ${m}\r\n`
      parts.push(` {${text.length}+}\r\n${text}`)
    }
    await client.ok(`APPEND INBOX${parts.join('')}`)
  }
  await client.logout()
  let [server, ownClient, done] = [0, 0, false]
  const syncing = lab.master.run('sync_client', '-u', user).finally(() => (done = true))
  while (!done) {
    for (const pid of lab.replica.processes('sync')) server = Math.max(server, anonymous(pid))
    for (const pid of clientsOf(lab)) ownClient = Math.max(ownClient, anonymous(pid))
    await sleep(LOOK)
  }
  await syncing
  return {
    [`sync_server's memory, ${messages} messages`]: { value: server / 1024, unit: 'MiB', more: false },
    [`sync_client's memory, ${messages} messages`]: { value: ownClient / 1024, unit: 'MiB', more: false },
  }
}

/** KiB */
function anonymous(pid: number): number {
  try {
    return Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** A sync_client that was run by hand is no process of the instance. */
function clientsOf(lab: Lab): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1')
        return words.includes('sync_client') && words.includes(lab.master.imapdConf)
      } catch {
        return false
      }
    })
}
