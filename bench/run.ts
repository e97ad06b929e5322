/**
 * `make bench`: the same measurements on ours and on the real Cyrus, one after the other in one run on one machine, with the ratio.
 * Without a real Cyrus only ours is measured. BENCH_ARGS="--quick" takes smaller numbers; "--only ours" or "--only cyrus" one side;
 * "--part master,imap,delivery,first,upload,rolling,semisync" some of the rows.
 */
import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { Lab } from '../test/lab/lab.js'
import { whyNoCyrus } from '../test/lab/software.js'
import { imapFigures } from './imap_rows.js'
import { masterFigures } from './master_rows.js'
import { uploadMemory } from './memory_rows.js'
import { deliveredAndReplicated, lagUnderLoad, semisyncRate } from './replication_rows.js'
import { type Figures, firstSync, lmtpRate, rollingLag } from './rows.js'

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, part: { type: 'string' } },
})
const wanted = (part: string): boolean => values.part === undefined || values.part.split(',').includes(part)
const scale = values.quick ? 0.1 : 1
const users = ['bench', ...Array.from({ length: 7 }, (_, n) => `bench${n + 2}`)]

async function measure(topology: string, semisync?: string): Promise<Figures> {
  const figures: Figures = {}
  const software = topology.startsWith('cyrus') ? 'cyrus' : 'ours'
  const parts: Record<string, () => Promise<void>> = {
    master: async () => void Object.assign(figures, await masterFigures(software)),
    imap: async () => void Object.assign(figures, await imapFigures(software, 20_000 * scale, 1000 * scale)),
    delivery: () => measureDelivery(topology, figures),
    first: () => measureFirst(topology, figures),
    upload: () => measureUpload(topology, figures),
    rolling: () => measureRolling(topology, figures),
    semisync: async () => {
      if (semisync !== undefined) await measureSemisync(semisync, figures)
    },
  }
  for (const [part, run] of Object.entries(parts)) {
    if (!wanted(part)) continue
    tellLoad(`${software}, ${part}`)
    try {
      await run()
    } catch (error) {
      // one part that fails costs its own rows; the exit status tells of it
      process.stderr.write(`bench: ${part} of ${software}: ${(error as Error).message}\n`)
      process.exitCode = 1
    }
  }
  return figures
}

/** What else the machine has to do explains many a figure. */
function tellLoad(what: string): void {
  process.stderr.write(`${what}: load ${loadavg()[0]!.toFixed(2)} on ${availableParallelism()} processors\n`)
}

async function measureDelivery(topology: string, figures: Figures): Promise<void> {
  const alone = await Lab.start(topology, { users, rolling: false })
  try {
    await alone.createUsers()
    Object.assign(figures, await lmtpRate(alone, 1, 1000 * scale))
    Object.assign(figures, await lmtpRate(alone, 8, 3000 * scale))
  } finally {
    await alone.stop()
  }
}

async function measureFirst(topology: string, figures: Figures): Promise<void> {
  const fresh = await Lab.start(topology, { users: ['bench'], rolling: false })
  try {
    await fresh.createUsers()
    Object.assign(figures, await firstSync(fresh, 5000 * scale))
  } finally {
    await fresh.stop()
  }
}

async function measureUpload(topology: string, figures: Figures): Promise<void> {
  const fresh = await Lab.start(topology, { users: ['bench'], rolling: false })
  try {
    await fresh.createUsers()
    Object.assign(figures, await uploadMemory(fresh, 100_000 * scale))
  } finally {
    await fresh.stop()
  }
}

async function measureRolling(topology: string, figures: Figures): Promise<void> {
  const rolling = await Lab.start(topology, { users })
  try {
    await rolling.createUsers()
    Object.assign(figures, await rollingLag(rolling, 100 * scale))
    Object.assign(figures, await lagUnderLoad(rolling, 200, 10 * scale))
    Object.assign(figures, await deliveredAndReplicated(rolling, 4000 * scale))
  } finally {
    await rolling.stop()
  }
}

async function measureSemisync(topology: string, figures: Figures): Promise<void> {
  const pair = await Lab.start(topology, { users })
  try {
    await pair.createUsers()
    Object.assign(figures, await semisyncRate(pair, 16, 4000 * scale))
  } finally {
    await pair.stop()
  }
}

const missing = whyNoCyrus()
if (missing !== undefined) console.log(missing)
const ours = values.only === 'cyrus' ? {} : await measure('pair.ini', 'semisync_pair.ini')
const cyrus = missing !== undefined || values.only === 'ours' ? {} : await measure('cyrus_pair.ini')

console.log(
  `${'row'.padEnd(44)} ${'cyrus-ts'.padStart(12)} ${'Cyrus 3.6.1'.padStart(12)}        ${'ratio'.padStart(8)}   (above 1: ours is better)`,
)
for (const name of new Set([...Object.keys(ours), ...Object.keys(cyrus)])) {
  const [a, b] = [ours[name], cyrus[name]]
  const unit = (a ?? b)!.unit
  const ratio = a && b ? (a.more ? a.value / b.value : b.value / a.value) : undefined
  const show = (value: number | undefined) =>
    (value === undefined ? '-' : value.toFixed(value < 100 ? 2 : 0)).padStart(12)
  console.log(
    `${name.padEnd(44)} ${show(a?.value)} ${show(b?.value)} ${unit.padEnd(6)} ${ratio === undefined ? '' : `${ratio.toFixed(2)}x`.padStart(8)}`,
  )
}
