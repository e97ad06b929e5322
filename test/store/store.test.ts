/** The store over a real database and spool: appends, snapshots, counters, checksums, renames, feed, recovery after kill -9. */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { Config } from '../../lib/config/config.js'
import { openDatabase } from '../../lib/store/database.js'
import {
  Flag,
  MailStore,
  type MessageRecord,
  NULL_THRID,
  NULL_UUID,
  SYSTEM_FLAGS,
  syncLogLine,
} from '../../lib/store/store.js'
import { silent, storeFixture } from '../fixture_store.js'

function record(uid: number, fields: Partial<MessageRecord> = {}): MessageRecord {
  return {
    uid,
    modseq: 2,
    createdModseq: 2,
    lastUpdated: 1795432949,
    internaldate: 1170787759,
    sentdate: 0,
    savedate: 1795432949,
    size: 156,
    headerSize: 100,
    guid: 'a46dba959d41f9c18545829f6d19731ee3b85533',
    uuid: NULL_UUID,
    thrid: NULL_THRID,
    flags: 0,
    userFlags: new Uint32Array(4),
    ...fields,
  }
}

function make(store: MailStore, name: string, uniqueid = `u${name.replaceAll('.', '')}`): Promise<number> {
  return store.write((txn) => {
    const fields = {
      uniqueid,
      name,
      mbtype: '',
      partition: 'default',
      acl: 'alice\tlrs\t',
      uidvalidity: 7,
      options: 'P',
    }
    return txn.create(fields).header.id
  })
}

t.test('checksums are those of a real Cyrus, kept up to date record by record', async (t) => {
  const { store } = await storeFixture(t)
  const id = await make(store, 'user.alice')
  t.equal(store.mailboxById(id)!.crcAnnot, 12345678)
  await store.write((txn) => {
    const w = txn.mustMailbox(id)
    w.append(record(1), undefined, undefined)
    const flagged = record(2, {
      modseq: 3,
      createdModseq: 3,
      internaldate: 1170787800,
      guid: 'd72ae6adbb8f66c7f416ea24f9660142d80b1b29',
      flags: Flag.Flagged,
    })
    flagged.userFlags = w.flagBits(['$Work'])
    w.append(flagged, undefined, undefined)
  })
  const header = store.mailboxById(id)!
  t.equal(header.crcBasic, 2411660072, 'capture 02')
  t.equal(header.crcAnnot, 3487200798, 'capture 02')
  t.match(header, { exists: 2, unseen: 2, flagged: 1, octets: 312, lastUid: 2 })
  await store.write((txn) => {
    const w = txn.mustMailbox(id)
    w.update({ ...w.record(2)!, flags: Flag.Flagged | Flag.Deleted | Flag.Expunged })
  })
  t.match(store.mailboxById(id), { crcBasic: 4164944951, exists: 1, flagged: 0, expunged: 1 })
})

t.test('message and mailbox annotations count as a real Cyrus counts them', async (t) => {
  const { store } = await storeFixture(t)
  const id = await make(store, 'user.alice')
  await store.write((txn) => {
    const w = txn.mustMailbox(id)
    w.append(record(1), undefined, undefined, [
      { entry: '/comment', userid: '', modseq: 9, value: Buffer.from('msg note') },
      { entry: '/comment', userid: 'alice', modseq: 9, value: Buffer.from('private note') },
    ])
    w.append(record(3, { savedate: 1795433030, createdModseq: 5 }), undefined, undefined)
    txn.setAnnotation(id, { entry: '/comment', userid: '', modseq: 0, value: Buffer.from('box') })
  })
  t.equal(store.mailboxById(id)!.crcAnnot, 2764551938, 'capture 16')
  t.same(
    store.messageAnnotations(id, 1).map((a) => [a.entry, a.userid, String(a.value)]),
    [
      ['/comment', '', 'msg note'],
      ['/comment', 'alice', 'private note'],
    ],
  )
  t.same(
    store.annotations(id).map((a) => String(a.value)),
    ['box'],
  )
  await store.write((txn) => txn.mustMailbox(id).update(record(1), []))
  t.same(store.messageAnnotations(id, 1), [])
  t.equal(store.mailboxById(id)!.annotated, 0)
})

