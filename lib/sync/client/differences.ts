/** What differs between a mailbox here and on a replica, in words for an administrator. Pure; decides nothing about who is right. */
import type { MailboxState } from '../mailbox_codec.js'
import { isExpunged, type SyncRecord } from '../record_codec.js'
import { sameAnnotations } from './plan.js'

/** Header fields that replication keeps equal, by the names that csync gives them. */
const FIELDS: readonly (readonly [name: string, value: (state: MailboxState) => string | number | undefined])[] = [
  ['UNIQUEID', ({ uniqueid }) => uniqueid],
  ['MBOXTYPE', ({ mbtype }) => mbtype],
  ['UIDVALIDITY', ({ uidvalidity }) => uidvalidity],
  ['LAST_UID', ({ lastUid }) => lastUid],
  ['HIGHESTMODSEQ', ({ highestModseq }) => highestModseq],
  ['ACL', ({ acl }) => acl],
  ['OPTIONS', ({ options }) => options],
  ['RECENTUID', ({ recentUid }) => recentUid],
  ['RECENTTIME', ({ recentTime }) => recentTime],
  ['POP3_LAST_LOGIN', ({ pop3LastLogin }) => pop3LastLogin],
  ['POP3_SHOW_AFTER', ({ pop3ShowAfter }) => pop3ShowAfter ?? 0],
]

/** Differences of two headers, CRCs not counted; none if both are the same. */
export function stateDifferences(ours: MailboxState, theirs: MailboxState): string[] {
  const found: string[] = []
  for (const [name, value] of FIELDS) {
    const [here, there] = [value(ours), value(theirs)]
    if (here !== there) found.push(`${name}: ${JSON.stringify(here)} here, ${JSON.stringify(there)} there`)
  }
  if (!sameAnnotations(ours.annotations, theirs.annotations)) found.push('annotations of the mailbox')
  return found
}

/** Differences of all messages, by UID. Expunged messages count as not there. */
export function* recordDifferences(ours: Iterable<SyncRecord>, theirs: Iterable<SyncRecord>): Generator<string> {
  const live = (records: Iterable<SyncRecord>): Map<number, SyncRecord> =>
    new Map([...records].filter((record) => !isExpunged(record)).map((record) => [record.uid, record]))
  const [here, there] = [live(ours), live(theirs)]
  for (const uid of [...new Set([...here.keys(), ...there.keys()])].sort((a, b) => a - b)) {
    const [a, b] = [here.get(uid), there.get(uid)]
    if (a === undefined) yield `UID ${uid}: only there`
    else if (b === undefined) yield `UID ${uid}: only here`
    else {
      const differing = differingFields(a, b)
      if (differing.length > 0) yield `UID ${uid}: ${differing.join('; ')}`
    }
  }
}

function differingFields(a: SyncRecord, b: SyncRecord): string[] {
  if (a.guid !== b.guid) return [`another message: GUID ${a.guid} here, ${b.guid} there`]
  const found: string[] = []
  const flags = (record: SyncRecord): string =>
    record.flags
      .map((flag) => flag.toLowerCase())
      .sort()
      .join(' ')
  if (flags(a) !== flags(b)) found.push(`flags (${a.flags.join(' ')}) here, (${b.flags.join(' ')}) there`)
  for (const field of ['size', 'internaldate', 'modseq'] as const)
    if (a[field] !== b[field]) found.push(`${field} ${a[field]} here, ${b[field]} there`)
  if (!sameAnnotations(a.annotations, b.annotations)) found.push('annotations')
  return found
}
