/**
 * What becomes of a service whose processes die before they have served anyone: given up until SIGHUP, or tried again after a pause; and the one line
 * in the log that says so and what to do. Keeps the service's row of failures; whoever asks closes sockets and waits.
 */
import type { Logger } from '../lib/process/log.js'
import { FAILURE_WINDOW, MOST_FAILURES } from './crash_guard.js'
import type { ServiceSocket } from './service_socket.js'

/** Pause before another process is started for a service whose processes are all killed, in ms. */
const KILLED_PAUSE = 1_000

/** A babysat service that has kept running for so long after a pause is told of anew when it fails, in ms. */
const TOLD_AGAIN = 60_000

/**
 * One more process died before it served anyone.
 * @param how the last one ended: `exited with 1`
 * @param now milliseconds, monotonic
 * @returns `give up` until SIGHUP, `pause` until `service.heldUntil`, or undefined to go on
 */
export function processFailed(
  service: ServiceSocket,
  how: string,
  now: number,
  log: Logger,
): 'give up' | 'pause' | undefined {
  const { entry, label } = service
  const first = service.crashGuard.failures < MOST_FAILURES
  if (!service.crashGuard.failed(now) || !service.enabled) return undefined
  const what = `${MOST_FAILURES} processes in a row ${how} before they served anyone`
  const advice = `look for lines of ${entry.name} in this log, or run its command by hand: ${entry.command.argv.join(' ')}`
  if (entry.kind === 'daemon' && entry.wait) {
    if (first) log.error(`ERROR: daemon ${label} is repeatedly failing: ${advice}`)
    return undefined
  }
  if (!entry.babysit) {
    const text = `too many failures for service ${label}, disabling until next SIGHUP`
    log.error(`ERROR: ${text}: ${what}; ${advice}, then \`kill -HUP ${process.pid}\``)
    return 'give up'
  }
  const text = `too many failures for service ${label}, disabling for ${FAILURE_WINDOW / 1000} seconds`
  if (now - service.heldUntil > TOLD_AGAIN) log.error(`ERROR: ${text}, again and again: ${what}; ${advice}`)
  else log.debug(text)
  service.heldUntil = now + FAILURE_WINDOW
  service.crashGuard.relent(service.heldUntil)
  return 'pause'
}

/**
 * A process that nobody had used yet was killed: somebody's doing (an administrator's, the kernel's for want of memory), nothing that the service
 * could help, so it is not given up for that. But when it goes on like this until none is left, we wait a moment.
 */
export function processKilled(service: ServiceSocket, now: number): 'pause' | undefined {
  if (!service.killGuard.failed(now) || service.active > 0) return undefined
  service.heldUntil = now + KILLED_PAUSE
  return 'pause'
}
