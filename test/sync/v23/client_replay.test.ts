/**
 * Our sync_client, given the answers that Cyrus 2.3.8 gave, says what the sync_client of 2.3.8 said, byte for byte; where it does better, the
 * difference stands in BETTER with the reason. The master's store is made by feeding what the captured clients said to our own server: it then
 * is what the captured master was.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import {
  type AnySession,
  replicateLog,
  replicateMailboxes,
  replicateMeta,
  replicateUser,
  sessionWith,
} from '../../../lib/sync/client/any_generation.js'
import { Peer } from '../../../lib/sync/client/peer.js'
import { targetOf } from '../../../lib/sync/client/target.js'
import { readSeenFile } from '../../../lib/sync/v23/seen_file.js'
import { collectingLog, type Fixture, openStore, startServer } from '../server_fixture.js'
import { conversations, DIFFERENCES, GAPS, ORDER, whole } from './history.js'
import { Player } from './player.js'
import { replica, type Step } from './scripted_replica.js'

type Job = (session: AnySession) => Promise<unknown>

const user =
  (name: string): Job =>
  (session) =>
    replicateUser(session, name)
const mailboxes =
  (...names: string[]): Job =>
  (session) =>
    replicateMailboxes(session, names)
const log =
  (...lines: string[]): Job =>
  (session) =>
    replicateLog(session, lines, () => false)

/** What the captured client was told to do, segment by segment (LOCK to UNLOCK); where it is not here, its log lines stand in the capture. */
const JOBS: Readonly<Record<string, readonly Job[]>> = {
  '20': [(session) => replicateMeta(session, 'user1')],
  '26': [mailboxes('user.user1.c', 'user.user1.b2')],
  '27': [user('user2'), user('joe')],
  '28': [mailboxes('user.nosuch')],
  '29b': [user('user2')],
  '31': [user('user2')],
  '36': [log('APPEND user.user2'), log('SEEN user2 user.user2', 'MAILBOX user.user2'), log('APPEND user.user2.x')],
  '37': [mailboxes('user.user2.batch')],
  '38': [mailboxes('user.user2.big')],
  '39': [mailboxes('user.user2.conf')],
  '39b': [mailboxes('user.user2.conf')],
  '40': [mailboxes('user.user2.conf', 'user.user2.y')],
  '43': [mailboxes('user.user2')],
}

/** Sessions that no sync_client held. */
const BY_HAND = new Set(['33', '34', '35', '46', '47'])

/** What had happened on the master before a capture and shows in no other. */
const ON_MASTER: Readonly<Record<string, readonly string[]>> = {
  '23': [
    'RENAME user.user1.b user.user1.tmp',
    'RENAME user.user1.renamed user.user1.b',
    'RENAME user.user1.tmp user.user1.renamed',
  ],
  '24': ['RENAME user.user1.b user.user1.b2', 'RENAME user.user1.renamed user.user1.b'],
}

const OK: Readonly<Record<string, string>> = {
  RENAME: 'OK Rename completed\r\n',
  LIST_ANNOTATIONS: 'OK List_annotations completed\r\n',
  SETANNOTATION: 'OK Setannotation completed\r\n',
  SETSEEN_ALL: 'OK Setseen_all Suceeded\r\n',
  UPLOAD_SIEVE: 'OK Upload_sieve completed\r\n',
  LSUB: 'OK Lsub completed\r\n',
  LIST_SIEVE: 'OK List_sieve completed\r\n',
  UNLOCK: 'OK [CONTINUE] Unlocked\r\n',
  EXIT: 'OK Finished\r\n',
}
const step = (command: string): Step => ({ command: `${command}\r\n`, answer: OK[command.split(' ')[0]!]! })
const annotations = (name: string): Step => step(`LIST_ANNOTATIONS ${name}`)

