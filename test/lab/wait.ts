/** Waiting for something to become true, with a limit and a clear failure; and ports that the kernel says are free. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Asks again and again, from every millisecond to every 50, until the answer is neither undefined nor false.
 * @throws {Error} after `seconds`, naming what was waited for
 */
export async function waitFor<T>(
  what: string,
  ask: () => T | Promise<T>,
  seconds = 30,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + seconds * 1000
  for (let pause = 1; ; pause = Math.min(pause * 1.5, 50)) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}`)
    await sleep(pause)
  }
}

/** Ports on 127.0.0.1 that nobody listens on; all are held until the last is known, so they differ. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  const ours = ports.filter(claim)
  return ours.length === count ? ours : [...ours, ...(await freePorts(count - ours.length))]
}

/** Takes a port for this process, since tests run side by side and none listens on it yet. @returns false if another one has it */
function claim(port: number): boolean {
  const directory = join(tmpdir(), `lab-ports-${process.getuid?.() ?? 0}`)
  const path = join(directory, String(port))
  mkdirSync(directory, { recursive: true })
  if (existsSync(path) && !existsSync(`/proc/${readFileSync(path, 'utf8')}`)) rmSync(path, { force: true })
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

/** Whether somebody accepts connections there. */
export function isListening(where: { port: number; host: string } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(where)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
