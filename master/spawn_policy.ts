/**
 * When a service gets another process: the rules of master's main loop (reference: master.md §8), decided from counters alone.
 */
import type { ServiceSocket } from './service_socket.js'

/** The counters and limits the rules look at. */
export type Staffing = Pick<ServiceSocket, 'ready' | 'active' | 'enabled'> & {
  readonly entry: Pick<ServiceSocket['entry'], 'prefork' | 'maxchild' | 'babysit'>
}

/** How many processes are missing to have `prefork` ready ones, within maxchild; at least one if a babysat service has none at all. */
export function missing({ ready, active, enabled, entry }: Staffing): number {
  if (!enabled) return 0
  const room = entry.maxchild - active
  const wanted = Math.min(entry.prefork - ready, room)
  if (wanted <= 0 && entry.babysit && active === 0) return 1
  return Math.max(0, wanted)
}

/** Whether a connection that waits on the socket calls for a process: nobody is ready to take it, and there may be one more. */
export function wantsConnections({ ready, active, enabled, entry }: Staffing): boolean {
  return enabled && ready === 0 && active < entry.maxchild
}

/** Whether connections have to wait for a process to become free: all are busy, and there may be no more. */
export function isFull({ ready, active, enabled, entry }: Staffing): boolean {
  return enabled && ready === 0 && active >= entry.maxchild
}
