/**
 * Programs that put themselves into the background. Node cannot fork, so the program starts itself a second time and waits for that one's word
 * on a pipe: `ready`, or its end, whose status is handed on. Errors of the start still appear on the first one's stderr.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { duplicateTo, setCloseOnExec } from '../os/fd.js'
import { Exit } from './exit_status.js'

/** Tells the second one that it is: the number of the pipe's descriptor. */
const MARK = 'CYRUS_BACKGROUND_READY_FD'

const READY = 'ready\n'

/** Whether this process is the one in the background. */
export function inBackground(): boolean {
  return process.env[MARK] !== undefined
}

/**
 * Starts the program a second time and waits for it.
 * @param options.ownSession in a session of its own (setsid); else it stays in our process group
 * @returns the exit status to leave with: 0 once the other is ready
 */
export async function startInBackground({ ownSession }: { ownSession: boolean }): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: ownSession,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, [MARK]: '3' },
  })
  return new Promise<number>((resolve) => {
    let said = ''
    child.stdio[3]!.on('data', (bytes: Buffer) => {
      said += bytes.toString()
      if (said === READY) resolve(Exit.Ok)
    })
    child.on('exit', (code) => resolve(code || Exit.OsError))
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`)
      resolve(Exit.OsError)
    })
  })
}

/**
 * The background one's side; to be called once, early.
 * @returns what tells the other that all is well, and lets go of the terminal; undefined in the foreground
 */
export function readyInBackground(): (() => void) | undefined {
  if (!inBackground()) return undefined
  const fd = Number(process.env[MARK])
  delete process.env[MARK]
  setCloseOnExec(fd, true)
  return () => {
    writeSync(fd, READY)
    closeSync(fd)
    detachOutput()
  }
}

/** stdin, stdout and stderr become /dev/null. */
export function detachOutput(): void {
  const nothing = openSync('/dev/null', 'r+')
  for (const fd of [0, 1, 2]) duplicateTo(nothing, fd)
  if (nothing > 2) closeSync(nothing)
}
