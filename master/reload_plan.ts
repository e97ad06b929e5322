/**
 * What a new cyrus.conf means for what runs (reference: master.md §10). An entry with the same name, listen and proto as a socket that
 * listens is the same service and takes that socket over; every other entry is new, and every other socket goes. Decides only.
 */
import type { DaemonEntry, MasterConf, ServiceEntry } from './entries.js'
import type { ServiceSocket } from './service_socket.js'

/** What the plan looks at. */
export type Running = Pick<ServiceSocket, 'entry' | 'fd' | 'dropped'>

export interface ReloadPlan<S extends Running> {
  /** sockets and daemons that stay, with their new entries */
  readonly kept: ReadonlyMap<S, ServiceEntry | DaemonEntry>
  /** those that go */
  readonly dropped: readonly S[]
  readonly newServices: readonly ServiceEntry[]
  readonly newDaemons: readonly DaemonEntry[]
}

export function planReload<S extends Running>(running: readonly S[], conf: MasterConf): ReloadPlan<S> {
  const present = running.filter(({ dropped }) => !dropped)
  const kept = new Map<S, ServiceEntry | DaemonEntry>()
  const newServices: ServiceEntry[] = []
  const newDaemons: DaemonEntry[] = []
  for (const entry of conf.services) {
    const same = present.filter((service) => isSameService(service, entry))
    for (const service of same) kept.set(service, entry)
    if (same.length === 0) newServices.push(entry)
  }
  for (const entry of conf.daemons) {
    const same = present.find(
      ({ entry: old }) => old.kind === 'daemon' && old.name === entry.name && old.wait === entry.wait,
    )
    if (same === undefined) newDaemons.push(entry)
    else kept.set(same, entry)
  }
  return { kept, dropped: present.filter((service) => !kept.has(service)), newServices, newDaemons }
}

function isSameService({ entry, fd }: Running, wanted: ServiceEntry): boolean {
  return (
    fd !== undefined &&
    entry.kind === 'service' &&
    entry.name === wanted.name &&
    entry.listen === wanted.listen &&
    entry.proto === wanted.proto
  )
}
