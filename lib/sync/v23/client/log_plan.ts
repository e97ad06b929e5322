/** From many log lines the few things to do with a replica of the 2.3 generation, in their order (csync-2.3.md §7.3). Pure. */
import { isUnsubscription, parseLogLine } from '../../log_lines.js'
import { inboxOf, isSieveMailbox, ownerOf } from '../../names.js'

/** What a log asks for, each item once, in the order in which it came. */
export interface LogPlan23 {
  readonly appends: Set<string>
  readonly acls: Set<string>
  readonly quotas: Set<string>
  readonly annotations: Set<string>
  /** `mailbox` is a name, or as later generations write it a unique id */
  readonly seens: readonly (readonly [user: string, mailbox: string])[]
  readonly subs: readonly (readonly [user: string, name: string])[]
  readonly unsubs: readonly (readonly [user: string, name: string])[]
  readonly mailboxes: Set<string>
  /** names may stand for other mailboxes there until these are done (later generations write such lines) */
  readonly namesChange: boolean
  readonly metas: Set<string>
  readonly users: Set<string>
}

/** @param complain is told what is wrong with lines that are passed over */
export function planLog23(lines: Iterable<string>, complain: (message: string) => void): LogPlan23 {
  const sets = {
    APPEND: new Set<string>(),
    ACL: new Set<string>(),
    QUOTA: new Set<string>(),
    ANNOTATION: new Set<string>(),
    META: new Set<string>(),
  }
  const mailboxes = new Set<string>()
  const users = new Set<string>()
  let namesChange = false
  const pairs = { SEEN: new Map<string, Pair>(), SUB: new Map<string, Pair>(), UNSUB: new Map<string, Pair>() }
  for (const line of new Set(lines)) {
    const entry = parseLogLine(line)
    if (typeof entry === 'string') complain(entry)
    if (typeof entry !== 'object') continue
    const [first = '', second = ''] = entry.args
    if (entry.type === 'RENAME' || entry.type === 'UNMAILBOX') namesChange = true
    switch (entry.type) {
      case 'MAILBOX':
      case 'UNMAILBOX':
      case 'RENAME':
      case 'DOUBLEMAILBOX':
        for (const name of entry.args) {
          // scripts, which are files over there
          if (isSieveMailbox(name)) sets.META.add(ownerOf(name))
          else mailboxes.add(name)
        }
        break
      case 'USER':
      case 'UNUSER':
        users.add(first)
        break
      case 'SEEN':
        pairs.SEEN.set(`${first}\n${second}`, [first, second])
        break
      case 'SUB':
        pairs[isUnsubscription(line) ? 'UNSUB' : 'SUB'].set(`${first}\n${second}`, [first, second])
        break
      default:
        if (isSieveMailbox(first)) break
        sets[entry.type as keyof typeof sets]?.add(first)
    }
  }
  const ofUser = (name: string): boolean => {
    const owner = ownerOf(name)
    // deleted ones below DELETED are no part of USER
    return owner !== '' && users.has(owner) && (name === inboxOf(owner) || name.startsWith(`${inboxOf(owner)}.`))
  }
  for (const name of mailboxes) if (ofUser(name)) mailboxes.delete(name)
  for (const set of [sets.APPEND, sets.ACL, sets.QUOTA, sets.ANNOTATION])
    for (const name of set) if (mailboxes.has(name) || ofUser(name)) set.delete(name)
  for (const user of users) sets.META.delete(user)
  const still = ([user]: Pair): boolean => !users.has(user) && !sets.META.has(user)
  return {
    appends: sets.APPEND,
    acls: sets.ACL,
    quotas: sets.QUOTA,
    annotations: sets.ANNOTATION,
    seens: [...pairs.SEEN.values()].filter(still),
    subs: [...pairs.SUB.values()].filter(still),
    unsubs: [...pairs.UNSUB.values()].filter(still),
    mailboxes,
    namesChange,
    metas: sets.META,
    users,
  }
}

type Pair = readonly [user: string, name: string]
