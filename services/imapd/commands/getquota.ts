/** GETQUOTA and GETQUOTAROOT (RFC 2087 §4.2, §4.3). */
import { astring } from '../../../lib/imap/wire_text.js'
import { quotaRootOf, quotaUsage } from '../../../lib/mailbox/quota.js'
import { QUOTA_RESOURCES, type QuotaResource, type QuotaRoot } from '../../../lib/store/store.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { mustFind } from '../mailboxes.js'
import type { Session } from '../session.js'

/** `* QUOTA root (STORAGE used limit …)`, of the resources that are limited; STORAGE in KiB. */
function tellQuota(session: Session, root: string, { limits }: QuotaRoot): void {
  const { bytes, messages, annotationBytes, folders } = quotaUsage(session.imapd.store, root)
  const used: Record<QuotaResource, number> = {
    STORAGE: Math.floor(bytes / 1024),
    MESSAGE: messages,
    'X-ANNOTATION-STORAGE': Math.floor(annotationBytes / 1024),
    'X-NUM-FOLDERS': folders,
  }
  const words = QUOTA_RESOURCES.filter((name) => limits[name] !== undefined).map(
    (name) => `${name} ${used[name]} ${limits[name]}`,
  )
  session.reply.untagged(`QUOTA ${astring(session.namespace!.toExternal(root))} (${words.join(' ')})`)
}

export const getquota = define<string>({
  name: 'GETQUOTA',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const root = args.mailbox()
    args.end()
    return root
  },
  async run({ session }, external) {
    if (!session.isAdmin) throw new No(`[NOPERM] ${DENIED}`)
    const root = session.namespace!.toInternal(external)
    const quota = session.imapd.store.quota(root)
    if (!quota) throw new No('[NONEXISTENT] Quota root does not exist')
    tellQuota(session, root, quota)
    return undefined
  },
})

export const getquotaroot = define<string>({
  name: 'GETQUOTAROOT',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.end()
    return mailbox
  },
  async run({ session }, mailbox) {
    const { header } = mustFind(session, mailbox, session.isAdmin ? '' : 'r')
    const namespace = session.namespace!
    const found = quotaRootOf(session.imapd.store, header.name)
    const root = found ? ` ${astring(namespace.toExternal(found[0]))}` : ''
    session.reply.untagged(`QUOTAROOT ${astring(namespace.toExternal(header.name))}${root}`)
    if (found) tellQuota(session, ...found)
    return undefined
  },
})
