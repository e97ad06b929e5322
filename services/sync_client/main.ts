/**
 * sync_client: the master's end of Cyrus replication (csync.md §11). Decides whether this process does the work or only starts the one that
 * will; that must be quick, since master waits for a START entry, so the work's modules are loaded only where it is done.
 */
import { writeSync } from 'node:fs'
import { Config } from '../../lib/config/config.js'
import { inBackground, startInBackground } from '../../lib/process/background.js'
import { parseOptions } from '../../lib/process/getopt.js'
import { rememberMaster } from '../../lib/process/master_watch.js'
import { type CommandLine, LETTERS, readCommandLine, WORDS } from './modes.js'

/** The command line, if it asks for the background and we are not there yet; the work's own process tells what is wrong with a bad one. */
function backgroundWanted(): CommandLine | undefined {
  if (inBackground() || process.env.CYRUS_ISDAEMON !== undefined) return undefined
  try {
    const line = readCommandLine(parseOptions(`C:${LETTERS}`, process.argv.slice(2), WORDS))
    return line.mode === 'rolling' && !line.foreground ? line : undefined
  } catch {
    return undefined
  }
}

/**
 * A master of ours keeps a START program up that asks for it (master/start_section.ts), which is better than a background nobody looks at.
 * It is asked only when the configuration will do, so that a START entry that cannot work is found out at once.
 */
function isAdopted({ server, channel }: CommandLine): boolean {
  if (process.env.CYRUS_ADOPT !== '1') return false
  try {
    const { options } = parseOptions(`C:${LETTERS}`, process.argv.slice(2), WORDS)
    const config = Config.load(String(options.get('C') ?? '/etc/imapd.conf'))
    const host = server ?? config.overflow(`${channel}_sync_host`) ?? config.string('sync_host')
    if (host === undefined) return false
    writeSync(3, 'adopt\n')
    return true
  } catch {
    return false
  }
}

const line = backgroundWanted()
if (line === undefined) {
  const { run } = await import('./run.js')
  await run()
} else if (!isAdopted(line)) {
  rememberMaster()
  process.exit(await startInBackground({ ownSession: false }))
}
