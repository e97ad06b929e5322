/** Unix groups of this machine (/etc/group, and the primary groups of /etc/passwd), for `group:NAME` in ACLs. Read again when the files change. */
import { readFileSync, statSync } from 'node:fs'

const KNOWN_FOR_MS = 1000

interface Groups {
  readonly stamp: string
  /** group → users */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>
}

let known: Groups = { stamp: '', members: new Map() }
let looked = Number.NEGATIVE_INFINITY

/** Lines of a colon-separated file, as fields; none if it cannot be read. */
function fieldsOf(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split(':'))
  } catch {
    return []
  }
}

/**
 * Members of the groups of two files. Pure but for reading them.
 * @returns group → users
 */
export function readGroups(groupFile: string, passwdFile: string): Map<string, Set<string>> {
  const members = new Map<string, Set<string>>()
  const byId = new Map<string, Set<string>>()
  for (const [name, , id, list = ''] of fieldsOf(groupFile)) {
    const users = new Set(list.split(',').filter((user) => user !== ''))
    members.set(name!, users)
    if (id !== undefined) byId.set(id, users)
  }
  for (const [user, , , id] of fieldsOf(passwdFile)) if (id !== undefined) byId.get(id)?.add(user!)
  return members
}

function groups(): Groups['members'] {
  const time = performance.now()
  if (time - looked < KNOWN_FOR_MS) return known.members
  looked = time
  const stamp = ['/etc/group', '/etc/passwd']
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .map((found) => `${found?.ino}.${found?.mtimeMs}.${found?.size}`)
    .join(' ')
  if (stamp !== known.stamp) known = { stamp, members: readGroups('/etc/group', '/etc/passwd') }
  return known.members
}

/** Whether there is such a group. */
export function groupExists(group: string): boolean {
  return groups().has(group)
}

/** Whether a user is in a group. */
export function isGroupMember(user: string, group: string): boolean {
  return groups().get(group)?.has(user) ?? false
}

/** The groups that a user is in. */
export function groupsOf(user: string): string[] {
  return [...groups()].filter(([, users]) => users.has(user)).map(([group]) => group)
}
