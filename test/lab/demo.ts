/**
 * `make demo`: a master and its replica brought up from a topology, 200 varied messages delivered and worked on, both sides compared.
 * Exits 0 only if all is equal. --keep leaves both running and says how to connect.
 */
import { parseArgs } from 'node:util'
import { ADMIN, type Instance, PASSWORD } from './instance.js'
import { Lab } from './lab.js'
import { percentile, runScenario } from './scenario.js'
import { whyNoCyrus } from './software.js'

const USAGE = `usage: demo [--keep] [--topology FILE] [--messages N] [--kill sync_server|sync_client]
  --keep        leave master and replica running, and say how to connect
  --topology    conf/pair.ini unless given; ours_to_cyrus.ini, cyrus_to_ours.ini and cyrus_pair.ini need a real Cyrus
  --messages    how many are delivered, 200 unless given
  --kill        kill -9 that program halfway`

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    topology: { type: 'string', default: 'pair.ini' },
    messages: { type: 'string', default: '200' },
    kill: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

let lab: Lab | undefined
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void lab?.stop().finally(() => process.exit(130))
  })
}

try {
  process.exitCode = await demo()
} catch (error) {
  console.error(`demo: ${(error as Error).message}`)
  for (const instance of lab?.instances.values() ?? [])
    if (instance.console() !== '') console.error(`--- ${instance.name}\n${instance.console()}`)
  process.exitCode = 1
  await lab?.stop()
}

async function demo(): Promise<number> {
  const started = performance.now()
  lab = await Lab.prepare(values.topology!)
  const withCyrus = [...lab.instances.values()].some(({ plan }) => plan.software === 'cyrus')
  const missing = withCyrus ? whyNoCyrus() : undefined
  if (missing !== undefined) throw new Error(missing)
  for (const instance of [lab.replica, lab.master]) await instance.start()
  const up = performance.now()
  console.log(`${describe(lab.master)} and ${describe(lab.replica)} are up (${seconds(up - started)})`)
  const { lags, differences, mailboxes, messages } = await runScenario(lab, {
    messages: Number(values.messages),
    progress: process.stderr.isTTY ? showProgress : undefined,
    halfway:
      values.kill === undefined
        ? undefined
        : ({ master, replica }) => kill(values.kill === 'sync_server' ? replica : master, values.kill!),
  })
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  const rows: [string, string][] = [
    ['users', String(lab.topology.users.length)],
    ['mailboxes', String(mailboxes)],
    ['messages, copies included', String(messages)],
    ['lag p50', milliseconds(percentile(lags, 0.5))],
    ['lag p99', milliseconds(percentile(lags, 0.99))],
    ['lag max', milliseconds(lags.at(-1) ?? 0)],
    ['differences', String(differences.length)],
    ['time', seconds(performance.now() - up)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) console.log(`  ${name.padEnd(width)}  ${value.padStart(10)}`)
  for (const difference of differences.slice(0, 20)) console.log(`  ${difference}`)
  if (differences.length > 20) console.log(`  … and ${differences.length - 20} more`)
  console.log(differences.length === 0 ? 'master and replica are equal' : 'master and replica differ')
  if (values.keep) explain(lab)
  else await lab.stop()
  return differences.length === 0 ? 0 : 1
}

function describe({ name, plan, ports }: Instance): string {
  return `${name} (${plan.software === 'ours' ? 'cyrus-ts' : 'Cyrus 3.6.1'}, IMAP on ${ports.imap})`
}

function kill(instance: Instance, program: string): void {
  const pids = instance.processes(program)
  if (pids.length === 0) throw new Error(`${instance.name}: no ${program} runs that could be killed`)
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it ended by itself
    }
  }
  console.log(`killed ${program} of the ${instance.name} with SIGKILL`)
}

function explain({ master, replica, directory, topology }: Lab): void {
  const [user] = topology.users
  console.log(`
Both are running, in ${directory}; stop them with: kill ${master.pid} ${replica.pid}
  master    IMAP 127.0.0.1:${master.ports.imap}   LMTP 127.0.0.1:${master.ports.lmtp}
  replica   IMAP 127.0.0.1:${replica.ports.imap}   csync 127.0.0.1:${replica.ports.sync}
  users     ${topology.users.join(' ')}, password ${PASSWORD}; administrator ${ADMIN.user}, password ${ADMIN.password}
  mutt -f imap://${user}:${PASSWORD}@127.0.0.1:${master.ports.imap}/INBOX -e 'set ssl_starttls=no'
  printf 'a LOGIN ${user} ${PASSWORD}\\r\\nb LIST "" "*"\\r\\nc LOGOUT\\r\\n' | nc 127.0.0.1 ${replica.ports.imap}`)
  for (const instance of [master, replica]) instance.release()
}

function showProgress(what: string, done: number): void {
  const width = 30
  const filled = Math.round(done * width)
  process.stderr.write(
    `\r\x1b[K${what.padEnd(24)} ${done > 0 ? `[${'#'.repeat(filled)}${' '.repeat(width - filled)}] ${Math.round(done * 100)} %` : '…'}`,
  )
}

function milliseconds(value: number): string {
  return `${value.toFixed(1)} ms`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