t.test('blocks: a large mailbox, changed here and there, reads the same from a warm and a cold snapshot', async (t) => {
  const { store, config } = await storeFixture(t)
  const id = await make(store, 'user.alice')
  await store.write((txn) => {
    const w = txn.mustMailbox(id)
    for (let uid = 1; uid <= 1000; uid++) w.append(record(uid, { modseq: w.nextModseq() }), undefined, undefined)
  })
  t.equal(store.index(id)!.length, 1000)
  let seed = 1
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n
  for (let round = 0; round < 60; round++) {
    await store.write((txn) => {
      const w = txn.mustMailbox(id)
      for (let n = random(round % 10 === 9 ? 300 : 4); n >= 0; n--) {
        const uid = 1 + random(w.header.lastUid)
        const before = w.record(uid)
        if (before === undefined) continue
        if (round % 3 === 0 && before.flags & Flag.Expunged) w.unlink(uid)
        else
          w.update({ ...before, modseq: w.nextModseq(), flags: before.flags ^ (random(3) ? Flag.Seen : Flag.Expunged) })
      }
      if (round % 2 === 0)
        w.append(record(w.header.lastUid + 1 + random(3), { modseq: w.nextModseq() }), undefined, undefined)
    })
    store.index(id)
  }
  const warm = store.index(id)!
  const other = await MailStore.open(config, silent)
  const cold = other.index(id)!
  t.equal(warm.length, cold.length)
  t.ok(warm.blocks.every((block, n) => block.equals(cold.blocks[n]!)))
  t.same(
    [...warm.uids],
    [...warm.uids].sort((a, b) => a - b),
  )
  let exists = 0
  let unseen = 0
  for (let row = 0; row < cold.length; row++) {
    t.equal(cold.findUid(cold.uid(row)), row)
    if (cold.isExpunged(row)) continue
    exists++
    if (!(cold.flags(row) & Flag.Seen)) unseen++
  }
  t.match(cold.header, { exists, unseen, expunged: cold.length - exists })
  await other.close()
})

