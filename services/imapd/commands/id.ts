/** ID (RFC 2971). What the client says of itself goes to the log. */
import { release, type } from 'node:os'
import { quotedOrLiteral } from '../../../lib/imap/wire_text.js'
import { ANY, define } from '../command.js'
import { VERSION } from '../imapd.js'

const MOST_PAIRS = 30
const LONGEST_FIELD = 30
const LONGEST_VALUE = 1024

export const id = define<string[]>({
  name: 'ID',
  states: ANY,
  parse(args) {
    args.space()
    if (args.peek() !== '(') {
      if (args.atom().toUpperCase() !== 'NIL') args.fail('Invalid parameter list in Id')
      args.end()
      return []
    }
    const words = args.list(() => {
      if (args.peek() === '"' || args.peek() === '{') return args.astring().toString('utf8')
      if (args.atom().toUpperCase() !== 'NIL') args.fail('Invalid parameter list in Id')
      return ''
    })
    args.end()
    if (words.length % 2 === 1 || words.length > 2 * MOST_PAIRS) args.fail('Invalid parameter list in Id')
    if (words.some((word, at) => word.length > (at % 2 === 0 ? LONGEST_FIELD : LONGEST_VALUE)))
      args.fail('Id parameter too long')
    return words
  },
  async run({ session }, told) {
    if (told.length > 0) session.service.log.info(`client id: ${JSON.stringify(told)}`)
    const fields = { name: 'cyrus-ts', version: VERSION, os: type(), 'os-version': release() }
    const words = Object.entries(fields).map(([field, value]) => `"${field}" ${quotedOrLiteral(value)}`)
    session.reply.untagged(`ID (${words.join(' ')})`)
    return undefined
  },
})
