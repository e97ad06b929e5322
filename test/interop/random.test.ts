/**
 * Random work from many clients on a master while the wire is cut, processes are killed and either machine loses its power: in the end the
 * replica is equal, nothing acknowledged is missing, nothing is there twice. A failure is repeated with RANDOM_SEED (the timing of the trouble
 * is not); RANDOM_PAIR names one pair, RANDOM=whole takes 20 users, 3,000 operations and 30 troubles a pair, else a tenth.
 */
import t from 'tap'
import { compareUntilEqual } from '../lab/compare.js'
import type { ImapClient } from '../lab/imap_client.js'
import type { Instance } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { Choice } from './random/choice.js'
import { Trouble } from './random/trouble.js'
import { WireCutter } from './random/wire_cutter.js'
import { type Account, type Work, Worker } from './random/worker.js'
import { readCommandResult } from './sync_direct_run.js'

const WHOLE = process.env.RANDOM === 'whole'
const SEED = Number(process.env.RANDOM_SEED ?? 1 + Math.floor(Math.random() * 1e6))
const USERS = WHOLE ? 20 : 6
const OPERATIONS = WHOLE ? 3000 : 300
const TROUBLES = WHOLE ? 30 : 4
const CLIENTS = 8

const PAIRS = process.env.RANDOM_PAIR?.split(' ') ?? ['pair.ini', 'ours_to_cyrus.ini', 'cyrus_to_ours.ini']

for (const topology of PAIRS) {
  t.test(`${topology}, seed ${SEED}`, { timeout: WHOLE ? 900_000 : 120_000 }, async (t) => {
    if (topology !== 'pair.ini' && !needsCyrus(t)) return
    const wire = await WireCutter.start()
    t.teardown(() => wire.stop())
    const users = Array.from({ length: USERS }, (_, n) => `user${n}`)
    const lab = await Lab.prepare(topology, {
      users,
      imapd: { master: { sync_port: String(wire.port), sync_timeout: '3s', sync_reconnect_maxwait: '1s' } },
    })
    t.teardown(() => lab.stop())
    wire.target = lab.replica.ports.sync
    await lab.replica.start()
    await lab.master.start()
    await lab.createUsers()

    const choice = new Choice(SEED)
    const trouble = new Trouble(lab, wire, new Choice(SEED + 1))
    const every = Math.floor(OPERATIONS / (TROUBLES + 1))
    const accounts = new Map<string, Account>(users.map((user) => [user, { kept: new Set(), unknown: new Set() }]))
    const work: Work = {
      lab,
      choice,
      accounts,
      begun: 0,
      done: 0,
      by: new Map(),
      operations: OPERATIONS,
      before() {
        if (work.begun % every === 0 && work.begun / every <= TROUBLES) trouble.next()
      },
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, n) => new Worker(work, `w${n}`).run()))
    await trouble.over()
    t.comment(`${work.done} of ${work.begun} done: ${say(work.by)}; troubles: ${say(trouble.made)}`)
    t.ok(work.done > OPERATIONS / 3, `${work.done} operations were done`)

    const masterIsCyrus = lab.master.plan.software === 'cyrus'
    if (masterIsCyrus) {
      // a killed sync_client of 3.6.1 leaves what it was doing in a file that nobody looks at again
      await readCommandResult(lab.master, 'sync_client', '-A')
    }
    const { differences, messages, mailboxes } = await compareUntilEqual(lab, 45)
    t.strictSame(differences, [], `${messages} messages in ${mailboxes} mailboxes are equal`)
    for (const user of users) {
      const { kept, unknown } = accounts.get(user)!
      const there = await subjectsOf(lab, user, lab.master)
      const missing = [...kept].filter((subject) => !there.has(subject))
      t.strictSame(missing, [], `${user}: all ${kept.size} that were acknowledged are there`)
      // MOVE of the real one is a copy and an expunge, and power may fail between them
      const often = [...kept, ...unknown].flatMap((subject) => {
        const places = there.get(subject) ?? []
        return places.length > 1 ? [`${subject} in ${places.join(' and ')}`] : []
      })
      if (!masterIsCyrus) t.strictSame(often, [], `${user}: none is there twice`)
    }
    if (!masterIsCyrus) {
      const check = await readCommandResult(lab.master, 'sync_check', '-b', '-w', '10')
      t.match(check, { status: 0, output: /^the replica is the same/m })
    }
  })
}

function say(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ')
}

/** Where each message that is to stay is, in all of a user's folders. */
async function subjectsOf(lab: Lab, user: string, instance: Instance): Promise<Map<string, string[]>> {
  const client = await lab.login(user, instance)
  const places = new Map<string, string[]>()
  for (const folder of await foldersOf(client)) {
    await client.ok(`EXAMINE "${folder}"`)
    const { untagged } = await client.command('FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    for (const { text } of untagged) {
      const subject = /Subject: (kept-\S+)/i.exec(text)?.[1]
      const uid = /UID (\d+)/.exec(text)?.[1]
      if (subject !== undefined) places.set(subject, [...(places.get(subject) ?? []), `${folder} ${uid}`])
    }
  }
  await client.logout()
  return places
}

async function foldersOf(client: ImapClient): Promise<string[]> {
  const { untagged } = await client.ok('LIST "" "INBOX*"')
  return untagged.flatMap(({ text }) => /^\* LIST \((?!.*Noselect).*"?(INBOX[^"]*?)"?\s*$/.exec(text)?.[1] ?? [])
}
