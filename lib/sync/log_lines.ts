/**
 * The replication log's lines (csync.md §10.2 to §10.4): grammar, and from many lines the few things to do, in their order. Pure.
 */
import { syncLogLine } from '../store/store.js'
import { ownerOf } from './names.js'

/** A line understood. `type` in capitals; SIEVE is META, UNSUB is SUB (`isUnsubscription` tells them apart). */
export interface LogEntry {
  readonly type: string
  readonly args: readonly string[]
}

const ARGUMENTS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  USER: [1, 1],
  UNUSER: [1, 1],
  META: [1, 1],
  SIEVE: [1, 1],
  MAILBOX: [1, 1],
  APPEND: [1, 1],
  DOUBLEMAILBOX: [2, 2],
  RENAME: [2, 2],
  UNMAILBOX: [1, 1],
  QUOTA: [1, 1],
  ANNOTATION: [1, 1],
  SEEN: [2, 2],
  SUB: [2, 2],
  UNSUB: [2, 2],
  // of the 2.3 generation only
  ACL: [1, 1],
}

/**
 * @returns the entry; undefined for lines that say nothing (blank, or a word alone); a string that says what is wrong with others
 */
export function parseLogLine(line: string): LogEntry | string | undefined {
  const words: string[] = []
  let rest = line.replace(/\r$/, '').trimStart()
  while (rest !== '') {
    const quoted = /^"((?:[^"\\]|\\.)*)"(?:[ \t]+|$)/s.exec(rest)
    const bare = quoted === null ? /^([^ \t"]+)(?:[ \t]+|$)/.exec(rest) : null
    const match = quoted ?? bare
    if (match === null) return `malformed argument in line: ${line.slice(0, 200)}`
    words.push(quoted ? match[1]!.replace(/\\(.)/gs, '$1') : match[1]!)
    rest = rest.slice(match[0].length)
  }
  const [word, ...args] = words
  if (word === undefined || args.length === 0) return undefined
  if (args.length > 2) return `Garbage at end of input line: ${line.slice(0, 200)}`
  const type = word.toUpperCase()
  const count = Object.hasOwn(ARGUMENTS, type) ? ARGUMENTS[type] : undefined
  if (count === undefined) return `Unknown action type: ${word.slice(0, 40)}`
  if (args.length < count[0]) return `too few arguments: ${line.slice(0, 200)}`
  return { type: type === 'SIEVE' ? 'META' : type === 'UNSUB' ? 'SUB' : type, args: args.slice(0, count[1]) }
}

/** Whether a SUB line is an UNSUB, which the 2.3 generation writes. */
export function isUnsubscription(line: string): boolean {
  return /^\s*unsub\s/i.test(line)
}

/** What a log asks for, each item once, in the order in which it is to be done. */
export interface LogPlan {
  /** mailboxes by owner; `''` owns the shared ones */
  readonly mailboxes: ReadonlyMap<string, ReadonlySet<string>>
  readonly quotas: ReadonlySet<string>
  readonly annotations: ReadonlySet<string>
  readonly seens: readonly (readonly [user: string, uniqueid: string])[]
  readonly subs: readonly (readonly [user: string, name: string])[]
  readonly unmailboxes: ReadonlySet<string>
  readonly metas: ReadonlySet<string>
  readonly users: ReadonlySet<string>
  readonly unusers: ReadonlySet<string>
}

/** Puts entries together as Cyrus does (csync.md §10.4). */
export function planLog(entries: Iterable<LogEntry>): LogPlan {
  const mailboxes = new Map<string, Set<string>>()
  const sets = {
    QUOTA: new Set<string>(),
    ANNOTATION: new Set<string>(),
    UNMAILBOX: new Set<string>(),
    META: new Set<string>(),
  }
  const users = new Set<string>()
  const unusers = new Set<string>()
  const seens = new Map<string, readonly [string, string]>()
  const subs = new Map<string, readonly [string, string]>()
  const mailbox = (owner: string, name: string): void => {
    const set = mailboxes.get(owner)
    if (set === undefined) mailboxes.set(owner, new Set([name]))
    else set.add(name)
  }
  for (const { type, args } of entries) {
    const [first = '', second = ''] = args
    switch (type) {
      case 'MAILBOX':
      case 'APPEND':
      case 'ACL':
        mailbox(ownerOf(first), first)
        break
      case 'DOUBLEMAILBOX':
        mailbox(ownerOf(first), first)
        mailbox(ownerOf(first), second)
        break
      case 'RENAME':
        for (const owner of new Set([ownerOf(first), ownerOf(second)])) {
          mailbox(owner, first)
          mailbox(owner, second)
        }
        break
      case 'USER':
        users.add(first)
        break
      case 'UNUSER':
        unusers.add(first)
        break
      case 'SEEN':
        seens.set(`${first}\n${second}`, [first, second])
        break
      case 'SUB':
        subs.set(`${first}\n${second}`, [first, second])
        break
      default:
        sets[type as keyof typeof sets]?.add(first)
    }
  }
  for (const user of unusers) users.delete(user)
  const wholly = (user: string): boolean => users.has(user) || unusers.has(user)
  for (const user of sets.META) if (wholly(user)) sets.META.delete(user)
  const still = ([user]: readonly [string, string]): boolean => !wholly(user) && !sets.META.has(user)
  return {
    mailboxes,
    quotas: sets.QUOTA,
    annotations: sets.ANNOTATION,
    seens: [...seens.values()].filter(still),
    subs: [...subs.values()].filter(still),
    unmailboxes: sets.UNMAILBOX,
    metas: sets.META,
    users,
    unusers,
  }
}

/** A line for an item that is to be tried again. */
export function formatLogLine(type: string, ...args: string[]): string {
  return syncLogLine(type, ...args)
}
