/** What master itself takes: its start, the time until a killed process is replaced, its memory. The same imapd settings on either side. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CYRUS_BIN, cyrusDirectory } from '../test/interop/cyrus_config.js'
import { percentile } from '../test/lab/scenario.js'
import { program, runAs } from '../test/lab/software.js'
import { childrenOf, freePort, until } from '../test/master/instance.js'
import { pss } from './memory.js'
import type { Figures } from './rows.js'

type Software = 'ours' | 'cyrus'

interface Place {
  readonly dir: string
  readonly imapdConf: string
  readonly cyrusConf: string
  readonly pidFile: string
}

const now = () => performance.now()

function place(software: Software): Place {
  if (software === 'cyrus') return cyrusDirectory('secret')
  const dir = mkdtempSync(join(tmpdir(), 'bench-'))
  for (const name of ['conf', 'run']) mkdirSync(join(dir, name))
  const imapdConf = join(dir, 'imapd.conf')
  const user = runAs('ours')
  writeFileSync(
    imapdConf,
    `configdirectory: ${dir}/conf\npartition-default: ${dir}/spool\nservername: localhost\nallowplaintext: yes\n` +
      `cyrus_user: ${user?.name ?? 'root'}\n`,
  )
  execFileSync('chmod', ['755', dir])
  if (user !== undefined) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, dir])
  return { dir, imapdConf, cyrusConf: join(dir, 'cyrus.conf'), pidFile: join(dir, 'run/pid') }
}

/** Resolves when a service greets, connecting again as long as nobody listens. */
async function greeted(port: number): Promise<void> {
  const deadline = now() + 20_000
  while (now() < deadline) {
    const socket = net.connect(port, '127.0.0.1')
    const said = await new Promise<boolean>((resolve) => {
      socket.once('data', () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    })
    socket.destroy()
    if (said) return
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  throw new Error(`no greeting on port ${port}`)
}

async function run<T>(
  software: Software,
  services: { readonly name: string; readonly port: number; readonly prefork: number }[],
  work: (master: ChildProcess, begun: number, at: Place) => Promise<T>,
): Promise<T> {
  const at = place(software)
  const imapd = software === 'ours' ? program('ours', 'imapd') : `${CYRUS_BIN}/imapd`
  const lines = services.map(
    ({ name, port, prefork }) =>
      `${name} cmd="${imapd} -C ${at.imapdConf}" listen=127.0.0.1:${port} proto=tcp4 prefork=${prefork}`,
  )
  writeFileSync(at.cyrusConf, `SERVICES {\n${lines.join('\n')}\n}\n`)
  const begun = now()
  const master = spawn(
    software === 'ours' ? program('ours', 'master') : '/usr/sbin/cyrmaster',
    ['-C', at.imapdConf, '-M', at.cyrusConf, '-p', at.pidFile],
    { stdio: 'ignore', detached: true },
  )
  try {
    return await work(master, begun, at)
  } finally {
    master.kill('SIGTERM')
    await once(master, 'exit')
    rmSync(at.dir, { recursive: true, force: true })
  }
}

/** Start of four services with two processes each, replacement of a killed process, memory of master. */
export async function masterFigures(software: Software): Promise<Figures> {
  const figures: Figures = {}
  const four = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (name) => ({ name, port: await freePort(), prefork: 2 })),
  )
  await run(software, four, async (master, begun, { pidFile }) => {
    if (software === 'ours') {
      await until('readiness', () => readText(pidFile).includes('\n'))
      figures['master, start to ready for work (limit 1500)'] = { value: now() - begun, unit: 'ms', more: false }
    }
    await Promise.all(four.map(({ port }) => greeted(port)))
    figures['master, start to greetings of 4 services'] = { value: now() - begun, unit: 'ms', more: false }
    await until('all processes', () => childrenOf(master.pid!).length >= 8)
    figures['master, memory (limit 80)'] = { value: pss(master.pid!) / 1024, unit: 'MiB', more: false }
  })
  const one = [{ name: 'a', port: await freePort(), prefork: 1 }]
  await run(software, one, async (master) => {
    const { port } = one[0]!
    await greeted(port)
    const times: number[] = []
    // the real master gives a service up at the fifth
    for (let n = 0; n < 4; n++) {
      const pids = await until('a process', () => childrenOf(master.pid!).length > 0 && childrenOf(master.pid!))
      for (const pid of pids) process.kill(pid, 'SIGKILL')
      const killed = now()
      await greeted(port)
      times.push(now() - killed)
    }
    times.sort((x, y) => x - y)
    figures['killed process replaced, to a greeting (limit 400)'] = {
      value: percentile(times, 0.5),
      unit: 'ms',
      more: false,
    }
  })
  return figures
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
