/** ANONYMOUS (RFC 4505), with `allowanonymouslogin`: the user is `anonymous`, who has what ACLs give that name and `anyone`. */
import type { Config } from '../config/config.js'
import type { Channel } from '../net/channel.js'
import { isProtectedEnough, type ServerMechanism } from './server_mechanism.js'

/** The user id of those who log in without being anybody. */
export const ANONYMOUS = 'anonymous'

/** As RFC 4505 §2 has it. */
const LONGEST_TRACE = 255

/** Whether a connection may be used by nobody in particular. */
export function allowsAnonymous(config: Config, channel: Channel): boolean {
  return config.switch('allowanonymouslogin') && isProtectedEnough(config, channel)
}

/** @param traced given what the client says of itself, for the log */
export function startAnonymous(traced: (trace: string) => void): ServerMechanism {
  return {
    name: 'ANONYMOUS',
    async step(response) {
      if (response === undefined) return { state: 'challenge', challenge: Buffer.alloc(0) }
      const trace = response.toString('utf8')
      if ([...trace].length > LONGEST_TRACE) return { state: 'failed', reason: 'the trace is too long' }
      traced(trace)
      return { state: 'done', user: ANONYMOUS, authenticated: ANONYMOUS }
    },
  }
}
