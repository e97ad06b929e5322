/**
 * `master -d`. Node cannot fork, so the program starts itself a second time in a session of its own and waits for that one's word on a
 * pipe: `ready`, or its end. The exit status is handed on, so that whoever started master knows whether it runs. Errors of the start appear on
 * the first one's stderr.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { duplicateTo, setCloseOnExec } from '../lib/os/fd.js'
import { Exit } from '../lib/process/exit_status.js'
import { takeStartLock } from './pid_file.js'

/** Tells the second one that it is: the number of the pipe's descriptor. */
const MARK = 'CYRUS_MASTER_READY_FD'

const READY = 'ready\n'

/** Which half of `-d` this process is. */
export function isBackgroundHalf(): boolean {
  return process.env[MARK] !== undefined
}

/** The first half: starts the second, waits, and ends with its status. */
export async function startBackgroundHalf(pidFile: string): Promise<never> {
  const release = takeStartLock(pidFile)
  if (release === undefined) {
    process.stderr.write(`master: another master is just starting (${pidFile}.lock is locked)\n`)
    process.exit(Exit.TempFail)
  }
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, [MARK]: '3' },
  })
  const status = await new Promise<number>((resolve) => {
    let said = ''
    child.stdio[3]!.on('data', (bytes: Buffer) => {
      said += bytes.toString()
      if (said === READY) resolve(Exit.Ok)
    })
    child.on('exit', (code) => resolve(code || Exit.OsError))
    child.on('error', (error) => {
      process.stderr.write(`master: ${error.message}\n`)
      resolve(Exit.OsError)
    })
  })
  release()
  process.exit(status)
}

/**
 * The second half's side.
 * @returns what tells the first half that all is well, and lets go of the terminal
 */
export function backgroundHalf(): () => void {
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
