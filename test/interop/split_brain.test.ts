/**
 * Both sides were changed while they did not see each other. Each case is played with the real Cyrus on both sides, and with ours on either side
 * or both: sync_client must end with the same messages, UIDs and flags on both machines, and with the same that two real ones end with.
 */
import t from 'tap'
import type { ImapClient } from '../lab/imap_client.js'
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
  /** what the two real ones make of it may depend on the moment; only both sides are compared */
  readonly free?: boolean
}

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
  { name: 'another flag of one message', shared: true, master: store('1 +FLAGS (here)'), replica: store('1 +FLAGS (there)') },
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

/** Plays all cases on one pair. @returns what each mailbox ends with, on master and replica, and the client's failures */
async function play(topology: string): Promise<{ ends: Map<string, [string[], string[]]>; failures: string[] }> {
  const lab = await Lab.start(topology, { rolling: false, users: ['alice'] })
  try {
    await lab.createUsers()
    const box = (n: number): string => `INBOX/case${n}`
    const failures: string[] = []
    const sync = async (): Promise<void> => {
      const { status, output } = await readCommandResult(lab.master, 'sync_client', '-u', 'alice')
      if (status !== 0) failures.push(output)
    }
    const master = await lab.login('alice')
    for (const [n, { shared }] of CASES.entries()) {
      if (!shared) continue
      await master.ok(`CREATE ${box(n)}`)
      for (const text of ['one', 'two', 'three']) await master.append(box(n), message(text))
    }
    await sync()
    const replica = await lab.login('alice', lab.replica)
    for (const [n, each] of CASES.entries()) {
      await each.master(master, box(n))
      await each.replica(replica, box(n))
    }
    await master.logout()
    await replica.logout()
    // a mailbox whose uniqueid gives way is whole after the second time
    await sync()
    await sync()
    const ends = new Map<string, [string[], string[]]>()
    const [here, there] = [await lab.login('alice'), await lab.login('alice', lab.replica)]
    for (const [n, { name }] of CASES.entries()) ends.set(name, [await contents(here, box(n)), await contents(there, box(n))])
    return { ends, failures }
  } finally {
    await lab.stop()
  }
}

t.test('split brain', { timeout: 240_000 }, async (t) => {
  if (!needsCyrus(t)) return
  const truth = await play('cyrus_pair.ini')
  for (const topology of ['pair.ini', 'ours_to_cyrus.ini', 'cyrus_to_ours.ini']) {
    const { ends, failures } = await play(topology)
    if (process.env.SPLIT_BRAIN_SHOW) console.log(topology, failures, truth.failures)
    for (const { name, free } of CASES) {
      const [here, there] = ends.get(name)!
      const [trueHere, trueThere] = truth.ends.get(name)!
      if (process.env.SPLIT_BRAIN_SHOW) console.log(name, '\n  ', here, '\n  ', there, '\n  ', trueHere, '\n  ', trueThere)
      t.strictSame(there, here, `${topology}: ${name}: both sides are the same`)
      if (!free && trueHere.join() === trueThere.join()) t.strictSame(here, trueHere, `${topology}: ${name}: as two real ones`)
    }
  }
})
