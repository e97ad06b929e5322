/** Tests that need third-party programs: without them they are skipped with one line saying so; under CI=true their absence is a failure. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Test } from 'tap'
import { whyNoCyrus } from './software.js'

/** Whether a real Cyrus can be run here. @returns false when the test has been skipped or failed */
export function needsCyrus(t: Test): boolean {
  return needs(t, whyNoCyrus())
}

/** Whether programs are on the PATH. @returns false when the test has been skipped or failed */
export function needsPrograms(t: Test, ...names: string[]): boolean {
  const missing = names.filter((name) => !onPath(name))
  return needs(t, missing.length === 0 ? undefined : `${missing.join(', ')} not installed`)
}

function needs(t: Test, missing: string | undefined): boolean {
  if (missing === undefined) return true
  if (process.env.CI === 'true') t.fail(missing)
  else t.pass(`skipped: ${missing}`, { skip: missing })
  return false
}

function onPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
