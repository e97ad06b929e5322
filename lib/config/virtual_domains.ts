/** Whether user names carry domains (`virtdomains`: off, userid, on; `on` takes none from addresses of interfaces here, so it is as `userid`). */
import type { Config } from './config.js'

export function hasVirtualDomains(config: Config): boolean {
  return !['off', 'no', '0', 'f', 'false', undefined].includes(config.string('virtdomains'))
}
