/**
 * Log lines in groups that do not depend on each other, so that several connections can do them side by side: a group holds everything that
 * is said of one owner (`''` owns the shared mailboxes), and of two owners where one line names both, as the rename of a user does. Pure.
 */
import { parseLogLine } from './log_lines.js'
import { ownerOf } from './names.js'

/** @returns each line in one group, in the order given; lines that say nothing, or nothing understood, are with the shared mailboxes */
export function groupByOwner(lines: Iterable<string>): string[][] {
  const parents = new Map<string, string>()
  const root = (owner: string): string => {
    let at = owner
    for (let parent = parents.get(at); parent !== undefined && parent !== at; parent = parents.get(at)) at = parent
    return at
  }
  const first: [line: string, owner: string][] = []
  for (const line of lines) {
    const [owner = '', ...others] = ownersOf(line)
    first.push([line, owner])
    for (const other of others) parents.set(root(other), root(owner))
  }
  const groups = new Map<string, string[]>()
  for (const [line, owner] of first) {
    const key = root(owner)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [line])
    else group.push(line)
  }
  return [...groups.values()]
}

function ownersOf(line: string): string[] {
  const entry = parseLogLine(line)
  if (typeof entry !== 'object') return ['']
  const { type, args } = entry
  switch (type) {
    case 'USER':
    case 'UNUSER':
    case 'META':
    case 'SEEN':
    case 'SUB':
      return [args[0]!]
    default:
      return [...new Set(args.map((name) => ownerOf(name)))]
  }
}
