/**
 * Starting a program the way Cyrus' master does: descriptors 3 and 4, CYRUS_SERVICE and CYRUS_ID, a descriptor limit, master's process group.
 * Nothing else of master's is inherited: all its descriptors are close-on-exec.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import type { Command } from './entries.js'

/** What children get as descriptors 0 to 2: nothing, master's own (`-D`), or a log file (`-L`). */
export type ChildOutput = 'ignore' | 'inherit' | number

export interface Launch {
  readonly command: Command
  /** added to master's environment */
  readonly environment: Readonly<Record<string, string>>
  /** descriptors 3 and 4; /dev/null where undefined */
  readonly statusFd?: number
  readonly listenFd?: number
  /** RLIMIT_NOFILE, 0 to leave it; as much of it as the hard limit allows */
  readonly maxfds: number
  readonly output: ChildOutput
  /** a session, and so a process group, of its own */
  readonly ownGroup?: boolean
}

let opened: number | undefined

/** /dev/null. (Node's 'ignore' leaves descriptors above 2 closed, and then something of the program's own may land there.) */
function nothing(): number {
  opened ??= openSync('/dev/null', 'r+')
  return opened
}

/**
 * @returns the child. If it could not be started its `pid` is undefined and it emits 'error', else 'exit'.
 */
export function launch(wanted: Launch): ChildProcess {
  const { command, environment, statusFd, listenFd, maxfds, output, ownGroup = false } = wanted
  const stdio: StdioOptions = [
    output === 'inherit' ? 'inherit' : 'ignore',
    output,
    output,
    statusFd ?? nothing(),
    listenFd ?? nothing(),
  ]
  const options = { stdio, detached: ownGroup, env: { ...process.env, ...environment } }
  const [name = command.program, ...args] = command.argv
  if (maxfds > 0) {
    // setrlimit must come between fork and exec, where Node lets nobody in: a shell does it and becomes the program.
    const script =
      'ulimit -n "$0" 2>/dev/null || ulimit -S -n "$0" 2>/dev/null || ulimit -S -n "$(ulimit -H -n)"; exec "$@"'
    return spawn('/bin/sh', ['-c', script, String(maxfds), command.program, ...args], options)
  }
  return spawn(command.program, args, { ...options, argv0: name })
}
