/** GETMETADATA (RFC 5464 §4.2). As Cyrus takes it: options before or behind the mailbox, and a mailbox name may be a pattern. */
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { define, LOGGED_IN } from '../command.js'
import { type Depth, type MetadataQuery, ofEach, readMetadata, tellMetadata } from '../metadata.js'

const MOST_ENTRIES = 64
const LONGEST_NAME = 256

/** An entry's name in lower case. @throws {ImapSyntaxError} */
export function parseEntry(args: ArgumentReader): string {
  const name = args.listMailbox().toString('latin1').toLowerCase()
  if (name.length > LONGEST_NAME) args.fail('metadata entry too long')
  if (!/^\/(?:private|shared)(?:[/*%]|$)/.test(name)) args.fail('entry must begin with /shared or /private')
  return name
}

/** Names in parentheses, or one alone. @throws {ImapSyntaxError} */
export function parseEntries(args: ArgumentReader): string[] {
  if (args.peek() !== '(') return [parseEntry(args)]
  const entries = args.list(() => parseEntry(args))
  if (entries.length === 0) args.fail('Missing metadata entry')
  if (entries.length > MOST_ENTRIES) args.fail('Too many metadata entries')
  return entries
}

interface Options {
  depth: Depth
  maxSize: number
}

/** `(MAXSIZE n DEPTH d)`. @throws {ImapSyntaxError} */
function parseOptions(args: ArgumentReader, options: Options): void {
  args.open()
  do {
    const name = args.keyword()
    args.space()
    if (name === 'MAXSIZE') options.maxSize = args.number()
    else if (name === 'DEPTH') {
      const depth = args.atom().toLowerCase()
      if (depth !== '0' && depth !== '1' && depth !== 'infinity') args.fail('Invalid depth in Getmetadata')
      options.depth = depth === 'infinity' ? depth : (Number(depth) as 0 | 1)
    } else args.fail('Invalid option in Getmetadata')
  } while (args.tryChar(' '))
  args.close()
}

export const getmetadata = define<{ mailbox: string; query: MetadataQuery }>({
  name: 'GETMETADATA',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    const options: Options = { depth: 0, maxSize: Infinity }
    args.space()
    if (args.peek() === '(') {
      parseOptions(args, options)
      args.space()
    }
    const mailbox = args.listMailbox().toString('latin1')
    args.space()
    // a list here is of options if it begins with a letter, of entries if with a slash
    if (args.peek() === '(' && /^\([a-z]/i.test(args.bytes.toString('latin1', args.offset, args.offset + 2))) {
      parseOptions(args, options)
      args.space()
    }
    const entries = parseEntries(args)
    args.end()
    return { mailbox, query: { entries, ...options } }
  },
  async run({ session }, { mailbox, query }) {
    let longest = 0
    await ofEach(session, mailbox, (name, of) => {
      const found = readMetadata(session, of, query)
      if (found === undefined) return false
      longest = Math.max(longest, found.longest)
      tellMetadata(session, name, found.values)
      return true
    })
    return longest > 0 ? `[METADATA LONGENTRIES ${longest}] Completed` : undefined
  },
})
