/** Writers killed -9 again and again while they append and flag: nothing acknowledged is missing, nothing is damaged, nobody stalls. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import split2 from 'split2'
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { Flag, type MailboxHeader, type MailboxIndex } from '../../lib/store/store.js'
import { storeFixture } from '../fixture_store.js'

const WRITERS = 3
const KILLS = 12

t.test('kill -9 of writers at any moment', async (t) => {
  const { store, directory, config } = await storeFixture(t)
  const mailbox = await createMailbox(store, 'user.alice')
  const added = new Map<number, string>()
  const seen = new Set<number>()
  let kills = 0

  /** Runs one writer until it has said so many lines, and kills it in the middle of its work. */
  const life = (lines: number) =>
    new Promise<void>((resolve, reject) => {
      const program = join(fileURLToPath(import.meta.url), '../appending_writer.js')
      const child = spawn(process.execPath, [program, config.path], { stdio: ['ignore', 'pipe', 'inherit'] })
      child.stdout.pipe(split2()).on('data', (line: string) => {
        const [what, uid, guid] = line.split(' ')
        if (what === 'added') added.set(Number(uid), guid!)
        else seen.add(Number(uid))
        if (--lines === 0) child.kill('SIGKILL')
      })
      child.once('close', (code, signal) =>
        signal === 'SIGKILL' ? resolve() : reject(new Error(`the writer ended by itself: ${signal ?? code}`)),
      )
    })
  await Promise.all(
    Array.from({ length: WRITERS }, async (_, writer) => {
      while (kills++ < KILLS) await life(20 + ((kills * 37 + writer * 11) % 60))
    }),
  )

  await store.recover()
  const index = store.index(mailbox.id)!
  t.ok(added.size > 300, `${added.size} acknowledged`)
  for (const [uid, guid] of added) {
    const row = index.findUid(uid)
    if (row < 0) t.fail(`UID ${uid} was acknowledged and is gone`)
    else if (index.record(row).guid !== guid) t.fail(`UID ${uid} is another message`)
  }
  for (const uid of seen) if (!(index.flags(index.findUid(uid)) & Flag.Seen)) t.fail(`UID ${uid} has lost its flag`)
  for (let row = 0; row < index.length; row++) {
    const bytes = readFileSync(store.messagePath(mailbox, index.uid(row)))
    if (createHash('sha1').update(bytes).digest('hex') !== index.record(row).guid)
      t.fail(`the file of UID ${index.uid(row)} is not its message`)
  }
  t.match(store.mailboxById(mailbox.id), countersOf(index), 'counters are those of the records')
  t.same(readdirSync(join(directory, 'spool/stage.')), [], 'no staged file is left')
  t.ok(existsSync(join(directory, 'conf/sync/log')))
  t.match(readFileSync(join(directory, 'conf/sync/log'), 'utf8'), /^(?:(?:APPEND|MAILBOX) user\.alice\n)+$/)
})

function countersOf(index: MailboxIndex): Partial<MailboxHeader> {
  let [exists, unseen, octets] = [0, 0, 0]
  for (let row = 0; row < index.length; row++) {
    exists++
    octets += index.size(row)
    if (!(index.flags(row) & Flag.Seen)) unseen++
  }
  return { exists, unseen, octets, lastUid: index.length === 0 ? 0 : index.uid(index.length - 1) }
}
