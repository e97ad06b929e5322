/** IMAP, measured on one mailbox of varied messages: reading, searching, sorting, changing; alone and with eight clients at once. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Instance } from '../test/lab/instance.js'
import { Lab } from '../test/lab/lab.js'
import { LmtpClient } from '../test/lab/lmtp_client.js'
import { messageOfSize, sampleMessage } from '../test/lab/messages.js'
import type { Software } from '../test/lab/topology.js'
import { Probe } from './probe.js'
import { type Figure, type Figures, idleMemory } from './rows.js'

const now = () => performance.now()
const ms = (value: number): Figure => ({ value, unit: 'ms', more: false })
const rate = (value: number, unit: string): Figure => ({ value, unit, more: true })

async function took(work: () => Promise<unknown>): Promise<number> {
  const begun = now()
  await work()
  return now() - begun
}

/** The middle of three runs. */
async function median(work: () => Promise<unknown>): Promise<number> {
  const times = [await took(work), await took(work), await took(work)].sort((a, b) => a - b)
  return times[1]!
}

const USER = 'alice'
const TOGETHER = 8
const BATCH = 100

async function fill(probe: Probe, mailbox: string, count: number, from = 0): Promise<void> {
  for (let at = from; at < from + count; at += BATCH) {
    const pieces: Buffer[] = [Buffer.from(`APPEND ${mailbox}`)]
    for (let n = at; n < Math.min(at + BATCH, from + count); n += 1) {
      const message = sampleMessage(n)
      pieces.push(Buffer.from(` ${n % 3 === 0 ? '(\\Seen) ' : ''}{${message.length}+}\r\n`), message)
    }
    await probe.run(Buffer.concat(pieces))
  }
}

/** Commands that change nothing, by row name. */
const READING: readonly (readonly [row: string, command: string])[] = [
  ['SELECT', 'SELECT INBOX'],
  ['FETCH flags, dates, sizes', 'FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE)'],
  ['FETCH ENVELOPE BODYSTRUCTURE', 'FETCH 1:* (ENVELOPE BODYSTRUCTURE)'],
  ['SEARCH FROM', 'SEARCH FROM sender3'],
  ['SEARCH SUBJECT', 'SEARCH SUBJECT "message 77"'],
  ['SEARCH UNSEEN', 'SEARCH UNSEEN'],
  ['SEARCH TEXT, scan', 'SEARCH TEXT nowhere-to-be-found'],
  ['SEARCH BODY, scan', 'SEARCH BODY nowhere-to-be-found'],
  ['SORT SUBJECT', 'SORT (SUBJECT) UTF-8 ALL'],
  ['SORT DATE', 'SORT (REVERSE DATE) UTF-8 ALL'],
  ['THREAD REFERENCES', 'THREAD REFERENCES UTF-8 ALL'],
  ['THREAD ORDEREDSUBJECT', 'THREAD ORDEREDSUBJECT UTF-8 ALL'],
]

/** The same with a search index; Cyrus, as it comes, has none and scans. One word is nowhere, the other in one message of a hundred. */
const INDEXED: readonly (readonly [row: string, command: string])[] = [
  ['SEARCH TEXT, index', 'SEARCH TEXT nowhere-to-be-found'],
  ['SEARCH TEXT, index, some found', 'SEARCH TEXT "body of message 77"'],
  ['SEARCH BODY, index', 'SEARCH BODY nowhere-to-be-found'],
]

/** @param messages in the mailbox that is read  @param idle connections that do nothing */
export async function imapFigures(software: Software, messages: number, idle: number): Promise<Figures> {
  const lab = await Lab.prepare('bench.ini', { users: [USER], imapd: { ours: { search_engine: 'none' } } })
  const instance = lab.instance(software)
  try {
    await instance.start()
    await lab.createUsers(instance)
    return await measure(lab, instance, messages, idle)
  } finally {
    await lab.stop()
  }
}

