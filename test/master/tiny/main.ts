/**
 * The smallest service: speaks the fd 3/4 protocol by hand, one connection at a time, and does as its client tells it, a line each:
 * `serve` (the end), `exit N`, `crash`, `hang` (heeds no signal but SIGKILL), `say N [PID]` (a record on descriptor 3), `half N` (its first half, the rest
 * with the next), `env NAME`, `limit`, `group`. Options: `-e N` ends at once with N, `-k SIGNAL` dies of it, `-u FILE` takes datagrams and appends them there,
 * `-d` is a daemon without socket, `-w TEXT` writes that to descriptor 3 first, `-t FILE` appends what it lives through.
 */
import { appendFileSync, closeSync, readFileSync, readSync, writeSync } from 'node:fs'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { exitWithoutThreads } from '../../../lib/os/fd.js'
import { Poller } from '../../../lib/os/poll.js'
import { accept } from '../../../lib/os/socket.js'

const { values } = parseArgs({
  options: {
    e: { type: 'string', short: 'e' },
    k: { type: 'string', short: 'k' },
    u: { type: 'string', short: 'u' },
    d: { type: 'boolean', short: 'd' },
    w: { type: 'string', short: 'w' },
    t: { type: 'string', short: 't' },
    n: { type: 'string', short: 'n' },
  },
})
const name = values.n ?? process.env.CYRUS_SERVICE ?? '?'

function trace(text: string): void {
  if (values.t) appendFileSync(values.t, `${name} ${text}\n`)
}

function record(message: number, pid = process.pid): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32LE(message, 0)
  bytes.writeInt32LE(pid, 4)
  return bytes
}
const tell = (...messages: number[]): unknown => writeSync(3, Buffer.concat(messages.map((m) => record(m))))

exitWithoutThreads()
let busy = false
let told = false
let hanging = false
process.on('SIGHUP', () => {
  if (hanging) return
  told = true
  if (!busy) process.exit(0)
})
process.on('SIGTERM', () => {
  if (hanging) return
  trace('end')
  process.exit(75)
})
trace(`start ${process.env.CYRUS_ISDAEMON ?? '-'}`)
if (values.w) writeSync(3, values.w.replace('CRLF', '\r\n'))
if (values.e) process.exit(Number(values.e))
if (values.k) process.kill(process.pid, values.k as NodeJS.Signals)

/** Words whose answer is a line. */
const ANSWERS: Readonly<Record<string, (rest: string) => string>> = {
  env: (rest) => process.env[rest] ?? '-',
  limit: () => /Max open files +(\w+)/.exec(readFileSync('/proc/self/limits', 'utf8'))![1]!,
  group: () => readFileSync('/proc/self/stat', 'latin1').split(') ')[1]!.split(' ').slice(2, 4).join(' '),
}

async function converse(fd: number): Promise<void> {
  const socket = new net.Socket({ fd, readable: true, writable: true })
  socket.on('error', () => undefined)
  socket.write(`hello ${process.pid}\r\n`)
  let kept: Buffer = Buffer.alloc(0)
  for await (const line of createInterface({ input: socket })) {
    const [word = '', ...rest] = line.split(' ')
    const answer = ANSWERS[word]
    if (answer) socket.write(`${answer(rest.join(' '))}\r\n`)
    else if (word === 'say') {
      writeSync(3, Buffer.concat([kept, record(Number(rest[0]), Number(rest[1] ?? process.pid))]))
      kept = Buffer.alloc(0)
    } else if (word === 'half') {
      const bytes = record(Number(rest[0]))
      writeSync(3, bytes.subarray(0, 4))
      kept = bytes.subarray(4)
    } else if (word === 'exit') process.exit(Number(rest[0]))
    else if (word === 'crash') process.kill(process.pid, 'SIGSEGV')
    else if (word === 'hang') {
      hanging = true
      socket.write('hanging\r\n')
    } else if (word === 'serve') break
  }
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.end()
    socket.resume()
  })
}

async function serve(): Promise<void> {
  const poller = new Poller()
  for (;;) {
    if ((await poller.wait([4])).length === 0) continue
    if (values.u) {
      tell(2, 3)
      const bytes = Buffer.alloc(100)
      appendFileSync(values.u, `${bytes.toString('latin1', 0, readSync(4, bytes))}\n`)
    } else {
      const fd = accept(4)
      if (fd === undefined) continue
      busy = true
      tell(2, 3)
      await converse(fd)
      busy = false
    }
    if (told) process.exit(0)
    tell(1)
  }
}

if (values.d) {
  closeSync(4)
  setInterval(() => undefined, 1000)
} else void serve()
