/** `sync_client --status`: how rolling replication stands, channel by channel, for people and for `$?`. */
import type { Config } from '../../lib/config/config.js'
import { statisticsDirectory } from '../../lib/process/statistics_directory.js'
import { readStatus, type SyncStatus } from '../../lib/sync/client/status.js'
import { LogFiles } from '../../lib/sync/log_file.js'

/**
 * Prints the channel's state, or with '' that of every channel whose log is written.
 * @returns whether all is well: every client runs, is connected, and nothing fails
 */
export async function showStatus(config: Config, channel: string): Promise<boolean> {
  const written = config.list('sync_log_channels').map((name) => (name === '""' ? '' : name))
  const channels = channel !== '' || written.length === 0 ? [channel] : written
  let well = true
  for (const name of channels) {
    const files = new LogFiles(config.directory, name)
    const status = await readStatus(statisticsDirectory(config), name)
    const running = status !== undefined && isRunning(status.pid)
    const waiting = await files.waiting()
    well &&= running && status.connections > 0 && status.failing.length === 0 && waiting.deferred === 0
    process.stdout.write(report(name, status, running, waiting, files.pendingSince()))
    if (config.string('sync_mode') === 'semisync' && name === (config.string('sync_semisync_channel') ?? '')) {
      const lost = files.fallenBackSince()
      well &&= lost === undefined
      const state =
        lost === undefined ? 'yes' : `no, given up ${clock(lost / 1000)}: changes do not wait for the replica`
      process.stdout.write(`  semisync      ${state}\n`)
    }
  }
  return well
}

function report(
  channel: string,
  status: SyncStatus | undefined,
  running: boolean,
  waiting: { logged: number; deferred: number },
  pendingSince: number | undefined,
): string {
  const now = Date.now() / 1000
  const lines: [string, string][] = []
  const say = (what: string, value: string): void => void lines.push([what, value])
  if (status === undefined) say('client', 'none has worked on this channel yet')
  else {
    say('replica', status.server)
    if (!running) say('client', `not running (was process ${status.pid})`)
    else say('client', `process ${status.pid}, since ${clock(status.started)}`)
    if (running && status.connectedSince !== null) {
      const count = status.connections === 1 ? '' : ` (${status.connections} connections)`
      say('connected', `since ${clock(status.connectedSince)}${count}`)
    } else say('connected', status.connectError === null ? 'no' : `no: ${status.connectError}`)
    const { lastRound, rounds } = status
    say(
      'last round',
      lastRound === null ? 'none yet' : `${clock(lastRound)}, ${age(now - lastRound)} ago; ${rounds} in all`,
    )
  }
  const oldest = Math.min(pendingSince === undefined ? Infinity : pendingSince / 1000, status?.oldest ?? Infinity)
  const nothing = waiting.logged === 0 && waiting.deferred === 0
  say('oldest change', nothing || oldest === Infinity ? 'none is waiting' : `${age(now - oldest)} old`)
  say('waiting', `${waiting.logged} logged, ${waiting.deferred} deferred`)
  if (status !== undefined) {
    const { messages, bytes, messageRate, byteRate } = status
    say(
      'sent',
      `${messages} messages, ${bytes} bytes; ${messageRate.toFixed(1)} messages/s, ${Math.round(byteRate)} bytes/s lately`,
    )
  }
  let text = `channel ${channel === '' ? '(default)' : channel}\n`
  for (const [what, value] of lines) text += `  ${what.padEnd(14)}${value}\n`
  for (const { line, reason, since, next } of status?.failing ?? []) {
    const again = running ? `, again in ${age(Math.max(next - now, 0))}` : ''
    text += `  failing       ${line}: since ${clock(since)}${again}${reason === '' ? '' : `: ${reason}`}\n`
  }
  return text
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Local time as `2026-11-23 15:04:05`. */
function clock(seconds: number): string {
  const date = new Date(seconds * 1000)
  const two = (n: number): string => String(n).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

function age(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
