/** Opening the database and committing to it keep out of each other's way, and neither waits for ever. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { OpenGate } from '../../lib/store/open_gate.js'
import { storeFixture } from '../fixture_store.js'

/** Two gates on one file, as of two processes. */
function gates(t: Test): [OpenGate, OpenGate] {
  const directory = mkdtempSync(join(tmpdir(), 'gate-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return [new OpenGate(join(directory, 'open.lock')), new OpenGate(join(directory, 'open.lock'))]
}

/** A promise to be fulfilled from outside. */
function promised(): { promise: Promise<void>; fulfil: () => void } {
  let fulfil!: () => void
  const promise = new Promise<void>((resolve) => (fulfil = resolve))
  return { promise, fulfil }
}

async function turns(): Promise<void> {
  for (let n = 0; n < 20; n++) await nextTurn()
}

t.test('who opens waits for commits under way; commits after it wait for who opens', async (t) => {
  const [writer, opener] = gates(t)
  const said: string[] = []
  const [first, opened] = [promised(), promised()]
  const commits = [writer.commit(() => first.promise.then(() => void said.push('first')))]
  const opening = opener.opening(() => {
    said.push('opening')
    return opened.promise.then(() => void said.push('open'))
  })
  await turns()
  // the opener waits by now on a thread: from here on commits queue up behind it, so that they cannot keep it out
  commits.push(writer.commit(async () => void said.push('second')))
  await turns()
  t.same(said, [])
  first.fulfil()
  while (!said.includes('opening')) await nextTurn()
  commits.push(writer.commit(async () => void said.push('third')))
  await turns()
  t.same(said, ['first', 'opening'])
  opened.fulfil()
  await Promise.all([...commits, opening])
  t.same(said, ['first', 'opening', 'open', 'second', 'third'])
})

t.test('commits of two processes do not wait for each other', async (t) => {
  const [one, other] = gates(t)
  const end = promised()
  const long = one.commit(() => end.promise)
  t.equal(await other.commit(async () => 'done'), 'done')
  t.equal(await one.commit(async () => 'beside'), 'beside')
  end.fulfil()
  await long
})

t.test('a commit or an opening that fails lets the next one in', async (t) => {
  const [one, other] = gates(t)
  await t.rejects(
    one.commit(() => Promise.reject(new Error('full'))),
    { message: 'full' },
  )
  await t.rejects(
    other.opening(() => {
      throw new Error('newer')
    }),
    { message: 'newer' },
  )
  t.equal(await other.opening(() => 'open'), 'open')
  t.equal(await one.commit(async () => 'written'), 'written')
})

t.test('a store that is written while others open it keeps every change', async (t) => {
  const { store, directory } = await storeFixture(t)
  const { id } = await createMailbox(store, 'user.alice')
  const program = join(fileURLToPath(import.meta.url), '../opening_reader.js')
  const openers = [0, 1].map(() =>
    spawn(process.execPath, [program, join(directory, 'conf/store')], { stdio: ['pipe', 'pipe', 'inherit'] }),
  )
  const opened = openers.map(async ({ stdout }) => Number(String((await once(stdout, 'data'))[0])))
  let last = 0
  for (let n = 1; n <= 300; n++) {
    last = await store.write((txn) => {
      const mailbox = txn.mustMailbox(id)
      const before = mailbox.header.highestModseq
      mailbox.nextModseq()
      if (before < last) t.fail(`the change to modseq ${last} is lost, it is ${before}`)
      return mailbox.header.highestModseq
    })
  }
  for (const { stdin } of openers) stdin.end()
  for (const times of await Promise.all(opened)) t.ok(times > 0, `opened ${times} times meanwhile`)
  store.refresh()
  t.equal(store.mailboxById(id)?.highestModseq, last)
})
