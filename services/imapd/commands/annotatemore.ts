/**
 * GETANNOTATION and SETANNOTATION, the draft that METADATA grew out of (draft-daboo-imap-annotatemore-11), for clients that know nothing newer;
 * there with `annotation_enable_legacy_commands`.
 */

import { nstring } from '../../../lib/imap/annotation_arguments.js'
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { quotedOrLiteral } from '../../../lib/imap/wire_text.js'
import { define, LOGGED_IN } from '../command.js'
import { type MetadataOf, ofEach, readMetadata } from '../metadata.js'
import type { Session } from '../session.js'
import { type MetadataPair, storeMetadata } from './setmetadata.js'

const MOST = 32
const LONGEST_NAME = 256

/** One or, in parentheses, several strings. */
function strings(args: ArgumentReader): string[] {
  if (args.peek() !== '(') return [args.listMailbox().toString('latin1').toLowerCase()]
  const found = args.list(() => args.listMailbox().toString('latin1').toLowerCase())
  if (found.length === 0 || found.length > MOST || found.some((each) => each.length > LONGEST_NAME))
    args.fail(`Missing argument to ${args.command}`)
  return found
}

/** Attributes wanted, in Cyrus' order. */
function attributesOf(patterns: readonly string[]): string[] {
  const known = ['value.shared', 'size.shared', 'value.priv', 'size.priv']
  const isWanted = (name: string): boolean =>
    patterns.some((each) => each === name || each === '*' || each === '%' || name.startsWith(`${each}.`))
  return known.filter(isWanted)
}

/** `* ANNOTATION mailbox entry (attribute value …)`, one for each entry. */
function tell(
  session: Session,
  name: string,
  of: MetadataOf,
  entries: readonly string[],
  attributes: readonly string[],
): boolean {
  // a pattern without its first slash is one for whole names
  const names = entries.map((entry) => (entry.startsWith('*') ? `/${entry}` : entry))
  const read = readMetadata(session, of, {
    entries: names.flatMap((entry) => [`/shared${entry}`, `/private${entry}`]),
    depth: 0,
    maxSize: Infinity,
  })
  if (read === undefined) return false
  const byEntry = new Map<string, Map<string, Buffer | null>>()
  for (const [full, value] of read.values) {
    const shared = full.startsWith('/shared')
    const entry = full.slice(shared ? 7 : 8)
    const kinds = byEntry.get(entry) ?? new Map<string, Buffer | null>()
    byEntry.set(entry, kinds.set(shared ? 'shared' : 'priv', value))
  }
  for (const [entry, kinds] of byEntry) {
    const words = attributes.flatMap((attribute) => {
      const value = kinds.get(attribute.slice(attribute.indexOf('.') + 1)) ?? null
      if (attribute.startsWith('size')) return [`${quotedOrLiteral(attribute)} "${value?.length ?? 0}"`]
      return [`${quotedOrLiteral(attribute)} ${value === null ? 'NIL' : quotedOrLiteral(value.toString('latin1'))}`]
    })
    session.reply.untagged(`ANNOTATION ${name} ${quotedOrLiteral(entry)} (${words.join(' ')})`)
  }
  return true
}

export const getannotation = define<{ mailbox: string; entries: string[]; attributes: string[] }>({
  name: 'GETANNOTATION',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.listMailbox().toString('latin1')
    args.space()
    const entries = strings(args)
    args.space()
    const attributes = attributesOf(strings(args))
    args.end()
    return { mailbox, entries, attributes }
  },
  async run({ session }, { mailbox, entries, attributes }) {
    await ofEach(session, mailbox, (name, of) => tell(session, name, of, entries, attributes))
    return undefined
  },
})

/** `"/comment" ("value.priv" "x" …)`. */
function setting(args: ArgumentReader, pairs: MetadataPair[]): void {
  const entry = args.astring().toString('latin1').toLowerCase()
  if (entry.length > LONGEST_NAME) args.fail('annotation entry too long')
  args.space()
  if (args.peek() !== '(') args.fail('Missing annotation attribute-values list')
  args.list(() => {
    const attribute = args.astring().toString('latin1').toLowerCase()
    args.space()
    const value = nstring(args)
    // an attribute that cannot be set is an entry that nobody may set
    const place = attribute === 'value.shared' ? '/shared' : attribute === 'value.priv' ? '/private' : '/shared//'
    pairs.push([`${place}${entry}`, value])
  })
}

export const setannotation = define<{ mailbox: string; pairs: readonly MetadataPair[] }>({
  name: 'SETANNOTATION',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.space()
    const pairs: MetadataPair[] = []
    if (args.peek() === '(') args.list(() => setting(args, pairs))
    else setting(args, pairs)
    if (pairs.length === 0 || pairs.length > MOST) args.fail('Missing annotation entry')
    args.end()
    return { mailbox, pairs }
  },
  async run({ session }, { mailbox, pairs }) {
    await storeMetadata(session, mailbox, pairs)
    return undefined
  },
})
