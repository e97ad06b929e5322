/** A rolling client's status in Prometheus' text exposition format, version 0.0.4. Pure. */
import type { SyncStatus } from './status.js'

type Metric = readonly [name: string, type: 'gauge' | 'counter', help: string, value: (status: SyncStatus) => number]

const METRICS: readonly Metric[] = [
  [
    'connected',
    'gauge',
    'Whether there is a connection to the replica.',
    ({ connections }) => (connections > 0 ? 1 : 0),
  ],
  ['connections', 'gauge', 'Connections to the replica.', ({ connections }) => connections],
  [
    'last_round_timestamp_seconds',
    'gauge',
    'End of the last complete round; 0 never.',
    ({ lastRound }) => lastRound ?? 0,
  ],
  [
    'oldest_change_timestamp_seconds',
    'gauge',
    'Time of the oldest change that may not be on the replica; 0 none.',
    ({ oldest }) => oldest ?? 0,
  ],
  ['waiting_entries', 'gauge', 'Log entries under way or deferred.', ({ waiting }) => waiting],
  ['failing_entries', 'gauge', 'Log entries that failed and will be tried again.', ({ failing }) => failing.length],
  [
    'semisync_lost',
    'gauge',
    'Whether changes are acknowledged without the replica though sync_mode is semisync.',
    ({ semisyncLost }) => (semisyncLost === null ? 0 : 1),
  ],
  ['rounds_total', 'counter', 'Rounds done.', ({ rounds }) => rounds],
  ['messages_total', 'counter', 'Messages sent.', ({ messages }) => messages],
  ['message_bytes_total', 'counter', 'Bytes of messages sent.', ({ bytes }) => bytes],
]

/** @returns the report of one channel, labelled with it */
export function exposition(status: SyncStatus): string {
  const lines: string[] = []
  for (const [name, type, help, value] of METRICS) {
    lines.push(`# HELP cyrus_sync_${name} ${help}`, `# TYPE cyrus_sync_${name} ${type}`)
    lines.push(`cyrus_sync_${name}{channel="${status.channel}"} ${value(status)}`)
  }
  return `${lines.join('\n')}\n`
}
