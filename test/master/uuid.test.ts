/** Message UUIDs (provide_uuid, sync_machineid): their bytes, master's state file, and stamps on messages by the real programs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Config } from '../../lib/config/config.js'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { MessageUuids, uuidPrefix } from '../../lib/process/message_uuid.js'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { MailStore, NULL_UUID } from '../../lib/store/store.js'
import { UuidPrefixes } from '../../master/uuid_prefixes.js'
import { silent } from '../fixture_store.js'
import { type Client, childrenOf, Instance, isAlive, until } from './instance.js'

const BIN = new URL('../../bin/', import.meta.url).pathname

t.test('a prefix, byte for byte as Cyrus 2.3 makes it', async (t) => {
  t.equal(uuidPrefix({ machine: 1, generation: 0, startTime: 0x6b041608, child: 1 }), '0101006b0416080001740517')
})

t.test('UUIDs of a process', async (t) => {
  const uuids = new MessageUuids('0101006b0416080001740517')
  t.equal(uuids.next(), '0101006b0416080001000000')
  t.equal(uuids.next(), '0101006b0416080001000001')
  for (const none of [undefined, '', '0'.repeat(24), '0101006b0416080001740518', '0201006b0416080001740517', 'xyz']) {
    t.equal(new MessageUuids(none).next(), undefined, `null with ${none}`)
  }
})

function stateDirectory(t: Test): { dir: string; path: string; warnings: string[]; open(): Promise<UuidPrefixes> } {
  const dir = mkdtempSync(join(tmpdir(), 'uuid-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  const warnings: string[] = []
  return {
    dir,
    path: join(dir, 'master_uuid'),
    warnings,
    open: () => UuidPrefixes.open(dir, 1, (message) => warnings.push(message)),
  }
}

const START_TIME = /^schema=1\nmachine=(\d+)\ntimestamp_generation=(\d+)\nmaster_start_time=(\d+)\n$/

t.test('the state file: a start time that never comes again', async (t) => {
  const { path, warnings, open } = stateDirectory(t)
  const first = await open()
  const before = Number(START_TIME.exec(readFileSync(path, 'utf8'))![3])
  t.ok(Math.abs(before - Date.now() / 1000) < 5)
  const one = first.next()
  t.equal(one.slice(0, 18), `010100${before.toString(16)}0001`)
  const second = await open()
  const after = Number(START_TIME.exec(readFileSync(path, 'utf8'))![3])
  t.ok(after > before, 'a second start in the same second waits')
  t.ok(after * 1000 <= Date.now(), 'until the clock is there')
  t.not(second.next(), one)
  t.same(warnings, [])
})

t.test('the state file: the clock put back, another machine id, a damaged file', async (t) => {
  const { path, warnings, open } = stateDirectory(t)
  const ahead = Math.floor(Date.now() / 1000) + 86_400
  writeFileSync(path, `schema=1\nmachine=2\ntimestamp_generation=3\nmaster_start_time=${ahead}\n`)
  t.equal((await open()).next().slice(0, 18), `010103${(ahead + 1).toString(16)}0001`, 'counts on')
  t.match(warnings, [/the clock was put back by 8\d{4} s/, /sync_machineid was 2 and is 1 now/])
  writeFileSync(path, 'rubbish\n')
  t.ok((await open()).next())
  t.match(warnings[2], /master_uuid: damaged/)
  await t.rejects(
    UuidPrefixes.open(join(path, 'nowhere'), 1, () => undefined),
    { message: /^couldn't initialise UUID subsystem: ENOTDIR/ },
  )
})

t.test('more processes than two bytes can number: a new start time', async (t) => {
  const { path, open } = stateDirectory(t)
  const prefixes = await open()
  const started = Number(START_TIME.exec(readFileSync(path, 'utf8'))![3])
  for (let n = 1; n < 0xffff; n++) prefixes.next()
  t.equal(prefixes.next().slice(6, 18), `${started.toString(16)}ffff`)
  t.equal(prefixes.next().slice(6, 18), `${(started + 1).toString(16)}0000`)
  t.equal(Number(START_TIME.exec(readFileSync(path, 'utf8'))![3]), started + 1)
})

t.test('processes of a service with provide_uuid get a prefix, from the start, each another', async (t) => {
  const master = new Instance('sync_machineid: 7\nservice_connections: 1\n')
  t.teardown(() => master.close())
  master.configure(`SERVICES {
    one cmd="testd" listen="${master.path('sock')}" provide_uuid=1
    two cmd="testd" listen="${master.path('two')}"
  }`)
  await master.start()
  const clients = [await master.connect(), await master.connect(), await master.connect('two')]
  const prefixes: (string | undefined)[] = []
  for (const client of clients) {
    await client.pid()
    prefixes.push(await client.ask('env CYRUS_UUID_PREFIX'))
  }
  const [, machine, , started] = START_TIME.exec(readFileSync(master.path('conf/master_uuid'), 'utf8'))!
  t.equal(machine, '7')
  const time = Number(started).toString(16)
  t.match(prefixes[0], new RegExp(`^010700${time}0001`))
  t.match(prefixes[1], new RegExp(`^010700${time}0002`))
  t.equal(prefixes[2], '-', 'a service without it gets none')
  for (const client of clients) await client.close()
})

t.test('a machine id outside of 1 to 255 is a configuration error; none is told', async (t) => {
  for (const id of ['0', '256', 'x']) {
    const master = new Instance(`sync_machineid: ${id}\n`)
    master.configure('SERVICES {\n}')
    await master.start({ noWait: true })
    t.strictSame(await master.exit, { code: 78, signal: null })
    t.match(master.log, new RegExp(`imapd\\.conf:4: sync_machineid must be 1 to 255, not "${id}"`))
    await master.close()
  }
  const master = new Instance()
  t.teardown(() => master.close())
  master.configure(`SERVICES {\n  one cmd="testd" listen="${master.path('sock')}" provide_uuid=1\n}`)
  await master.start()
  t.match(master.log, /provide_uuid of one has no effect: set sync_machineid \(1 to 255\) in .*imapd\.conf/)
  const client = await master.connect()
  await client.pid()
  t.equal(await client.ask('env CYRUS_UUID_PREFIX'), NULL_UUID)
  await client.close()
})

t.test('imapd and lmtpd stamp messages; switched on and off under way', async (t) => {
  const master = new Instance('sync_machineid: 7\nservername: localhost\nallowplaintext: yes\nstore_map_size: 1g\n')
  t.teardown(() => master.close())
  const config = Config.load(master.path('imapd.conf'))
  const store = await MailStore.open(config, silent)
  t.teardown(() => store.close())
  await passwordStore(config).set('alice@localhost', 'pw')
  for (const user of ['alice', 'bob']) await createMailbox(store, `user.${user}`)
  const configure = (args: string): void =>
    master.configure(`SERVICES {
    imap cmd="${BIN}imapd -C ${master.path('imapd.conf')}" listen="${master.path('imap')}" ${args}
    lmtp cmd="${BIN}lmtpd -C ${master.path('imapd.conf')} -a" listen="${master.path('lmtp')}" ${args}
  }`)
  const uuids = (name: string): string[] => {
    const { id } = store.mailbox(name)!
    const index = store.index(id)!
    return Array.from({ length: index.length }, (_, row) => index.record(row).uuid)
  }
  const deliver = async (): Promise<void> => {
    const lmtp = await master.connect('lmtp')
    await lmtp.line()
    for (const line of ['LHLO me', 'MAIL FROM:<>', 'RCPT TO:<alice>', 'RCPT TO:<bob>', 'DATA']) lmtp.say(line)
    await until('the go-ahead', async () => (await lmtp.line())?.startsWith('354'))
    lmtp.say('Subject: x\r\n\r\nbody\r\n.\r')
    t.match([await lmtp.line(), await lmtp.line()], [/^250/, /^250/])
    await lmtp.close()
  }
  const append = async (): Promise<void> => {
    const imap: Client = await master.connect('imap')
    await imap.line()
    t.match(await imap.ask('a LOGIN alice pw'), /^a OK/)
    t.match(await imap.ask('b APPEND INBOX {12+}\r\nA: b\r\n\r\nc\r\n\r'), /^b OK/)
    imap.say('c SELECT INBOX')
    await until('SELECT', async () => (await imap.line())?.startsWith('c OK'))
    imap.say('d COPY * INBOX')
    await until('COPY', async () => (await imap.line())?.startsWith('d OK'))
    await imap.close()
  }
  configure('')
  await master.start()
  await deliver()
  t.same([uuids('user.alice'), uuids('user.bob')], [[NULL_UUID], [NULL_UUID]], 'off')
  /** After it nobody is left who began before. */
  const reload = async (): Promise<void> => {
    const before = childrenOf(master.pid)
    master.kill('SIGHUP')
    await until('the old processes to be gone', () => !before.some(isAlive))
  }
  configure('provide_uuid=1')
  await reload()
  await deliver()
  await append()
  const on = uuids('user.alice').slice(1)
  t.equal(on.length, 3)
  for (const uuid of on) t.match(uuid, /^0107/)
  t.equal(uuids('user.bob')[1], on[0], 'one delivery has one UUID')
  t.not(on[0]!.slice(0, 18), on[1]!.slice(0, 18), 'each process has its prefix')
  t.equal(on[2], on[1], 'COPY keeps it')
  configure('')
  await reload()
  await deliver()
  t.equal(uuids('user.alice').at(-1), NULL_UUID, 'off again')
  t.same(uuids('user.alice').slice(1, 4), on, 'what is there keeps its UUID')
})
