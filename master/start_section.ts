/**
 * START: each command run to its end before anything listens, one after the other. A failure is fatal, as in Cyrus 3.6.1 (2.3.8 ignored it).
 *
 * A command that means to stay (`sync_client -r`) puts itself into the background under Cyrus' master, which never notices when it dies. Ours
 * offers such a program a pipe on descriptor 3, and says so by CYRUS_ADOPT in its environment: one that writes `adopt` there before it exits
 * with 0 is kept up from then on like an entry of DAEMON. Other programs know nothing of it and do as they always did.
 */
import { once } from 'node:events'
import { closeSync, readSync } from 'node:fs'
import { pipe, setNonBlocking } from '../lib/os/fd.js'
import type { Logger } from '../lib/process/log.js'
import type { DaemonEntry, MasterConf, StartEntry } from './entries.js'
import { type ChildOutput, launch } from './launch.js'

/** A START command that failed. */
export class StartError extends Error {}

/** What a START command writes on descriptor 3 to be kept up. */
const ADOPT = 'adopt'

/**
 * @param cyrusConf the file's name, for the message
 * @returns names of the entries whose command asked to be adopted
 * @throws {StartError} naming the entry and how it ended
 */
export async function runStartSection(
  entries: readonly StartEntry[],
  options: { cyrusConf: string; output: ChildOutput; log: Logger },
): Promise<Set<string>> {
  const adopted = new Set<string>()
  for (const { name, line, command } of entries) {
    options.log.debug(`START ${name}: ${command.argv.join(' ')}`)
    const { readEnd, writeEnd } = pipe()
    const environment = { CYRUS_ADOPT: '1' }
    const child = launch({ command, environment, statusFd: writeEnd, maxfds: 0, output: options.output })
    closeSync(writeEnd)
    const problem = await once(child, 'exit').then(
      ([code, signal]: unknown[]) =>
        code === 0 ? undefined : signal ? `ended by ${signal}` : `exited with status ${code}`,
      (error: Error) => error.message,
    )
    const said = drain(readEnd)
    closeSync(readEnd)
    if (problem === undefined && said.startsWith(ADOPT)) {
      options.log.notice(`START ${name}: stays, and is kept up from now on`)
      adopted.add(name)
    }
    if (problem !== undefined)
      throw new StartError(`${options.cyrusConf}:${line}: can't run startup '${name}': ${problem}`)
  }
  return adopted
}

/** What stands in a pipe whose writer may live on in the background. */
function drain(fd: number): string {
  const buffer = Buffer.alloc(64)
  setNonBlocking(fd, true)
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
    throw error
  }
}

/** The configuration with the adopted START entries as daemons. */
export function withAdopted(conf: MasterConf, adopted: ReadonlySet<string>): MasterConf {
  const daemons = conf.start
    .filter(({ name }) => adopted.has(name) && !conf.daemons.some((daemon) => daemon.name === name))
    .map(({ name, line, command }): DaemonEntry => {
      const limits = { prefork: 1, maxchild: 1, maxforkrate: 10, maxfds: 0, babysit: true }
      return { kind: 'daemon', name, line, command, wait: false, ...limits }
    })
  return { ...conf, daemons: [...conf.daemons, ...daemons] }
}
