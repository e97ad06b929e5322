/** The program idled: its socket is there while it lives, and takes whatever is sent. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { listenSocket } from '../../lib/os/socket.js'
import { until } from '../master/instance.js'

const PROGRAM = fileURLToPath(new URL('../../services/idled/main.js', import.meta.url))

function setUp(t: Test): { dir: string; conf: string; socket: string } {
  const dir = mkdtempSync(join(tmpdir(), 'idled-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  mkdirSync(join(dir, 'socket'))
  const conf = join(dir, 'imapd.conf')
  writeFileSync(conf, `configdirectory: ${dir}\npartition-default: ${dir}/spool\ncyrus_user: ${userInfo().username}\n`)
  return { dir, conf, socket: join(dir, 'socket/idle') }
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
}

t.test('in the foreground, until SIGTERM; a stale socket is replaced', async (t) => {
  const { conf, socket } = setUp(t)
  const stale = listenSocket({ family: 'unix', path: socket }, { datagram: true })
  const before = statSync(socket).ino
  const child = start('-C', conf, '-d')
  await until('the socket', () => existsSync(socket) && statSync(socket).ino !== before)
  t.ok(statSync(socket).isSocket())
  child.kill('SIGTERM')
  const [status] = await once(child, 'exit')
  t.equal(status, 0)
  t.notOk(existsSync(socket), 'removed at the end')
  t.ok(stale > 0)
})

t.test('into the background: the command returns once the socket is there', async (t) => {
  const { conf, socket } = setUp(t)
  const child = start('-C', conf)
  const [status] = await once(child, 'exit')
  t.equal(status, 0)
  t.ok(statSync(socket).isSocket())
  const daemon = readdirSync('/proc').find((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/environ`, 'latin1').includes('CYRUS_BACKGROUND') &&
        opens(pid, conf)
      )
    } catch {
      return false
    }
  })
  t.ok(daemon, 'it lives')
  process.kill(Number(daemon), 'SIGTERM')
  await until('its end', () => !existsSync(socket))
})

/** Whether a process was started for a configuration: its title hides the command line, its environment does not tell, its socket does. */
function opens(pid: string, conf: string): boolean {
  const path = conf.replace(/imapd\.conf$/, 'socket/idle')
  const inode = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .find((line) => line.endsWith(` ${path}`))
    ?.trim()
    .split(/\s+/)[6]
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return statSync(`/proc/${pid}/fd/${fd}`).ino === Number(inode)
    } catch {
      return false
    }
  })
}

t.test('what goes wrong', async (t) => {
  const { dir, conf } = setUp(t)
  const cases: [args: string[], status: number][] = [
    [['-Z'], 64],
    [['-C', join(dir, 'none')], 78],
    [['-C', conf, 'word'], 64],
  ]
  for (const [args, wanted] of cases) {
    const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (bytes) => {
      said += String(bytes)
    })
    const [status] = await once(child, 'close')
    t.equal(status, wanted)
    t.match(said, /^idled: .*\n$/, 'one line')
  }
  rmSync(join(dir, 'socket'), { recursive: true })
  const [status] = await once(start('-C', conf), 'exit')
  t.equal(status, 71, 'also when it fails in the background')
})
