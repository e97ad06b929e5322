/** `qosmarking`: the DiffServ code point (RFC 2474, 2597, 3246) with which listening sockets, and so their connections, are marked. */
import type { Config } from '../lib/config/config.js'

/**
 * @returns the value of IP_TOS: the code point in the upper six bits
 */
export function typeOfService(config: Pick<Config, 'string'>): number {
  const name = config.string('qosmarking') ?? 'cs0'
  if (name === 'ef') return 46 << 2
  const [first, second = 0] = [...name.slice(2)].map(Number)
  return (first! << 5) | (second << 3)
}
