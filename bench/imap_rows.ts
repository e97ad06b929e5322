/** IMAP, measured on one mailbox of varied messages: reading, searching, sorting, changing; alone and with eight clients at once. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { PASSWORD } from '../test/lab/instance.js'
import { Lab } from '../test/lab/lab.js'
import { sampleMessage } from '../test/lab/messages.js'
import type { Software } from '../test/lab/topology.js'
import type { Figure, Figures } from './rows.js'

const now = () => performance.now()
const ms = (value: number): Figure => ({ value, unit: 'ms', more: false })
const rate = (value: number, unit: string): Figure => ({ value, unit, more: true })

/** A client that only counts what comes until its command is answered, so that it is the server that is measured. */
class Probe {
  #tag = 0
  #waiting: { tag: string; tail: string; bytes: number; done: (bytes: number) => void } | undefined
  /** called for untagged data while nothing is waited for */
  onData: ((text: string) => void) | undefined

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => {})
  }

  static async open(port: number): Promise<Probe> {
    const socket = connect({ port, host: '127.0.0.1' })
    await once(socket, 'data')
    return new Probe(socket)
  }

  static async login(port: number, user: string, password = PASSWORD): Promise<Probe> {
    const probe = await Probe.open(port)
    await probe.run(`LOGIN ${user} ${password}`)
    return probe
  }

  #take(chunk: Buffer): void {
    const { length } = chunk
    const text = chunk.toString('latin1', Math.max(0, length - 4000))
    const waiting = this.#waiting
    if (!waiting) {
      this.onData?.(chunk.toString('latin1'))
      return
    }
    waiting.bytes += length
    waiting.tail = (waiting.tail + text).slice(-8000)
    if (!waiting.tail.endsWith('\r\n')) return
    const line = waiting.tail.slice(waiting.tail.lastIndexOf('\n', waiting.tail.length - 2) + 1)
    if (!line.startsWith(`${waiting.tag} `)) return
    this.#waiting = undefined
    if (!line.startsWith(`${waiting.tag} OK`)) throw new Error(line)
    waiting.done(waiting.bytes)
  }

  /** @returns bytes answered @throws unless the answer is OK */
  run(command: string | Buffer): Promise<number> {
    const tag = `t${++this.#tag}`
    return new Promise((done) => {
      this.#waiting = { tag, tail: '', bytes: 0, done }
      this.socket.write(`${tag} `)
      this.socket.write(command)
      this.socket.write('\r\n')
    })
  }

  /** Begins IDLE. */
  async idle(): Promise<void> {
    const tag = `t${++this.#tag}`
    const begun = new Promise<void>((resolve) => (this.onData = (text) => text.includes('+') && resolve()))
    this.socket.write(`${tag} IDLE\r\n`)
    await begun
  }
}

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
  ['FETCH flags, dates, sizes', 'FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE)'],
  ['FETCH ENVELOPE BODYSTRUCTURE', 'FETCH 1:* (ENVELOPE BODYSTRUCTURE)'],
  ['SEARCH FROM', 'SEARCH FROM sender3'],
  ['SEARCH SUBJECT', 'SEARCH SUBJECT "message 77"'],
  ['SEARCH UNSEEN', 'SEARCH UNSEEN'],
  ['SEARCH TEXT', 'SEARCH TEXT nowhere-to-be-found'],
  ['SEARCH BODY', 'SEARCH BODY nowhere-to-be-found'],
  ['SORT SUBJECT', 'SORT (SUBJECT) UTF-8 ALL'],
  ['SORT DATE', 'SORT (REVERSE DATE) UTF-8 ALL'],
  ['THREAD REFERENCES', 'THREAD REFERENCES UTF-8 ALL'],
  ['THREAD ORDEREDSUBJECT', 'THREAD ORDEREDSUBJECT UTF-8 ALL'],
]

/** @param messages in the mailbox that is read */
export async function imapFigures(software: Software, messages: number): Promise<Figures> {
  const lab = await Lab.prepare('side_by_side.ini', { users: [USER] })
  const instance = lab.instance(software)
  try {
    await instance.start()
    await lab.createUsers(instance)
    return await measure(lab, software, messages)
  } finally {
    await lab.stop()
  }
}

