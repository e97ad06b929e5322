/** IMAP URLs that name a message or a part of it (RFC 5092), as CATENATE and URLAUTH use them. Pure. */
import { ArgumentReader } from './argument_reader.js'
import { parseSection, type SectionRequest } from './fetch_items.js'
import { encodeMailboxUtf7 } from './mailbox_utf7.js'

export interface ImapUrl {
  /** undefined in a relative URL */
  readonly server: { readonly user: string; readonly host: string } | undefined
  /** modified UTF-7; undefined for the selected mailbox */
  readonly mailbox: string | undefined
  readonly uidvalidity: number | undefined
  readonly uid: number
  readonly section: SectionRequest
  readonly authorization: UrlAuthorization | undefined
}

/** `;EXPIRE=…;URLAUTH=access:mechanism:token` (RFC 4467). */
export interface UrlAuthorization {
  /** unix seconds */
  readonly expires: number | undefined
  /** lower case: `user+fred`, `submit+fred`, `authuser`, `anonymous` */
  readonly access: string
  readonly mechanism: string | undefined
  readonly token: string | undefined
  /** what the token vouches for: the URL up to and with the access */
  readonly rump: string
}

const LONGEST = 8192

/** @returns undefined when the text is no such URL */
export function parseImapUrl(text: string): ImapUrl | undefined {
  if (text.length > LONGEST || /[^\x21-\x7e ]/.test(text)) return undefined
  const absolute = /^imap:\/\/(?:([^/@]*)@)?([^/@]+)(?=\/)/i.exec(text)
  if (!absolute && /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return undefined
  const path = text.slice(absolute?.[0].length ?? 0)
  const match =
    /^(?:\/?(?![;/])((?:(?!;|\/;).)+?)(?:;UIDVALIDITY=(\d{1,10}))?\/)?\/?;UID=(\d{1,10})(?:\/;SECTION=((?:(?!\/;|;EXPIRE|;URLAUTH).)+))?(?:\/;PARTIAL=(\d{1,10})(?:\.(\d{1,10}))?)?((?:;EXPIRE=([^;]+))?;URLAUTH=([^:;]+)(?::(\w+)(?::([0-9a-f]+))?)?)?$/i.exec(
      path,
    )
  if (!match) return undefined
  const [, name, validity, uid, sectionText, offset, length, , expiry, access, mechanism, token] = match
  const decoded = name === undefined ? '' : percentDecoded(name)
  const user = percentDecoded(absolute?.[1]?.replace(/;AUTH=.*$/i, '') ?? '')
  const section = sectionOf(percentDecoded(sectionText ?? ''), offset, length)
  const expires = expiry === undefined ? undefined : Date.parse(expiry) / 1000
  if (decoded === undefined || user === undefined || !section || Number(uid) === 0 || Number.isNaN(expires))
    return undefined
  if (absolute && name === undefined) return undefined
  return {
    server: absolute ? { user, host: absolute[2]!.replace(/:\d+$/, '').toLowerCase() } : undefined,
    mailbox: name === undefined ? undefined : encodeMailboxUtf7(decoded),
    uidvalidity: validity === undefined ? undefined : Number(validity),
    uid: Number(uid),
    section,
    authorization:
      access === undefined
        ? undefined
        : {
            expires,
            access: access.toLowerCase(),
            mechanism: mechanism?.toUpperCase(),
            token: token?.toLowerCase(),
            rump: mechanism === undefined ? text : text.slice(0, text.lastIndexOf(`:${mechanism}`)),
          },
  }
}

function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

function sectionOf(
  text: string | undefined,
  offset: string | undefined,
  length: string | undefined,
): SectionRequest | undefined {
  if (text === undefined) return undefined
  const partial =
    offset === undefined
      ? undefined
      : { offset: Number(offset), length: length === undefined ? 4294967295 : Number(length) }
  try {
    const args = new ArgumentReader(Buffer.from(`${text}]`, 'latin1'))
    const section = parseSection(args)
    args.end()
    return { ...section, partial }
  } catch {
    return undefined
  }
}
