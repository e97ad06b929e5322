/** URLFETCH (RFC 4467 §7), with BODY, BINARY and BODYPARTSTRUCTURE (RFC 5524). A URL that gives nothing is answered with NIL. */
import { literalHead, quotedOrLiteral } from '../../../lib/imap/wire_text.js'
import { parsedStructure } from '../../../lib/message/body_structure.js'
import { MessageFileError } from '../../../lib/store/store.js'
import { define, LOGGED_IN } from '../command.js'
import { locateBinary } from '../fetch/binary.js'
import { bytesOfUrl } from '../message_url.js'
import type { Session } from '../session.js'
import { openAuthorized } from '../url_authorization.js'

const PARTS = ['BODYPARTSTRUCTURE', 'BINARY', 'BODY'] as const
type Wanted = (typeof PARTS)[number]

interface Request {
  readonly text: string
  /** undefined for the form of RFC 4467 */
  readonly wanted: ReadonlySet<Wanted> | undefined
}

const MOST_URLS = 1000

/** One URL's bytes, where somebody asked for them. */
async function answer(session: Session, { text, wanted }: Request): Promise<void> {
  const { connection } = session
  connection.write(Buffer.from(` ${quotedOrLiteral(text)}`, 'latin1'))
  const opened = openAuthorized(session, text)
  if (!opened) {
    connection.write(' NIL')
    return
  }
  const { url, target } = opened
  try {
    for (const part of wanted ? PARTS.filter((each) => wanted.has(each)) : [undefined]) {
      if (part === 'BODYPARTSTRUCTURE') {
        const structure = parsedStructure((await target.source.cache()).bodystructure, url.section.path)
        connection.write(Buffer.from(` (BODYPARTSTRUCTURE ${structure ?? 'NIL'})`, 'latin1'))
        continue
      }
      const binary = part === 'BINARY' && url.section.item === ''
      const data = binary
        ? await locateBinary(target.source, url.section).then(
            (found) => found && { size: found.size, literal8: found.hasNul, pieces: found.pieces() },
          )
        : await bytesOfUrl(target, url).then((found) => found && { ...found, literal8: false })
      connection.write(part ? ` (${part} ` : ' ')
      if (data) {
        connection.write(data.literal8 ? `~${literalHead(data.size)}` : literalHead(data.size))
        for await (const piece of data.pieces) {
          connection.write(piece)
          await connection.flush()
        }
      } else {
        connection.write('NIL')
      }
      if (part) connection.write(')')
    }
  } finally {
    await target.source.close()
  }
}

export const urlfetch = define<Request[]>({
  name: 'URLFETCH',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    const requests: Request[] = []
    do {
      args.space()
      if (requests.length >= MOST_URLS) args.fail('Too many URLs')
      if (!args.tryChar('(')) {
        requests.push({ text: args.astring().toString('latin1'), wanted: undefined })
        continue
      }
      const text = args.astring().toString('latin1')
      const wanted = new Set<Wanted>()
      while (args.tryChar(' ')) {
        const name = args.keyword()
        if (!(PARTS as readonly string[]).includes(name)) args.fail(`Invalid Urlfetch item ${name.slice(0, 40)}`)
        wanted.add(name as Wanted)
      }
      if (!args.tryChar(')')) args.fail('Missing close parenthesis in Urlfetch')
      requests.push({ text, wanted: wanted.size === 0 ? undefined : wanted })
    } while (!args.atEnd)
    return requests
  },
  async run({ session }, requests) {
    const { connection, imapd } = session
    connection.write('* URLFETCH')
    for (const request of requests) {
      try {
        await answer(session, request)
      } catch (error) {
        if (!(error instanceof MessageFileError)) throw error
        imapd.log.error(`URLFETCH: ${error.message}`)
        connection.write(' NIL')
      }
    }
    connection.write('\r\n')
    return undefined
  },
})
