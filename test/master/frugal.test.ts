/** What master itself costs while nothing happens: ten services, each with a process that waits. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { childrenOf, Instance, until } from './instance.js'

const SERVICES = 10
const SECONDS = 3
/** The kernel's clock ticks a second in /proc. */
const TICKS = 100

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return Number(fields[11]) + Number(fields[12])
}

function kilobytesOf(pid: number, what: string): number {
  return Number(new RegExp(`^${what}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
}

t.test('under 80 MB and 1 % of a core with ten idle services', async (t) => {
  const master = new Instance()
  t.teardown(() => master.close())
  const services = Array.from(
    { length: SERVICES },
    (_, n) => `s${n} cmd="/bin/sleep 1000" listen="${master.path(`sock${n}`)}" prefork=1`,
  )
  master.configure(`SERVICES {\n${services.join('\n')}\n}`)
  await master.start({ bare: true })
  await until('all processes', () => childrenOf(master.pid).length === SERVICES)
  // what the start still has to clean up
  await sleep(500)
  const before = ticksOf(master.pid)
  await sleep(SECONDS * 1000)
  const share = (ticksOf(master.pid) - before) / TICKS / SECONDS
  t.ok(share < 0.01, `${(share * 100).toFixed(1)} % of a core`)
  const megabytes = kilobytesOf(master.pid, 'VmRSS') / 1024
  t.ok(megabytes < 80, `${megabytes.toFixed(0)} MB resident, those shared with other node processes included`)
})
