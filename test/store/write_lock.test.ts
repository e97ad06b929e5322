/** One process at a time commits or opens, and nobody waits for ever. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { WriteLock } from '../../lib/store/write_lock.js'
import { storeFixture } from '../fixture_store.js'

/** Two locks on one file, as of two processes. */
function locks(t: Test): [WriteLock, WriteLock] {
  const directory = mkdtempSync(join(tmpdir(), 'lock-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return [new WriteLock(join(directory, 'write.lock')), new WriteLock(join(directory, 'write.lock'))]
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
  const [writer, opener] = locks(t)
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

t.test('commits of one process go together; those of two take turns, however busy one is', async (t) => {
  const [busy, other] = locks(t)
  const said: string[] = []
  const end = promised()
  const first = busy.commit(() => end.promise.then(() => void said.push('first')))
  t.equal(await busy.commit(async () => 'beside'), 'beside', 'with the first')
  const theirs = other.commit(async () => void said.push('other'))
  await turns()
  const second = busy.commit(async () => void said.push('second'))
  await turns()
  t.same(said, [], 'the second does not join the first while another process waits')
  end.fulfil()
  await Promise.all([first, theirs, second])
  t.same(said, ['first', 'other', 'second'])
})

t.test('a process that is killed while it waits or writes keeps nobody out', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'lock-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const path = join(directory, 'write.lock')
  const module = new URL('../../lib/store/write_lock.js', import.meta.url).href
  const script = `const { WriteLock } = await import(${JSON.stringify(module)}); process.stdout.write('up')
    await new WriteLock(${JSON.stringify(path)}).commit(() => { process.stdout.write('in'); return new Promise(() => setInterval(() => {}, 1000)) })`
  const start = async () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    return child
  }
  const lock = new WriteLock(path)
  for (let n = 0; n < 3; n++) {
    const end = promised()
    const held = lock.commit(() => end.promise)
    const waiting = await start()
    waiting.kill('SIGKILL')
    await once(waiting, 'close')
    end.fulfil()
    await held
    t.equal(await lock.commit(async () => 'in'), 'in')
    const writing = await start()
    const mine = lock.commit(async () => 'in')
    writing.kill('SIGKILL')
    t.equal(await mine, 'in')
  }
})

t.test('a commit or an opening that fails lets the next one in', async (t) => {
  const [one, other] = locks(t)
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
  for (let n = 1; n <= 150; n++) {
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
