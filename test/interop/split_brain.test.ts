/**
 * Both sides were changed while they did not see each other. Each case is played with the real Cyrus on both sides, and with ours on either side
 * or both: sync_client must end with the same messages, UIDs and flags on both machines, and with the same that two real ones end with.
 */
import t from 'tap'
import type { ImapClient } from '../lab/imap_client.js'
import type { Instance } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { readCommandResult } from './sync_direct_run.js'

type Side = ImapClient

interface Case {
  readonly name: string
  /** whether the mailbox was replicated with its three messages before the two sides lost sight of each other */
  readonly shared: boolean
  readonly master: (client: Side, box: string) => Promise<void>
  readonly replica: (client: Side, box: string) => Promise<void>
  /** two different mailboxes with messages: neither is touched, the item fails, and it must not stop others */
  readonly hopeless?: boolean
}

/** Cyrus' client ends at the first mailbox that fails: such cases have a user of their own. */
const userOf = ({ hopeless }: Case): string => (hopeless ? 'bob' : 'alice')

const message = (text: string): Buffer =>
  Buffer.from(
    `From: a@example.org\r\nSubject: ${text}\r\nMessage-ID: <${text.replace(/ /g, '.')}@x>\r\nDate: Tue, 06 Feb 2007 18:49:19 +0000\r\n\r\n${text}\r\n`,
  )
const nothing = async (): Promise<void> => {}
const store =
  (what: string) =>
  async (client: Side, box: string): Promise<void> => {
    await client.ok(`SELECT ${box}`)
    await client.ok(`UID STORE ${what}`)
    await client.ok('UNSELECT')
  }
const expunge =
  (uid: string) =>
  async (client: Side, box: string): Promise<void> => {
    await client.ok(`SELECT ${box}`)
    await client.ok(`UID STORE ${uid} +FLAGS.SILENT (\\Deleted)`)
    await client.ok('EXPUNGE')
    await client.ok('UNSELECT')
  }
const append =
  (...texts: string[]) =>
  async (client: Side, box: string): Promise<void> => {
    for (const text of texts) await client.append(box, message(text))
  }
const both =
  (...steps: ((client: Side, box: string) => Promise<void>)[]) =>
  async (client: Side, box: string): Promise<void> => {
    for (const step of steps) await step(client, box)
  }

const CASES: readonly Case[] = [
  { name: 'flag on the replica', shared: true, master: nothing, replica: store('1 +FLAGS (\\Flagged)') },
  { name: 'flags on both', shared: true, master: store('1 +FLAGS (here)'), replica: store('2 +FLAGS (there)') },
  {
    name: 'another flag of one message',
    shared: true,
    master: store('1 +FLAGS (here)'),
    replica: store('1 +FLAGS (there)'),
  },
  { name: 'message on the replica', shared: true, master: nothing, replica: append('only there') },
  { name: 'same UID, two messages', shared: true, master: append('only here'), replica: append('only there') },
  {
    name: 'two against one',
    shared: true,
    master: append('only here'),
    replica: append('only there 1', 'only there 2'),
  },
  { name: 'the same message on both', shared: true, master: append('the same'), replica: append('the same') },
  { name: 'expunged on the replica', shared: true, master: nothing, replica: expunge('2') },
  { name: 'expunged on the master', shared: true, master: expunge('2'), replica: store('2 +FLAGS (there)') },
  { name: 'expunged on both', shared: true, master: expunge('1'), replica: expunge('3') },
  {
    name: 'much of all',
    shared: true,
    master: both(append('here 1'), expunge('1'), store('2 +FLAGS (\\Answered)'), append('here 2')),
    replica: both(append('there 1', 'there 2', 'there 3'), expunge('3'), store('2 +FLAGS (\\Flagged)')),
  },
  {
    name: 'made on both, with messages',
    shared: false,
    hopeless: true,
    master: both((client, box) => client.ok(`CREATE ${box}`).then(() => {}), append('here 1', 'here 2')),
    replica: both((client, box) => client.ok(`CREATE ${box}`).then(() => {}), append('there 1')),
  },
  {
    name: 'made on both, empty on the replica',
    shared: false,
    master: both((client, box) => client.ok(`CREATE ${box}`).then(() => {}), append('here 1')),
    replica: (client, box) => client.ok(`CREATE ${box}`).then(() => {}),
  },
]

/** `UID subject (flags)` of every message. */
async function contents(client: ImapClient, box: string): Promise<string[]> {
  const { status } = await client.command(`EXAMINE ${box}`)
  if (status !== 'OK') return ['no such mailbox']
  const { untagged } = await client.ok('UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
  await client.command('UNSELECT')
  return untagged
    .flatMap(({ text }) => {
      const uid = /\bUID (\d+)/.exec(text)?.[1]
      if (uid === undefined) return []
      const flags = /FLAGS \(([^)]*)\)/.exec(text)?.[1] ?? ''
      const shown = flags.split(' ').filter((flag) => flag !== '' && flag !== '\\Recent')
      return [`${uid} ${/Subject: ([^\r\n]*)/.exec(text)?.[1]} (${shown.sort().join(' ')})`]
    })
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
}

/** Plays all cases on one pair. @returns what each mailbox ends with, on master and replica */
async function play(topology: string): Promise<Map<string, [string[], string[]]>> {
  const lab = await Lab.start(topology, { rolling: false, users: ['alice', 'bob'] })
  try {
    await lab.createUsers()
    const box = (n: number): string => `INBOX/case${n}`
    const sync = async (): Promise<void> => {
      for (const user of lab.topology.users) await readCommandResult(lab.master, 'sync_client', '-u', user)
    }
    const at = async (instance: Instance): Promise<Map<string, ImapClient>> =>
      new Map(
        await Promise.all(lab.topology.users.map(async (user) => [user, await lab.login(user, instance)] as const)),
      )
    const master = await at(lab.master)
    for (const [n, each] of CASES.entries()) {
      if (!each.shared) continue
      const client = master.get(userOf(each))!
      await client.ok(`CREATE ${box(n)}`)
      for (const text of ['one', 'two', 'three']) await client.append(box(n), message(text))
    }
    await sync()
    const replica = await at(lab.replica)
    for (const [n, each] of CASES.entries()) {
      await each.master(master.get(userOf(each))!, box(n))
      await each.replica(replica.get(userOf(each))!, box(n))
    }
    for (const client of [...master.values(), ...replica.values()]) await client.logout()
    // a mailbox whose uniqueid gives way is whole after the second time
    await sync()
    await sync()
    const ends = new Map<string, [string[], string[]]>()
    const [here, there] = [await at(lab.master), await at(lab.replica)]
    for (const [n, each] of CASES.entries()) {
      const [a, b] = [here.get(userOf(each))!, there.get(userOf(each))!]
      ends.set(each.name, [await contents(a, box(n)), await contents(b, box(n))])
    }
    return ends
  } finally {
    await lab.stop()
  }
}

t.test('split brain', { timeout: 240_000 }, async (t) => {
  if (!needsCyrus(t)) return
  const truth = await play('cyrus_pair.ini')
  for (const topology of ['pair.ini', 'ours_to_cyrus.ini', 'cyrus_to_ours.ini']) {
    const ends = await play(topology)
    for (const { name, hopeless } of CASES) {
      const [here, there] = ends.get(name)!
      t.strictSame([here, there], truth.get(name), `${topology}: ${name}: as two real ones`)
      if (!hopeless) t.strictSame(there, here, `${topology}: ${name}: both sides are the same`)
    }
  }
})
