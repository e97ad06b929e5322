/** Runs a program of an instance and tells how it ended, whatever that was. Not a test. */
import type { Instance } from '../lab/instance.js'

export function readCommandResult(
  instance: Instance,
  program: string,
  ...args: string[]
): { status: number; output: string } {
  try {
    return { status: 0, output: instance.run(program, ...args) }
  } catch (error) {
    const { status, stdout, stderr } = error as { status?: number; stdout?: string; stderr?: string }
    return { status: status ?? -1, output: `${stdout ?? ''}${stderr ?? ''}` }
  }
}