/** Where our client says something else than the captured one. */
const BETTER: Readonly<Record<string, { readonly steps: (captured: Step[]) => Step[]; readonly why: string }>> = {
  '23': {
    steps: (captured) => [
      ...captured.slice(0, 2),
      step('RENAME user.user1.b user.user1.sync-42c538d36b041718'),
      step('RENAME user.user1.renamed user.user1.b'),
      step('RENAME user.user1.sync-42c538d36b041718 user.user1.renamed'),
      annotations('user.user1'),
      annotations('user.user1.b'),
      annotations('user.user1.renamed'),
      annotations('"user.user1.with space"'),
      step('SETSEEN_ALL user1'),
      step('UPLOAD_SIEVE user1 main.script'),
      step('UPLOAD_SIEVE user1 main.bc'),
      ...captured.slice(2),
    ],
    why: '2.3.8 gives up where mailboxes have exchanged their names; a temporary name solves it (§13)',
  },
  '28': {
    steps: (captured) =>
      captured.map(({ command, answer }) => ({
        command: command.replace('/usr/cyrus/bin/sync_client', 'user.nosuch'),
        answer,
      })),
    why: '2.3.8 takes its own name for each line of the file (§13)',
  },
  '36': {
    steps: (captured) => {
      const steps = captured.filter(({ command }) => command !== 'RESTART\r\n')
      return steps.at(-1)!.command === 'EXIT\r\n' ? [...steps.slice(0, -1), step('EXIT')] : [...steps, step('EXIT')]
    },
    why: 'EXIT alone ends a session; 2.3.8 says it after RESTART into a closed connection, and not at all at its end (§13)',
  },
  '45': {
    steps: (captured) => [
      ...captured,
      step('LSUB user2'),
      step('SETSEEN_ALL user2'),
      step('LIST_SIEVE user2'),
      step('UNLOCK'),
      step('EXIT'),
    ],
    why: '2.3.8 crashes when a shared mailbox fails; the rest of the log is done, and that mailbox tried again (§13)',
  },
}

/** Commands whose end is not looked at, since something in it cannot be the same. */
function same(number: string, said: string, wanted: string): boolean | string {
  if (/^SETSEEN_ALL /.test(wanted)) return sameSeen(said, wanted)
  if (/^UPLOAD_SIEVE \S+ \S+\r\n$/.test(wanted)) return said.startsWith(wanted.trim())
  if (number === '38' && wanted.startsWith('UPLOAD')) {
    // cache records were cut out with the items in the middle
    const first = wanted.indexOf(' PARSED 0101006b041711000200000c')
    const last = wanted.indexOf(' PARSED 0101006b04171100020003f3')
    const middle = said.slice(first, said.length - (wanted.length - last)).split(' PARSED ').length - 1
    return said.startsWith(wanted.slice(0, first)) && said.endsWith(wanted.slice(last)) && middle === 999
  }
  return said === wanted
}

/** The file cannot be the same byte for byte: Cyrus' own is a log of all that ever happened. What it says is. */
function sameSeen(said: string, wanted: string): boolean | string {
  const read = (text: string) => {
    const head = /^SETSEEN_ALL (\S+)(?: \{(\d+)\+\}\r\n)?/.exec(text)!
    const data = Buffer.from(text.slice(head[0].length, head[0].length + Number(head[2] ?? 0)), 'latin1')
    return { user: head[1], entries: head[2] === undefined ? undefined : readSeenFile(data) }
  }
  const [ours, theirs] = [read(said), read(wanted)]
  if (ours.user !== theirs.user || ours.entries === undefined) return false
  if (theirs.entries === undefined) return true
  for (const [uniqueid, entry] of ours.entries) {
    const their = theirs.entries.get(uniqueid)
    if (their === undefined) return `an entry too much: ${uniqueid}`
    const { lastRead, lastUid, lastChange } = entry
    if (lastRead !== their.lastRead || lastUid !== their.lastUid || lastChange !== their.lastChange)
      return `${uniqueid}: ${JSON.stringify(entry)} instead of ${JSON.stringify(their)}`
  }
  return ours.entries.size > 0
}

/** The steps of a conversation, in segments from LOCK to UNLOCK; what is before and behind goes with the first and last. */
function segmentsOf(number: string): Step[][][] {
  return conversations(number).map((runs) => {
    const steps: Step[] = []
    for (const { side, text } of runs) {
      if (side === 'client') steps.push({ command: text, answer: '' })
      else if (steps.length > 0)
        steps[steps.length - 1] = { command: steps.at(-1)!.command, answer: steps.at(-1)!.answer + text }
    }
    const start = steps.findIndex(({ command }) => command.endsWith('LOCK\r\n'))
    if (start >= 0) steps.splice(0, start + 1, { command: 'LOCK\r\n', answer: steps[start]!.answer })
    const segments: Step[][] = []
    for (const each of steps) {
      if (each.command === 'LOCK\r\n' || segments.length === 0) segments.push([])
      segments.at(-1)!.push(each)
    }
    return segments
  })
}

