/**
 * A program that a master's START section has begun and that lives in the background, where nobody waits for it. It belongs to that master all
 * the same: it stays in its process group, whose SIGTERM ends it, and this looks whether the master has died without saying so.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/** Carries the master's identity from the first process to the one in the background. */
const MARK = 'CYRUS_BACKGROUND_MASTER'
const LOOK_EVERY = 1000

/** `pid starttime` of a process; undefined if there is none. */
function identityOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // fields after the program's name, which may hold blanks; the 20th of them is the start time
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`
  } catch {
    return undefined
  }
}

function isMaster(pid: number): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, 3)
    const title = readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
    return [title, ...words].some((word) =>
      /^(?:cyr)?master(?:\/main\.js)?$/.test(
        word.endsWith('/main.js') ? word.split('/').slice(-2).join('/') : basename(word),
      ),
    )
  } catch {
    return false
  }
}

/** In the first process: remembers who started it, if that is a master. */
export function rememberMaster(): void {
  if (isMaster(process.ppid)) process.env[MARK] = identityOf(process.ppid) ?? ''
}

/** In the background: calls once when the remembered master is gone. */
export function watchMaster(gone: () => void): void {
  const identity = process.env[MARK]
  if (!identity) return
  const pid = Number(identity.split(' ')[0])
  const timer = setInterval(() => {
    if (identityOf(pid) === identity) return
    clearInterval(timer)
    gone()
  }, LOOK_EVERY)
  timer.unref()
}
