/**
 * squatter: fills the search indexes of mailboxes. Decides whether this process does the work or only starts the one that will, as sync_client
 * does: with -R in the background, unless a master has begun it as a daemon.
 */
import { writeSync } from 'node:fs'
import { inBackground, startInBackground } from '../../lib/process/background.js'
import { parseOptions } from '../../lib/process/getopt.js'
import { rememberMaster } from '../../lib/process/master_watch.js'
import { LETTERS, readCommandLine } from './command_line.js'

/** Whether the command line asks for the background and we are not there yet; the work's own process tells what is wrong with a bad one. */
function wantsBackground(): boolean {
  if (inBackground() || process.env.CYRUS_ISDAEMON !== undefined) return false
  try {
    const line = readCommandLine(parseOptions(`C:${LETTERS}`, process.argv.slice(2)))
    return line.mode === 'rolling' && !line.foreground
  } catch {
    return false
  }
}

if (!wantsBackground()) {
  const { run } = await import('./run.js')
  await run()
} else if (process.env.CYRUS_ADOPT === '1') {
  // a master of ours keeps up what asks for it
  writeSync(3, 'adopt\n')
} else {
  rememberMaster()
  process.exit(await startInBackground({ ownSession: false }))
}
