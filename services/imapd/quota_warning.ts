/** What a user is told on SELECT when a quota is full or nearly so (`quotawarnpercent` and its kin), at most every ten minutes for one root. */
import { quotaRootOf, quotaUsage } from '../../lib/mailbox/quota.js'
import { QUOTA_RESOURCES, type QuotaResource } from '../../lib/store/store.js'
import type { Session } from './session.js'

const AGAIN_AFTER = 10 * 60_000

/** When a session was last told of which root. */
const told = new WeakMap<Session, { root: string; until: number }>()

/** @param name of the mailbox selected, internal */
export function warnAboutQuota(session: Session, name: string): void {
  const { store, config } = session.imapd
  const found = quotaRootOf(store, name)
  if (found === undefined) return
  const [root, { limits }] = found
  const time = performance.now()
  const last = told.get(session)
  if (last?.root === root && time < last.until) return
  told.set(session, { root, until: time + AGAIN_AFTER })
  const { bytes, messages, annotationBytes, folders } = quotaUsage(store, root)
  // in the units of limits, unrounded
  const used: Record<QuotaResource, number> = {
    STORAGE: bytes / 1024,
    MESSAGE: messages,
    'X-ANNOTATION-STORAGE': annotationBytes / 1024,
    'X-NUM-FOLDERS': folders,
  }
  const near: Partial<Record<QuotaResource, number>> = {
    STORAGE: config.size('quotawarnsize') / 1024,
    MESSAGE: config.int('quotawarnmsg'),
    'X-ANNOTATION-STORAGE': config.size('quotawarnsize') / 1024,
  }
  const percent = config.int('quotawarnpercent')
  for (const resource of QUOTA_RESOURCES) {
    const limit = limits[resource]
    if (limit === undefined) continue
    const margin = near[resource] ?? 0
    if (margin > 0 && margin < limit && used[resource] <= limit - margin) continue
    const share = limit === 0 ? (used[resource] === 0 ? 0 : 100) : Math.floor((used[resource] * 100) / limit)
    if (used[resource] > limit) session.reply.untagged(`NO [ALERT] Mailbox is over quota: ${resource}`)
    else if (share > percent) session.reply.untagged(`NO [ALERT] Mailbox is at ${share}% of quota: ${resource}`)
  }
}
