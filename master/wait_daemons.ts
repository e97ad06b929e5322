/**
 * DAEMON entries with wait=y: started before the services, one after the other, each waited for until it writes `ok\r\n` on descriptor 3;
 * stopped after the services, one by one in reverse order (reference: master.md §12). In a session of their own, so that the signal to
 * master's process group does not reach them early.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync } from 'node:fs'
import net from 'node:net'
import { pipe } from '../lib/os/fd.js'
import type { Logger } from '../lib/process/log.js'
import type { ChildOutput } from './launch.js'
import { launch } from './launch.js'
import type { ServiceSocket } from './service_socket.js'

const READY = 'ok\r\n'

/** A daemon that did not come up. Exit status 78. */
export class WaitDaemonError extends Error {}

/**
 * Starts one and waits for its word.
 * @param started told of the process at once, so that its end is noticed in any case
 * @throws {WaitDaemonError} on other words or none
 */
export async function startWaitDaemon(
  daemon: ServiceSocket,
  environment: Readonly<Record<string, string>>,
  output: ChildOutput,
  started: (child: ChildProcess) => void,
): Promise<void> {
  const { readEnd, writeEnd } = pipe()
  const child = launch({
    command: daemon.entry.command,
    environment,
    statusFd: writeEnd,
    maxfds: daemon.entry.maxfds,
    output,
    ownGroup: true,
  })
  closeSync(writeEnd)
  started(child)
  const reader = new net.Socket({ fd: readEnd, readable: true, writable: false })
  try {
    let said = ''
    for await (const chunk of reader) {
      said += (chunk as Buffer).toString('latin1')
      if (said.length >= READY.length) break
    }
    if (said.slice(0, READY.length) === READY) return
    throw new WaitDaemonError(
      said === ''
        ? `daemon '${daemon.entry.name}' ended without becoming ready`
        : `daemon '${daemon.entry.name}' said ${JSON.stringify(said.slice(0, 40))} instead of "ok\\r\\n"`,
    )
  } finally {
    reader.destroy()
  }
}

/** SIGTERM to each in reverse order, each waited for. */
export async function stopWaitDaemons(running: readonly ChildProcess[], log: Logger): Promise<void> {
  for (const child of [...running].reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    log.notice(`waiting for daemon ${child.pid} to exit...`)
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  }
}
