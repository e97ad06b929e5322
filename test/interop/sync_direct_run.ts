/** Runs a program of an instance and tells how it ended, whatever that was. Not a test. */
import type { Instance } from '../lab/instance.js'

export async function readCommandResult(
  instance: Instance,
  program: string,
  ...args: string[]
): Promise<{ status: number; output: string }> {
  try {
    return { status: 0, output: await instance.run(program, ...args) }
  } catch (error) {
    const { exitCode, stdout, stderr } = error as { exitCode?: number; stdout?: string; stderr?: string }
    return { status: exitCode ?? -1, output: `${stdout ?? ''}${stderr ?? ''}` }
  }
}