async function measure(lab: Lab, instance: Instance, messages: number, idle: number): Promise<Figures> {
  const { imap } = instance.ports
  const figures: Figures = {}
  let probe = await Probe.login(imap, USER)
  const filling = await took(() => fill(probe, 'INBOX', messages))
  figures['APPEND, 100 a command'] = rate(messages / (filling / 1000), 'msg/s')
  await probe.run('SELECT INBOX')
  for (const [row, command] of READING) figures[row] = ms(await median(() => probe.run(command)))
  Object.assign(figures, await bodies(imap, 1), await together(imap, READING), await bodies(imap, TOGETHER))
  await useIndex(instance)
  probe = await Probe.login(imap, USER)
  await probe.run('SELECT INBOX')
  for (const [row, command] of INDEXED) figures[row] = ms(await median(() => probe.run(command)))
  Object.assign(figures, await together(imap, INDEXED))
  const some = Math.min(messages, 1000)
  const oneByOne = await took(async () => {
    for (let n = 1; n <= some; n += 1) await probe.run(`FETCH ${n} (FLAGS ENVELOPE)`)
  })
  figures['FETCH one by one'] = rate(some / (oneByOne / 1000), '/s')
  for (const clients of [1, TOGETHER]) Object.assign(figures, await changing(imap, messages, clients))
  Object.assign(figures, await appending(imap))
  Object.assign(figures, await sessions(imap))
  Object.assign(figures, await idling(lab, instance))
  // processes that have just begun: what they did before would be counted
  await instance.stop()
  await instance.start()
  Object.assign(figures, await idleMemory(lab, instance, idle))
  return figures
}

/** Ours is started anew with an index, which squatter fills; for the real Cyrus nothing changes. */
async function useIndex(instance: Instance): Promise<void> {
  if (instance.plan.software !== 'ours') return
  await instance.stop()
  writeFileSync(
    instance.imapdConf,
    readFileSync(instance.imapdConf, 'utf8').replace('search_engine: none', 'search_engine: squat'),
  )
  await instance.start()
  await instance.run('squatter', '-r', `user/${USER}`)
}

const suffix = (clients: number): string => (clients === 1 ? '' : `, ${clients} clients`)

function logins(port: number, clients: number): Promise<Probe[]> {
  return Promise.all(Array.from({ length: clients }, () => Probe.login(port, USER)))
}

async function bodies(port: number, clients: number): Promise<Figures> {
  const probes = await logins(port, clients)
  for (const probe of probes) await probe.run('SELECT INBOX')
  let bytes = 0
  const time = await median(async () => {
    const lengths = await Promise.all(probes.map((probe) => probe.run('FETCH 1:* BODY.PEEK[]')))
    bytes = lengths.reduce((sum, length) => sum + length, 0)
  })
  for (const { socket } of probes) socket.destroy()
  return { [`FETCH BODY.PEEK[]${suffix(clients)}`]: rate(bytes / 1e6 / (time / 1000), 'MB/s') }
}

/** The same commands by eight clients at once. */
async function together(port: number, commands: typeof READING): Promise<Figures> {
  const figures: Figures = {}
  const probes = await logins(port, TOGETHER)
  for (const probe of probes) await probe.run('SELECT INBOX')
  for (const [row, command] of commands)
    figures[`${row}${suffix(TOGETHER)}`] = ms(
      await median(() => Promise.all(probes.map((probe) => probe.run(command)))),
    )
  for (const { socket } of probes) socket.destroy()
  return figures
}

/** Changes; several clients share the messages of one mailbox, and each has a mailbox to copy to. */
async function changing(port: number, messages: number, clients: number): Promise<Figures> {
  const figures: Figures = {}
  const probes = await logins(port, clients)
  const name = (what: string, client: number): string => `INBOX/${what}-${clients}-${client}`
  const share = Math.floor(messages / clients)
  const of = (client: number, count = share): string => `${client * share + 1}:${client * share + count}`
  const each = (work: (probe: Probe, client: number) => Promise<unknown>): Promise<number> =>
    took(() => Promise.all(probes.map(work)))
  for (const [client, probe] of probes.entries()) {
    await probe.run('SELECT INBOX')
    await probe.run(`CREATE ${name('copies', client)}`)
    await probe.run(`CREATE ${name('moved', client)}`)
  }
  const flag = clients === 1 ? '\\Flagged' : 'Together'
  const some = Math.min(share, 1000)
  const stores = await each(async (probe, client) => {
    for (let n = 1; n <= some; n += 1) await probe.run(`STORE ${client * share + n} +FLAGS (${flag})`)
  })
  figures[`STORE one by one${suffix(clients)}`] = rate((clients * some) / (stores / 1000), '/s')
  const all = clients === 1 ? '\\Answered' : 'All'
  figures[`STORE 1:* at once${suffix(clients)}`] = ms(
    await each((probe, client) => probe.run(`STORE ${of(client)} +FLAGS (${all})`)),
  )
  const copied = await each((probe, client) => probe.run(`COPY ${of(client)} ${name('copies', client)}`))
  figures[`COPY 1:*${suffix(clients)}`] = rate((clients * share) / (copied / 1000), 'msg/s')
  for (const [client, probe] of probes.entries()) await probe.run(`SELECT ${name('copies', client)}`)
  const half = Math.floor(share / 2)
  const moved = await each((probe, client) => probe.run(`MOVE 1:${half} ${name('moved', client)}`))
  figures[`MOVE${suffix(clients)}`] = rate((clients * half) / (moved / 1000), 'msg/s')
  for (const probe of probes) await probe.run('STORE 1:* +FLAGS.SILENT (\\Deleted)')
  const expunged = await each((probe) => probe.run('EXPUNGE'))
  figures[`EXPUNGE${suffix(clients)}`] = rate((clients * (share - half)) / (expunged / 1000), 'msg/s')
  for (const { socket } of probes) socket.destroy()
  return figures
}

