/**
 * START: each command run to its end before anything listens, one after the other. A failure is fatal, as in Cyrus 3.6.1 (2.3.8 ignored it).
 */
import { once } from 'node:events'
import type { Logger } from '../lib/process/log.js'
import type { StartEntry } from './entries.js'
import { type ChildOutput, launch } from './launch.js'

/** A START command that failed. */
export class StartError extends Error {}

/**
 * @param cyrusConf the file's name, for the message
 * @throws {StartError} naming the entry and how it ended
 */
export async function runStartSection(
  entries: readonly StartEntry[],
  options: { cyrusConf: string; output: ChildOutput; log: Logger },
): Promise<void> {
  for (const { name, line, command } of entries) {
    options.log.debug(`START ${name}: ${command.argv.join(' ')}`)
    const child = launch({ command, environment: {}, maxfds: 0, output: options.output })
    const problem = await once(child, 'exit').then(
      ([code, signal]: unknown[]) =>
        code === 0 ? undefined : signal ? `ended by ${signal}` : `exited with status ${code}`,
      (error: Error) => error.message,
    )
    if (problem !== undefined)
      throw new StartError(`${options.cyrusConf}:${line}: can't run startup '${name}': ${problem}`)
  }
}
