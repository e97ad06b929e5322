/** URLs that let others fetch one message for a while (URLAUTH, RFC 4467): making and checking their tokens. Mechanism INTERNAL only. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type ImapUrl, parseImapUrl } from '../../lib/imap/imap_url.js'
import { Namespace } from '../../lib/mailbox/names.js'
import { ensureUrlKey, urlKey } from '../../lib/mailbox/url_keys.js'
import type { MailboxHeader } from '../../lib/store/store.js'
import { openUrl, type UrlTarget } from './message_url.js'
import type { Session } from './session.js'

/** Names the way in which the token was made; others may follow. */
const VERSION = '01'

function tokenOf(key: Buffer, rump: string): string {
  return VERSION + createHmac('sha256', key).update(rump).digest('hex')
}

/** The mailbox of a URL of one of this server's users. */
function mailboxOf({ imapd }: Session, { server, mailbox }: ImapUrl): MailboxHeader | undefined {
  if (!server || server.user === '' || mailbox === undefined || server.host !== imapd.name.toLowerCase())
    return undefined
  return imapd.store.mailbox(new Namespace(imapd.config, server.user, false).toInternal(mailbox))
}

/** The URL with its token; undefined when it is none that this user may give away. */
export async function authorizeUrl(session: Session, text: string): Promise<string | undefined> {
  const url = parseImapUrl(text)
  const { authorization } = url ?? {}
  if (!url?.server || !authorization || authorization.mechanism !== undefined) return undefined
  if (url.server.user !== session.user) return undefined
  if (!/^(?:anonymous|authuser|(?:user|submit)\+.+)$/.test(authorization.access)) return undefined
  if (authorization.expires !== undefined && authorization.expires <= Date.now() / 1000) return undefined
  const header = mailboxOf(session, url)
  if (!header) return undefined
  const target = openUrl(session.imapd, url, header, session.user, false)
  if (!target) return undefined
  await target.source.close()
  const key = await ensureUrlKey(session.imapd.store, session.user, header)
  return `${text}:internal:${tokenOf(key, text)}`
}

/** The message that a URL with a token gives to this session's user; undefined when it gives them nothing. */
export function openAuthorized(session: Session, text: string): { url: ImapUrl; target: UrlTarget } | undefined {
  const url = parseImapUrl(text)
  const { authorization } = url ?? {}
  if (!url?.server || !authorization || authorization.mechanism !== 'INTERNAL' || !authorization.token) return undefined
  if (authorization.expires !== undefined && authorization.expires <= Date.now() / 1000) return undefined
  if (!mayUse(session, authorization.access)) return undefined
  const header = mailboxOf(session, url)
  const key = header && urlKey(session.imapd.store, url.server.user, header)
  if (!key) return undefined
  const [given, right] = [authorization.token, tokenOf(key, authorization.rump)].map((token) => Buffer.from(token!))
  if (given!.length !== right!.length || !timingSafeEqual(given!, right!)) return undefined
  const target = openUrl(session.imapd, url, header, url.server.user, false)
  return target && { url, target }
}

/** Who may use a URL: `submit+` is for a submission server acting for somebody, which logs in as an administrator here. */
function mayUse({ user, isAdmin }: Session, access: string): boolean {
  if (access === 'anonymous') return true
  if (access === 'authuser') return user !== 'anonymous'
  if (access.startsWith('submit+')) return isAdmin
  return access === `user+${user?.toLowerCase()}`
}