async function measure(lab: Lab, software: Software, messages: number): Promise<Figures> {
  const { imap } = lab.instance(software).ports
  const figures: Figures = {}
  const probe = await Probe.login(imap, USER)
  const filling = await took(() => fill(probe, 'INBOX', messages))
  figures['APPEND, 100 a command'] = rate(messages / (filling / 1000), 'msg/s')
  figures.SELECT = ms(await median(() => probe.run('SELECT INBOX')))
  for (const [row, command] of READING) figures[row] = ms(await median(() => probe.run(command)))
  let bytes = 0
  const bodies = await median(async () => (bytes = await probe.run('FETCH 1:* BODY.PEEK[]')))
  figures['FETCH BODY.PEEK[]'] = rate(bytes / 1e6 / (bodies / 1000), 'MB/s')
  const some = Math.min(messages, 1000)
  const oneByOne = await took(async () => {
    for (let n = 1; n <= some; n += 1) await probe.run(`FETCH ${n} (FLAGS ENVELOPE)`)
  })
  figures['FETCH one by one'] = rate(some / (oneByOne / 1000), '/s')
  Object.assign(figures, await together(imap))
  Object.assign(figures, await changing(probe, messages, some))
  Object.assign(figures, await appending(imap))
  Object.assign(figures, await sessions(imap))
  Object.assign(figures, await idling(probe, imap))
  return figures
}

/** The same commands by eight clients at once. */
async function together(port: number): Promise<Figures> {
  const figures: Figures = {}
  const probes = await Promise.all(Array.from({ length: TOGETHER }, () => Probe.login(port, USER)))
  const all = (command: string) => () => Promise.all(probes.map((probe) => probe.run(command)))
  figures[`SELECT, ${TOGETHER} clients`] = ms(await median(all('SELECT INBOX')))
  for (const [row, command] of READING.filter(([row]) => /flags|ENVELOPE|FROM|TEXT|SORT SUBJECT/.test(row)))
    figures[`${row}, ${TOGETHER} clients`] = ms(await median(all(command)))
  for (const { socket } of probes) socket.destroy()
  return figures
}

async function changing(probe: Probe, messages: number, some: number): Promise<Figures> {
  const figures: Figures = {}
  const stores = await took(async () => {
    for (let n = 1; n <= some; n += 1) await probe.run(`STORE ${n} +FLAGS (\\Flagged)`)
  })
  figures['STORE one by one'] = rate(some / (stores / 1000), '/s')
  figures['STORE 1:* at once'] = ms(await took(() => probe.run('STORE 1:* +FLAGS (\\Answered)')))
  await probe.run('CREATE INBOX/copies')
  figures['COPY 1:*'] = rate(messages / ((await took(() => probe.run('COPY 1:* INBOX/copies'))) / 1000), 'msg/s')
  await probe.run('CREATE INBOX/moved')
  await probe.run('SELECT INBOX/copies')
  const half = Math.floor(messages / 2)
  figures.MOVE = rate(half / ((await took(() => probe.run(`MOVE 1:${half} INBOX/moved`))) / 1000), 'msg/s')
  await probe.run('STORE 1:* +FLAGS.SILENT (\\Deleted)')
  figures.EXPUNGE = rate((messages - half) / ((await took(() => probe.run('EXPUNGE'))) / 1000), 'msg/s')
  return figures
}

async function appending(port: number): Promise<Figures> {
  const figures: Figures = {}
  for (const clients of [1, TOGETHER]) {
    const probes = await Promise.all(Array.from({ length: clients }, () => Probe.login(port, USER)))
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
    figures[`APPEND, ${clients} client${clients === 1 ? '' : 's'}`] = rate((clients * each) / (time / 1000), 'msg/s')
    for (const { socket } of probes) socket.destroy()
  }
  return figures
}

/** Login, select, logout, again and again by eight clients. */
async function sessions(port: number): Promise<Figures> {
  const each = 50
  const time = await took(() =>
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

/** From an APPEND by one to the EXISTS at another that idles. */
async function idling(probe: Probe, port: number): Promise<Figures> {
  await probe.run('SELECT INBOX/moved')
  await probe.idle()
  const other = await Probe.login(port, USER)
  const message = sampleMessage(0)
  const times: number[] = []
  for (let n = 0; n < 20; n += 1) {
    let heard = 0
    const told = new Promise<void>((resolve) => {
      probe.onData = (text) => {
        if (!/\d EXISTS/.test(text)) return
        heard = now()
        resolve()
      }
    })
    await other.run(Buffer.concat([Buffer.from(`APPEND INBOX/moved {${message.length}+}\r\n`), message]))
    const acknowledged = now()
    await told
    times.push(Math.max(0, heard - acknowledged))
  }
  times.sort((a, b) => a - b)
  return { 'APPEND to EXISTS of an idling client': ms(times[times.length >> 1]!) }
}
