/** Topology files (conf/*.ini): which instances there are, of which software, and who replicates to whom. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parse } from 'ini'

/** Ours, or Debian's packages of Cyrus 3.6.1. */
export type Software = 'ours' | 'cyrus'

const SERVICES = ['imap', 'lmtp', 'lmtpunix', 'syncserver'] as const
export type Service = (typeof SERVICES)[number]

export interface InstancePlan {
  name: string
  software: Software
  /** whose master runs the services; as `software` unless told otherwise */
  supervisor: Software
  services: Service[]
  /** instance to which a rolling sync_client replicates */
  replicateTo: string | undefined
  /** how a rolling sync_client is started: by an entry of START(UP), of DAEMON, or not at all */
  syncclient: 'startup' | 'daemon' | 'none'
  /** imapd's entry in cyrus.conf */
  prefork: number
  /** extra options of imapd.conf */
  imapd: Record<string, string>
}

export interface Topology {
  users: string[]
  instances: InstancePlan[]
}

/** @throws {Error} naming file, section and key */
export function readTopology(path: string): Topology {
  return parseTopology(parse(readFileSync(path, 'utf8')), path)
}

export function parseTopology(sections: Record<string, unknown>, path: string): Topology {
  const wrong = (section: string, problem: string) => new Error(`${path}: [${section}]: ${problem}`)
  const { lab = {}, ...rest } = sections as Record<string, Record<string, unknown>>
  const instances = Object.entries(rest).map(([name, section]): InstancePlan => {
    const {
      software = 'ours',
      supervisor = software,
      services = 'imap',
      replicate_to,
      syncclient = 'startup',
      prefork = '1',
      imapd = {},
      ...unknown
    } = section
    const [surplus] = Object.keys(unknown)
    if (surplus !== undefined) throw wrong(name, `unknown key "${surplus}"`)
    if (software !== 'ours' && software !== 'cyrus')
      throw wrong(name, `software must be ours or cyrus, not "${software}"`)
    if (supervisor !== 'ours' && supervisor !== 'cyrus')
      throw wrong(name, `supervisor must be ours or cyrus, not "${supervisor}"`)
    if (syncclient !== 'startup' && syncclient !== 'daemon' && syncclient !== 'none') {
      throw wrong(name, `syncclient must be startup, daemon or none, not "${syncclient}"`)
    }
    const processes = prefork === 'processors' ? availableParallelism() : Number(prefork)
    if (!Number.isInteger(processes) || processes < 0)
      throw wrong(name, `prefork must be a number or processors, not "${prefork}"`)
    const words = String(services).split(/\s+/)
    const odd = words.find((word) => !(SERVICES as readonly string[]).includes(word))
    if (odd !== undefined) throw wrong(name, `unknown service "${odd}"; there are ${SERVICES.join(', ')}`)
    if (replicate_to !== undefined && !(String(replicate_to) in rest))
      throw wrong(name, `replicate_to = ${replicate_to}: no such instance`)
    return {
      name,
      software,
      supervisor,
      services: words as Service[],
      replicateTo: replicate_to === undefined ? undefined : String(replicate_to),
      syncclient,
      prefork: processes,
      imapd: Object.fromEntries(Object.entries(imapd as object).map(([key, value]) => [key, String(value)])),
    }
  })
  return { users: String(lab.users ?? 'alice').split(/\s+/), instances }
}