t.test('a transaction that throws leaves nothing', async (t) => {
  const { store } = await storeFixture(t)
  const id = await make(store, 'user.alice')
  const results = await Promise.allSettled([
    store.write((txn) => txn.mustMailbox(id).append(record(1), undefined, undefined)),
    store.write((txn) => {
      txn.mustMailbox(id).append(record(2), undefined, undefined)
      throw new Error('no')
    }),
    store.write((txn) => txn.mustMailbox(id).append(record(3), undefined, undefined)),
  ])
  t.same(
    results.map((r) => r.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  t.same([...store.index(id)!.uids], [1, 3])
})

t.test('files: staged once, linked under their UIDs, gone with the mailbox', async (t) => {
  const { store, directory } = await storeFixture(t)
  const id = await make(store, 'user.alice', 'abcdef')
  const staged = await store.stageBuffer('default', Buffer.from('Subject: x\r\n\r\nbody'))
  await store.write((txn) =>
    txn.mustMailbox(id).append(record(5, { size: staged.size, guid: staged.guid }), staged.path, Buffer.from('c')),
  )
  store.unstage(staged)
  const header = store.mailboxById(id)!
  t.equal(String(await store.readMessage(header, 5)), 'Subject: x\r\n\r\nbody')
  t.ok(existsSync(join(directory, 'spool/uuid/a/b/abcdef/5.')))
  t.equal(String(store.readCache(id, 5)), 'c')
  t.same(
    [...store.readCaches(id, 1, 4294967295)].map(([uid]) => uid),
    [5],
  )
  await t.rejects(store.readMessage(header, 6), { message: 'user.alice: message 6: file is missing' })
  await store.settled()
  t.match(JSON.parse(readFileSync(join(directory, 'spool/uuid/a/b/abcdef/cyrus.header'), 'utf8')), {
    name: 'user.alice',
    uidvalidity: 7,
  })
  await store.write((txn) => txn.remove(txn.mustMailbox(id), { tombstone: true }))
  await store.settled()
  t.notOk(existsSync(join(directory, 'spool/uuid/a/b/abcdef')))
  t.equal(store.mailbox('user.alice'), undefined)
  t.match(store.tombstone('user.alice'), { uniqueid: 'abcdef' })
  t.equal(store.readCache(id, 5), undefined)
})

t.test('names: list order, renames, name clashes, names that are no path', async (t) => {
  const { store } = await storeFixture(t)
  const id = await make(store, 'user.a')
  await make(store, 'user.a-b')
  await make(store, 'user.a.z')
  await make(store, 'user.a.b')
  t.same(
    [...store.mailboxes()].map((m) => m.name),
    ['user.a', 'user.a.b', 'user.a.z', 'user.a-b'],
  )
  t.same(
    [...store.mailboxes('user.a')].map((m) => m.name),
    ['user.a', 'user.a.b', 'user.a.z'],
  )
  await t.rejects(make(store, 'user.a', 'other'), { name: 'MailboxExistsError' })
  await t.rejects(make(store, 'user.c', 'uusera'), { name: 'MailboxExistsError' })
  await t.rejects(make(store, 'user.c', '../../etc'), /cannot name a directory/)
  await store.write((txn) => txn.rename(txn.mustMailbox('user.a'), 'user.c'))
  t.equal(store.mailbox('user.c')!.id, id)
  t.equal(store.mailbox('user.a'), undefined)
  await t.rejects(
    store.write((txn) => txn.rename(txn.mustMailbox('user.c'), 'user.a.b')),
    { name: 'MailboxExistsError' },
  )
})

t.test('the feed tells this process and another one of a change, and only of changes', async (t) => {
  const { store, config } = await storeFixture(t)
  const id = await make(store, 'user.alice')
  const quiet = await make(store, 'user.quiet')
  const other = await MailStore.open(config, silent)
  t.teardown(() => other.close())
  let told = 0
  other.watch(quiet, () => t.fail('not this one'))
  const here = new Promise<void>((resolve) => store.watch(id, resolve))
  const there = new Promise<void>((resolve) =>
    other.watch(id, () => {
      told++
      resolve()
    }),
  )
  // let the watches be set up before the change
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(told, 0)
  await store.write((txn) => txn.mustMailbox(id).append(record(1), undefined, undefined))
  await Promise.all([here, there])
  t.equal(other.mailboxById(id)!.lastUid, 1)
})

t.test('the replication log gets the lines of what was committed, quoted as Cyrus does', async (t) => {
  const { store, directory } = await storeFixture(t)
  await store.write((txn) => {
    txn.log(syncLogLine('MAILBOX', 'user.alice'))
    txn.log(syncLogLine('SUB', 'alice', 'user.alice.a "b" {c}'))
  })
  await store.write(() => undefined)
  await store.settled()
  t.equal(
    readFileSync(join(directory, 'conf/sync/log'), 'latin1'),
    'MAILBOX user.alice\nSUB alice "user.alice.a \\"b\\" \\{c\\}"\n',
  )
  t.throws(() => syncLogLine('MAILBOX', 'a\nUNUSER b'), /line end/)
})

for (const source of ['file', 'memory']) {
  t.test(
    `a power failure right after a commit, of a ${source}: what had not reached the disk comes back`,
    async (t) => {
      const { store, directory, config } = await storeFixture(t)
      const id = await make(store, 'user.alice', 'abcdef')
      const writer = join(fileURLToPath(import.meta.url), '../killed_writer.js')
      const child = spawn(process.execPath, [writer, config.path, String(id), source])
      await new Promise((resolve) => child.on('exit', resolve))
      const path = join(directory, 'spool/uuid/a/b/abcdef/1.')
      const copy = await make(store, 'user.alice.copy', 'copied')
      await store.write((txn) => txn.mustMailbox(copy).append(record(1), path, undefined))
      writeFileSync(path, Buffer.alloc(5))
      t.equal(await store.recover(), 1)
      t.equal(readFileSync(path, 'latin1'), 'hello')
      t.equal(String(await store.readMessage(store.mailboxById(copy)!, 1)), 'hello', 'in copies too')
    },
  )
}

t.test('a power failure right after a commit: a message from memory whose file is gone', async (t) => {
  const { store, directory, config } = await storeFixture(t)
  const id = await make(store, 'user.alice', 'abcdef')
  const writer = join(fileURLToPath(import.meta.url), '../killed_writer.js')
  const child = spawn(process.execPath, [writer, config.path, String(id), 'memory'])
  await new Promise((resolve) => child.on('exit', resolve))
  const path = join(directory, 'spool/uuid/a/b/abcdef/1.')
  rmSync(path)
  t.equal(await store.recover(), 1)
  t.equal(readFileSync(path, 'latin1'), 'hello')
})

t.test('what was carried out is taken back: no intent and no bytes are left in the database', async (t) => {
  const { store, config } = await storeFixture(t)
  const id = await make(store, 'user.alice')
  for (let uid = 1; uid <= 20; uid++) {
    const staged = await store.stageBuffer('default', Buffer.from(`message ${uid}`))
    await store.write((txn) => txn.mustMailbox(id).append(record(uid), staged.path, undefined))
    store.unstage(staged)
  }
  t.ok((await rowsLeft(config)) > 0, 'they stand in for the files at first')
  await store.settled()
  await store.write(() => undefined)
  t.equal(await rowsLeft(config), 0)
})

async function rowsLeft(config: Config): Promise<number> {
  const database = await openDatabase(join(config.directory, 'store'), 2 ** 30)
  const rows = [...database.tables.intents.getKeys({})].length + [...database.tables.contents.getKeys({})].length
  await database.close()
  return rows
}

t.test('kill -9 right after a commit: the next opener writes the log line and removes staged files', async (t) => {
  const { store, directory, config } = await storeFixture(t)
  const id = await make(store, 'user.alice', 'abcdef')
  await store.settled()
  const child = spawn(
    process.execPath,
    [join(fileURLToPath(import.meta.url), '../killed_writer.js'), config.path, String(id)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = await new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)))
  t.equal(ended, 'SIGKILL')
  t.notOk(existsSync(join(directory, 'conf/sync/log')), 'the line is not there yet')
  t.not(readdirSync(join(directory, 'spool/stage.')).length, 0)
  rmSync(join(directory, 'spool/uuid/a/b/abcdef/1.'))
  t.equal(await store.recover(), 1)
  t.equal(readFileSync(join(directory, 'conf/sync/log'), 'latin1'), 'MAILBOX user.alice\n')
  t.equal(
    String(await store.readMessage(store.mailboxById(id)!, 1)),
    'hello',
    'a name lost with the power is linked again',
  )
  t.same(readdirSync(join(directory, 'spool/stage.')), [], 'nothing staged is left')
  t.equal(await store.recover(), 0)
})

t.test('a mailbox that comes back while its old directory is being removed keeps what it gets', async (t) => {
  const { store, config, directory } = await storeFixture(t)
  const old = await make(store, 'user.alice', 'abcdef')
  const add = async (id: number, text: string) => {
    const staged = await store.stageBuffer('default', Buffer.from(text))
    await store.write((txn) => txn.mustMailbox(id).append(record(1), staged.path, undefined))
    store.unstage(staged)
  }
  await add(old, 'old')
  const removed = store.write((txn) => txn.remove(txn.mustMailbox(old), { tombstone: true }))
  const [, back] = await Promise.all([removed, make(store, 'user.alice', 'abcdef')])
  await add(back, 'new')
  await store.settled()
  t.equal(String(await store.readMessage(store.mailboxById(back)!, 1)), 'new')

  // the same, told by the intent of a process that was killed
  const database = await openDatabase(join(config.directory, 'store'), 2 ** 30)
  const path = join(directory, 'spool/uuid/a/b/abcdef')
  await database.tables.intents.put([999999999, 1, 1], { links: [], log: [], remove: [path] })
  await database.close()
  store.refresh()
  t.equal(await store.recover(), 1)
  t.equal(String(await store.readMessage(store.mailboxById(back)!, 1)), 'new')

  await store.write((txn) => txn.remove(txn.mustMailbox(back), { tombstone: true }))
  await store.settled()
  t.notOk(existsSync(path), 'at its end it is gone')
  t.same(
    readdirSync(join(directory, 'spool/stage.')).filter((name) => name.includes('gone')),
    [],
  )
})

t.test('a store opens though something of its recovery cannot be done; later it is', async (t) => {
  const { store, config, directory } = await storeFixture(t)
  await make(store, 'user.alice')
  await store.settled()
  const database = await openDatabase(join(config.directory, 'store'), 2 ** 30)
  await database.tables.intents.put([999999999, 1, 1], { links: [], log: ['MAILBOX user.alice'], remove: [] })
  await database.close()
  const log = join(directory, 'conf/sync/log')
  rmSync(log, { force: true })
  mkdirSync(log, { recursive: true })
  const other = await MailStore.open(config, silent)
  t.ok(other.mailbox('user.alice'), 'what is there is served')
  await other.close()
  rmSync(log, { recursive: true })
  t.equal(await store.recover(), 1)
  t.equal(readFileSync(log, 'latin1'), 'MAILBOX user.alice\n')
})

t.test('giving up a message that is complete already closes nobody else’s file', async (t) => {
  const { store, directory } = await storeFixture(t)
  const stager = store.stage('default')
  stager.write(Buffer.from('x'))
  await stager.finish()
  // the kernel gives the lowest free number: the one just closed, unless staging files were made ahead meanwhile
  const others = Array.from({ length: 8 }, (_, n) => openSync(join(directory, `other${n}`), 'w'))
  stager.abort()
  for (const fd of others) t.doesNotThrow(() => closeSync(fd))
})

t.test('recovery brings back the files of messages, but not of those that were expunged for good since', async (t) => {
  const { store, config, directory } = await storeFixture(t)
  const id = await make(store, 'user.alice', 'abcdef')
  const uids = Array.from({ length: 100 }, (_, n) => n + 1)
  const bytes = Buffer.from('hello')
  const staged = await store.stageBuffer('default', bytes)
  await store.write((txn) => {
    for (const uid of uids) txn.mustMailbox(id).append(record(uid), staged.path, undefined)
  })
  store.unstage(staged)
  await store.settled()
  const gone = [1, 36, 37, 50, 100]
  await store.write((txn) => {
    const writer = txn.mustMailbox(id)
    for (const uid of gone) {
      writer.update({ ...writer.record(uid)!, flags: Flag.Expunged | Flag.Unlinked })
      if (uid === 50) writer.unlink(uid)
    }
  })
  await store.settled()
  const path = join(directory, 'spool/uuid/a/b/abcdef')
  for (const uid of uids) rmSync(join(path, `${uid}.`), { force: true })
  // a process that was killed before it took its intent back
  const database = await openDatabase(join(config.directory, 'store'), 2 ** 30)
  await database.commit(() => {
    const links = uids.map((uid): [number, number, string] => [id, uid, ''])
    database.tables.intents.put([999999999, 1, 1], { links, log: [], remove: [] })
    for (const n of uids.keys()) database.tables.contents.put([999999999, 1, 1, n], bytes)
  })
  await database.close()
  store.refresh()
  t.equal(await store.recover(), 1)
  const there = uids.filter((uid) => existsSync(join(path, `${uid}.`)))
  t.same(
    there,
    uids.filter((uid) => !gone.includes(uid)),
  )
})

t.test('flags changed in place are what an update of the record makes of them', async (t) => {
  const { store } = await storeFixture(t)
  let state = 5
  const below = (limit: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  const [one, other] = [await make(store, 'one'), await make(store, 'other')]
  await store.write((txn) => {
    for (const writer of [txn.mustMailbox(one), txn.mustMailbox(other)])
      for (let uid = 1; uid <= 100; uid += 1) {
        const flags = uid % 7 === 0 ? Flag.Expunged : uid % 32
        writer.append(record(uid, { modseq: writer.nextModseq(), flags }), undefined, undefined)
      }
  })
  const words = ['$Forwarded', 'Junk', 'work', 'später']
  const mask = SYSTEM_FLAGS & ~Flag.Draft
  for (let round = 0; round < 300; round += 1) {
    const uid = 1 + below(101)
    const mode = (['add', 'remove', 'replace'] as const)[below(3)]!
    const flags = below(32) & mask
    const names = words.filter(() => below(3) === 0)
    await store.write((txn) => {
      const fast = txn.mustMailbox(one)
      const changed = fast.changeFlags(uid, { mode, flags, mask, keywords: fast.flagBits(names) }, 1000 + round)
      const slow = txn.mustMailbox(other)
      const bits = slow.flagBits(names)
      const found = slow.record(uid)
      let expected = false
      if (found !== undefined && !(found.flags & Flag.Expunged)) {
        const { flags: before } = found
        const after = mode === 'add' ? before | flags : mode === 'remove' ? before & ~flags : (before & ~mask) | flags
        const userFlags = found.userFlags.map((word, n) =>
          mode === 'add' ? word | bits[n]! : mode === 'remove' ? word & ~bits[n]! : bits[n]!,
        )
        expected = after !== before || userFlags.some((word, n) => word !== found.userFlags[n])
        if (expected)
          slow.update({ ...found, flags: after, userFlags, modseq: slow.nextModseq(), lastUpdated: 1000 + round })
      }
      if (changed !== expected) t.fail(`round ${round}: ${changed}`)
    })
  }
  const [a, b] = [store.index(one)!, store.index(other)!]
  t.same({ ...a.header, id: 0, name: '', uniqueid: '' }, { ...b.header, id: 0, name: '', uniqueid: '' })
  for (let row = 0; row < 100; row += 1)
    if (JSON.stringify(a.record(row)) !== JSON.stringify(b.record(row))) t.same(a.record(row), b.record(row))
})
