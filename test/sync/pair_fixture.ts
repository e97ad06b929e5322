/** A master's store and a replica's server in this process, and what a sync_client does between them. Not a test. */
import { rmSync } from 'node:fs'
import type { Config } from '../../lib/config/config.js'
import { appendMessages } from '../../lib/mailbox/messages.js'
import { guidOf } from '../../lib/message/summary.js'
import { Flag, type MailStore } from '../../lib/store/store.js'
import { Peer } from '../../lib/sync/client/peer.js'
import { ClientSession } from '../../lib/sync/client/session.js'
import { recordsOf } from '../../lib/sync/client/sync_mailbox.js'
import { targetOf } from '../../lib/sync/client/target.js'
import { stateOf, writeMailbox } from '../../lib/sync/mailbox_codec.js'
import { isExpunged } from '../../lib/sync/record_codec.js'
import { collectingLog, type Fixture, openStore, startServer } from './server_fixture.js'

export interface Pair {
  readonly store: MailStore
  readonly config: Config
  readonly replica: Fixture
  /** what the client said it does */
  readonly told: string[]
  readonly logged: string[]
  /** a new connection */
  connect(options?: {
    noCopyback?: boolean
    sieve?: boolean
    known?: ClientSession['known']
    sent?: { messages: number; bytes: number }
  }): Promise<ClientSession>
  close(): Promise<void>
}

export async function startPair(extra = ''): Promise<Pair> {
  const replica = await startServer()
  const { folder, config, store, logged } = await openStore(
    `sync_host: 127.0.0.1\nsync_port: ${replica.port}\nsync_authname: repl\nsync_password: replpw\n${extra}`,
  )
  const told: string[] = []
  const sessions: ClientSession[] = []
  return {
    store,
    config,
    replica,
    told,
    logged,
    async connect({ noCopyback = false, sieve = true, known, sent } = {}) {
      const peer = await Peer.open(targetOf(config, '', undefined)!, { force: noCopyback, sieve })
      const options = {
        tell: (line: string) => void told.push(line),
        noCopyback,
        localOnly: false,
        partition: undefined,
        ...(known && { known }),
        ...(sent && { sent }),
      }
      const session = new ClientSession(store, peer, collectingLog(logged), options)
      sessions.push(session)
      return session
    },
    async close() {
      for (const { peer } of sessions) await peer.exit()
      await store.settled()
      await store.close()
      rmSync(folder, { recursive: true, force: true })
      await replica.close()
    },
  }
}

/** A small message that is like no other. */
export function messageText(n: number | string, bytes = 0): Buffer {
  return Buffer.from(
    `From: alice@example.org\r\nSubject: message ${n}\r\nMessage-ID: <m${n}@example.org>\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\nbody ${n}\r\n${'x'.repeat(bytes)}`,
  )
}

/** Adds messages to a mailbox of a store. */
export async function deliver(
  store: MailStore,
  name: string,
  messages: readonly Buffer[],
  flags = 0,
  keywords: string[] = [],
): Promise<number[]> {
  const mailbox = store.mailbox(name)!
  const items = []
  for (const message of messages)
    items.push({ staged: await store.stageBuffer(mailbox.partition, message), flags, keywords })
  const { uids } = await appendMessages(store, mailbox, items)
  for (const { staged } of items) store.unstage(staged)
  return uids
}

/** All mailboxes as replication tells them, with all records: equal texts are equal stores. Partition and RECENT are the master's to tell. */
export function picture(store: MailStore, prefix: string, expunged = true): string[] {
  store.refresh()
  const lines: string[] = []
  for (const header of store.mailboxes(prefix)) {
    const index = store.index(header.id)!
    const { quotaRoot: _, ...state } = stateOf(header, store.annotations(header.id), undefined)
    const records = [...recordsOf(store, index)].filter((record) => expunged || !isExpunged(record))
    lines.push([...writeMailbox(state, 'server', undefined, records)].join(''))
  }
  return lines
}

/** Every message's bytes hash to its GUID. */
export async function damagedMessages(store: MailStore, prefix: string): Promise<string[]> {
  const bad: string[] = []
  for (const header of store.mailboxes(prefix)) {
    const index = store.index(header.id)!
    for (let row = 0; row < index.length; row++) {
      const record = index.record(row)
      if (record.flags & (Flag.Expunged | Flag.Unlinked)) continue
      const bytes = await store.readMessage(header, record.uid).catch(() => Buffer.alloc(0))
      if (guidOf(bytes) !== record.guid || bytes.length !== record.size) bad.push(`${header.name} ${record.uid}`)
    }
  }
  return bad
}