async function appending(port: number): Promise<Figures> {
  const figures: Figures = {}
  for (const clients of [1, TOGETHER]) {
    const probes = await logins(port, clients)
    await Promise.all(probes.map((probe, n) => probe.run(`CREATE INBOX/append-${clients}-${n}`)))
    const each = 250
    const time = await took(() =>
      Promise.all(
        probes.map(async (probe, p) => {
          for (let n = 0; n < each; n += 1) {
            const message = sampleMessage(n * 8) // a plain one
            const head = Buffer.from(`APPEND INBOX/append-${clients}-${p} {${message.length}+}\r\n`)
            await probe.run(Buffer.concat([head, message]))
          }
        }),
      ),
    )
    figures[`APPEND${suffix(clients)}`] = rate((clients * each) / (time / 1000), 'msg/s')
    for (const { socket } of probes) socket.destroy()
  }
  return figures
}

/** Login, select, logout, again and again by eight clients. */
async function sessions(port: number): Promise<Figures> {
  const each = 100
  const time = await median(() =>
    Promise.all(
      Array.from({ length: TOGETHER }, async () => {
        for (let n = 0; n < each; n += 1) {
          const probe = await Probe.login(port, USER)
          await probe.run('SELECT INBOX')
          await probe.run('LOGOUT')
          probe.socket.destroy()
        }
      }),
    ),
  )
  return { 'login, SELECT, logout': rate((TOGETHER * each) / (time / 1000), '/s') }
}

/** From the acknowledgement of a message, by APPEND or by LMTP, to the EXISTS at another client that idles. */
async function idling(lab: Lab, instance: Instance): Promise<Figures> {
  const probe = await Probe.login(instance.ports.imap, USER)
  await probe.run('CREATE INBOX/idle')
  await probe.run('SELECT INBOX/idle')
  await probe.idle()
  const other = await Probe.login(instance.ports.imap, USER)
  const message = sampleMessage(0)
  const appended = await timesToExists(probe, () =>
    other.run(Buffer.concat([Buffer.from(`APPEND INBOX/idle {${message.length}+}\r\n`), message])),
  )
  const watcher = await Probe.login(instance.ports.imap, USER)
  await watcher.run('SELECT INBOX')
  await watcher.idle()
  const lmtp = await LmtpClient.connect(instance.ports.lmtp)
  let n = 0
  const delivered = await timesToExists(watcher, () => lmtp.deliver(messageOfSize(n++, 4096), lab.topology.users[0]!))
  await lmtp.quit()
  for (const { socket } of [probe, other, watcher]) socket.destroy()
  return { 'APPEND to EXISTS of an idling client': ms(appended), 'LMTP to EXISTS of an idling client': ms(delivered) }
}

/** The middle of 20. */
async function timesToExists(idler: Probe, add: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < 20; n += 1) {
    let heard = 0
    const told = new Promise<void>((resolve) => {
      idler.onData = (text) => {
        if (!/\d EXISTS/.test(text)) return
        heard = now()
        resolve()
      }
    })
    await add()
    const acknowledged = now()
    await told
    times.push(Math.max(0, heard - acknowledged))
  }
  times.sort((a, b) => a - b)
  return times[times.length >> 1]!
}
