/** GENURLAUTH and RESETKEY (RFC 4467 §7). */
import { astring } from '../../../lib/imap/wire_text.js'
import { resetUrlKeys } from '../../../lib/mailbox/url_keys.js'
import { define, LOGGED_IN } from '../command.js'
import { Bad, No } from '../errors.js'
import { mustFind } from '../mailboxes.js'
import { authorizeUrl } from '../url_authorization.js'

const MOST_URLS = 1000

export const genurlauth = define<string[]>({
  name: 'GENURLAUTH',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    const urls: string[] = []
    do {
      args.space()
      urls.push(args.astring().toString('latin1'))
      args.space()
      const mechanism = args.atom().toUpperCase()
      if (mechanism !== 'INTERNAL') throw new Bad(`Unknown auth mechanism to Genurlauth ${mechanism.slice(0, 40)}`)
      if (urls.length > MOST_URLS) args.fail('Too many URLs')
    } while (!args.atEnd)
    return urls
  },
  async run({ session }, urls) {
    const authorized: string[] = []
    for (const text of urls) {
      const url = await authorizeUrl(session, text)
      if (url === undefined) throw new No('[BADURL] A URL cannot be authorized')
      authorized.push(url)
    }
    session.reply.untagged(`GENURLAUTH ${authorized.map((url) => `"${url.replace(/["\\]/g, '\\$&')}"`).join(' ')}`)
    return undefined
  },
})

export const resetkey = define<{ mailbox: string | undefined }>({
  name: 'RESETKEY',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    if (args.atEnd) return { mailbox: undefined }
    args.space()
    const mailbox = args.mailbox()
    while (args.tryChar(' '))
      if (args.atom().toUpperCase() !== 'INTERNAL') throw new No('[CANNOT] The only mechanism is INTERNAL')
    args.end()
    return { mailbox }
  },
  async run({ session }, { mailbox }) {
    const { store } = session.imapd
    if (mailbox === undefined) {
      await resetUrlKeys(store, session.user!)
      return 'All keys removed'
    }
    const { header } = mustFind(session, mailbox, 'r')
    await resetUrlKeys(store, session.user!, header)
    return `[URLMECH INTERNAL] Key of ${astring(session.namespace!.toExternal(header.name))} removed`
  },
})
