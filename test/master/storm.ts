/** Many connections to a master's service while its processes are killed: what happened to them, and what master thinks of it afterwards. */
import { readdirSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { statisticsOf } from './figures.js'
import { childrenOf, type Instance, until } from './instance.js'

/** How a connection ended. */
interface Outcome {
  /** pid from the greeting */
  readonly pid: number | undefined
  readonly error: string | undefined
}

export interface StormResult {
  /** connections opened */
  readonly opened: number
  /** those that got a greeting */
  readonly greeted: number
  /** those that were taken by a process that was then killed, before it could greet */
  readonly lost: number
  /** connections that could not be had, by error code */
  readonly refused: Readonly<Record<string, number>>
  readonly killed: number
  readonly seconds: number
}

/** Connects, waits for the greeting, says quit. */
async function visit(port: number): Promise<Outcome> {
  const socket = net.connect(port, '127.0.0.1')
  let error: string | undefined
  let text = ''
  let connected = false
  socket.on('connect', () => {
    connected = true
  })
  socket.on('error', (problem: NodeJS.ErrnoException) => {
    // one that was taken and then lost its process is no refusal
    if (!connected || problem.code === 'ECONNREFUSED') error = problem.code ?? problem.message
  })
  socket.on('data', (bytes: Buffer) => {
    if (text === '') socket.end('quit\n')
    text += bytes.toString('latin1')
  })
  socket.setTimeout(60_000, () => {
    error = 'no greeting for 60 s'
    socket.destroy()
  })
  await new Promise((resolve) => socket.once('close', resolve))
  const pid = Number(/^hello (\d+)/.exec(text)?.[1])
  return { pid: Number.isNaN(pid) ? undefined : pid, error }
}

/**
 * Runs a storm on an instance that is up.
 * @param connections at once
 * @param rounds how often
 * @param killEvery milliseconds between two kill -9 of a random child; 0 for none
 */
export async function storm(
  master: Instance,
  port: number,
  { connections, rounds, killEvery }: { connections: number; rounds: number; killEvery: number },
): Promise<StormResult> {
  const begun = performance.now()
  const killed = new Set<number>()
  const killer =
    killEvery > 0 &&
    setInterval(() => {
      // one that was killed may take a while to be gone
      const children = childrenOf(master.pid).filter((pid) => !killed.has(pid))
      const pid = children[Math.floor(Math.random() * children.length)]
      if (pid === undefined) return
      process.kill(pid, 'SIGKILL')
      killed.add(pid)
    }, killEvery)
  const outcomes: Outcome[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      outcomes.push(...(await Promise.all(Array.from({ length: connections }, () => visit(port)))))
    }
  } finally {
    if (killer !== false) clearInterval(killer)
  }
  const refused: Record<string, number> = {}
  for (const { error } of outcomes) if (error !== undefined) refused[error] = (refused[error] ?? 0) + 1
  return {
    opened: outcomes.length,
    greeted: outcomes.filter(({ pid }) => pid !== undefined).length,
    lost: outcomes.filter(({ pid, error }) => pid === undefined && error === undefined).length,
    refused,
    killed: killed.size,
    seconds: (performance.now() - begun) / 1000,
  }
}

/** What is wrong with master's figures once all is quiet again; empty when nothing is. */
export async function wrongFigures(master: Instance, result: StormResult, descriptors: number): Promise<string[]> {
  const wrong: string[] = []
  const check = (what: string, ok: boolean): unknown => ok || wrong.push(what)
  const right = (): boolean => {
    const { ready_workers, active_children, forks_total, connections_total } = statisticsOf(master, 'one/ipv4')
    const alive = childrenOf(master.pid).length
    return (
      ready_workers === alive &&
      active_children === alive &&
      forks_total! - result.killed === alive &&
      connections_total! >= result.greeted
    )
  }
  // the file lags by a second; if it never comes right, what is wrong is told below
  await until('the figures to come to rest', right).catch(() => undefined)
  const figures = statisticsOf(master, 'one/ipv4')
  const alive = childrenOf(master.pid).length
  check(`active ${figures.active_children}, alive ${alive}`, figures.active_children === alive)
  check(`ready ${figures.ready_workers} of ${alive}`, figures.ready_workers === alive)
  check(
    `forks ${figures.forks_total} - killed ${result.killed} != ${alive}`,
    figures.forks_total! - result.killed === alive,
  )
  check(`failures ${figures.ready_fails_total} > ${result.killed}`, figures.ready_fails_total! <= result.killed)
  const { connections_total: connections } = figures
  check(`connections ${connections}, greeted ${result.greeted}`, connections! >= result.greeted)
  check(`connections ${connections}, opened ${result.opened}`, connections! <= result.opened)
  const all = readFileSync(`/proc/${master.pid}/task/${master.pid}/children`, 'utf8').split(' ').filter(Boolean).length
  check(`${all - alive} zombies`, all === alive)
  check(`descriptors ${descriptorsOf(master.pid)}, were ${descriptors}`, descriptorsOf(master.pid) === descriptors)
  return wrong
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
