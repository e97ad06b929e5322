/** Looks now and then at the sockets of services that have no process left for more clients, and tells when clients wait there. */
import { readableNow } from '../lib/os/poll.js'
import type { Logger } from '../lib/process/log.js'
import { CROWDED_AFTER } from './crowding.js'
import type { ServiceSocket } from './service_socket.js'
import { isFull } from './spawn_policy.js'

export class CrowdWatch {
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly services: () => readonly ServiceSocket[],
    private readonly log: Logger,
  ) {}

  /** Staffing has changed: begins to look if a service is full now, and goes on for as long as one is. */
  attend(): void {
    if (this.#timer !== undefined || !this.services().some(isFull)) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      for (const service of this.services()) this.#look(service)
      this.attend()
    }, CROWDED_AFTER / 2)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #look(service: ServiceSocket): void {
    const { entry, fd, label } = service
    const waiting = fd !== undefined && isFull(service) && readableNow([fd]).length > 0
    const seen = service.crowdGuard.look(waiting, performance.now())
    if (seen === 'begun') service.acceptWaits++
    else if (seen === 'tell') {
      this.log.warning(
        `service ${label} has all the processes it may have (maxchild=${entry.maxchild}), all are busy, and clients wait: ` +
          `\`cyr_info proc\` tells who they serve; raise maxchild (or ${entry.name}_service_connections) and send SIGHUP if that is as it should be`,
      )
    }
  }
}
