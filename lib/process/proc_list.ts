/** Reading what proc_entry.ts and Cyrus' services write: who is connected to which process. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcLine } from './proc_entry.js'

/** A connection, and who serves it. */
export interface Connected extends ProcLine {
  readonly pid: number
  readonly service: string
}

/**
 * @param odd told of files that do not belong there
 * @returns every connection of living processes, by pid; files that killed processes left are passed over
 */
export function connectedNow(directory: string, odd: (message: string) => void = () => undefined): Connected[] {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const pids: number[] = []
  for (const name of names) {
    if (name.startsWith('.') || name.endsWith('.new')) continue
    if (/^[1-9]\d{0,9}$/.test(name)) pids.push(Number(name))
    else odd(`IOERROR: bogus filename "${join(directory, name)}"`)
  }
  return pids
    .sort((a, b) => a - b)
    .filter(isAlive)
    .flatMap((pid) => linesOf(join(directory, String(pid))).map((line) => ({ pid, ...line })))
}

function linesOf(path: string): Omit<Connected, 'pid'>[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return [] // gone meanwhile
  }
  return text
    .split(/\r?\n/)
    .filter((line) => line.includes('\t'))
    .map((line) => {
      const [service = '', client = '', user = '', mailbox = '', command = ''] = line.split('\t')
      return { service, client, user, mailbox, command }
    })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