const differing = (number: string, { command, answer }: Step): Step => {
  if (number !== '44') return { command, answer }
  const difference = DIFFERENCES[number]!.find((each) => command.startsWith(each.command))
  return { command, answer: difference?.ours(answer) ?? answer }
}

async function login(server: Fixture): Promise<Player> {
  const player = await Player.connect(server.port)
  await player.until(/^\* OK [^\n]*\n/m)
  await player.ask(`AUTHENTICATE PLAIN ${Buffer.from('\0repl\0replpw').toString('base64')}\r\n`)
  return player
}

async function feed(server: Fixture, commands: readonly string[]): Promise<void> {
  const player = await login(server)
  for (const command of commands) if (!/^(?:EXIT|RESTART)\r\n$/.test(command)) await player.ask(command)
  player.close()
}

const line = (text: string): string => `${text}\r\n`

function jobsOf(number: string): readonly Job[] {
  const known = JOBS[number]
  if (known !== undefined) return known
  const comments = readFileSync(
    fileURLToPath(new URL(`../../../../test/sync/v23/captures/${whole(number)}`, import.meta.url)),
    'latin1',
  )
  const lines = [...comments.matchAll(/^# sync log: (.*)$/gm)].map((match) => match[1]!)
  return lines.length > 0 && !comments.includes('sync_client -u') ? [log(...lines)] : [user('user1')]
}

t.test('every capture of a sync_client', async (t: Test) => {
  const spool = mkdtempSync(join(tmpdir(), 'csync23-'))
  const server = await startServer(`sync_protocol: 2.3\npartition-p2: ${spool}\n`)
  const there = await replica('* OK replica.example.com Cyrus sync server v2.3.8\r\n', same)
  const { folder, config, store } = await openStore(`sync_host: 127.0.0.1\nsync_port: ${there.port}\n`)
  t.teardown(async () => {
    there.close()
    Player.closeAll()
    await server.close()
    await store.close()
    for (const each of [folder, spool]) rmSync(each, { recursive: true, force: true })
  })
  const logged: string[] = []
  const connect = async (batchSize: number): Promise<AnySession> => {
    const peer = await Peer.open(targetOf(config, '', undefined)!)
    const session = sessionWith(peer, server.store, collectingLog(logged), {
      tell: () => {},
      noCopyback: false,
      localOnly: false,
      partition: undefined,
      pauses: [0, 0, 0],
    })
    Object.assign(session.options, { batchSize })
    return session
  }
  for (const number of ORDER) {
    if (GAPS[number] !== undefined) await feed(server, GAPS[number].map(line))
    if (ON_MASTER[number] !== undefined) await feed(server, ON_MASTER[number].map(line))
    const connections = segmentsOf(number)
    if (BY_HAND.has(number)) {
      for (const segments of connections)
        await feed(
          server,
          segments.flat().map(({ command }) => command),
        )
      continue
    }
    const jobs = [...jobsOf(number)]
    for (const segments of connections) {
      let session: AnySession | undefined
      const steps = segments.flat().map((each) => differing(number, each))
      let expected = BETTER[number]?.steps(steps) ?? steps
      for (const segment of segments) {
        await feed(
          server,
          segment.map(({ command }) => command),
        )
        server.store.refresh()
        const end = expected.findIndex(({ command }) => command === 'UNLOCK\r\n') + 1
        const last = segment === segments.at(-1)
        there.expect(number, last ? expected : expected.slice(0, end))
        expected = expected.slice(end)
        session ??= await connect(number === '37' ? 2 : 0)
        await jobs.shift()!(session).catch((error: Error) => logged.push(error.message))
        if (last) await session.peer.exit()
      }
      session?.peer.destroy()
    }
    there.expect('', [])
    t.same(there.wrong.splice(0), [], whole(number))
    t.same(jobs, [], `${number}: all jobs are done`)
  }
})
