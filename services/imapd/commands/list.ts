/**
 * LIST (RFC 3501 §6.3.8) with children (RFC 3348), selection and return options and several patterns (RFC 5258), status (RFC 5819), rights
 * (RFC 8440), special uses (RFC 6154) and metadata (RFC 9590); and XLIST, what was there before special uses.
 */
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { astring } from '../../../lib/imap/wire_text.js'
import { inboxOf, isWithin } from '../../../lib/mailbox/names.js'
import { define, LOGGED_IN } from '../command.js'
import { Bad } from '../errors.js'
import {
  answerNames,
  hasVisibleChild,
  inListOrder,
  type ListedName,
  ListPatterns,
  parseListArguments,
  subscribedNames,
  useAttributes,
} from '../listing.js'
import { lookUp } from '../mailboxes.js'
import { readMetadata, tellMetadata } from '../metadata.js'
import type { Session } from '../session.js'
import { parseStatusItems, tellStatus } from '../status_items.js'
import { visibleMailboxes } from '../visible_mailboxes.js'
import { parseEntries } from './getmetadata.js'

const SELECTION = ['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'] as const
type Selection = (typeof SELECTION)[number]
const RETURN = ['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE', 'MYRIGHTS', 'STATUS', 'METADATA'] as const
type Return = (typeof RETURN)[number]

const MOST_PATTERNS = 100

interface ListArguments {
  readonly reference: string
  readonly patterns: readonly string[]
  readonly select: ReadonlySet<Selection>
  readonly returns: ReadonlySet<Return>
  readonly status: ReadonlySet<string>
  readonly metadata: readonly string[]
  /** any of RFC 5258 was used */
  readonly extended: boolean
}

function parseSelection(args: ArgumentReader): Set<Selection> {
  const select = new Set(
    args.list(() => {
      const name = args.keyword()
      if (!SELECTION.includes(name as Selection)) args.fail(`Invalid List selection option "${name.toLowerCase()}"`)
      return name as Selection
    }),
  )
  if (select.has('RECURSIVEMATCH') && !select.has('SUBSCRIBED') && !select.has('SPECIAL-USE'))
    throw new Bad('Invalid combination of selection options')
  return select
}

function parsePatterns(args: ArgumentReader): string[] {
  if (args.peek() !== '(') return [args.listMailbox().toString('latin1')]
  const patterns = args.list(() => args.listMailbox().toString('latin1'))
  if (patterns.length === 0 || patterns.length > MOST_PATTERNS) args.fail('Invalid syntax in List command')
  return patterns
}

function parseList(args: ArgumentReader): ListArguments {
  args.space()
  const extendedBefore = args.peek() === '('
  const select = extendedBefore ? parseSelection(args) : new Set<Selection>()
  if (extendedBefore) args.space()
  const reference = args.astring().toString('latin1')
  args.space()
  if (args.atEnd) args.fail(`Missing required argument to ${args.command}: mailbox pattern`)
  const several = args.peek() === '('
  const patterns = parsePatterns(args)
  const returns = new Set<Return>()
  let status: ReadonlySet<string> = new Set()
  let metadata: readonly string[] = []
  const extendedBehind = args.tryChar(' ')
  if (extendedBehind) {
    if (args.keyword() !== 'RETURN') args.fail('Invalid syntax in List command')
    args.space()
    if (args.peek() !== '(') args.fail('Missing return argument list')
    args.list(() => {
      const name = args.keyword() as Return
      if (!RETURN.includes(name)) args.fail(`Invalid List return option "${name.toLowerCase()}"`)
      returns.add(name)
      if (name === 'STATUS') {
        args.space()
        status = parseStatusItems(args)
      } else if (name === 'METADATA') {
        args.space()
        metadata = parseEntries(args)
      }
    })
  }
  args.end()
  const extended = extendedBefore || several || extendedBehind
  return { reference, patterns, select, returns, status, metadata, extended }
}

async function* existing(session: Session, patterns: ListPatterns, asked: boolean): AsyncIterable<ListedName> {
  const { store } = session.imapd
  for await (const { external, header, rights } of visibleMailboxes(session, patterns)) {
    const subscribed = asked && store.isSubscribed(session.user!, header.name)
    yield { external, internal: header.name, found: { header, rights }, subscribed }
  }
}

/** Names that the selection options leave, and of which of them something below would be left too (RFC 5258 §3.5). */
async function selected(
  session: Session,
  { select }: ListArguments,
  patterns: ListPatterns,
): Promise<{ names: ListedName[]; childinfo: ReadonlySet<string> }> {
  const bySubscription = select.has('SUBSCRIBED')
  const chosen: ListedName[] = []
  if (bySubscription) chosen.push(...subscribedNames(session))
  else for await (const name of existing(session, patterns, false)) chosen.push(name)
  const names = select.has('SPECIAL-USE') ? chosen.filter((name) => useAttributes(session, name).length > 0) : chosen
  const childinfo = new Set<string>()
  if (!select.has('RECURSIVEMATCH')) return { names, childinfo }
  const known = new Map(names.map((name) => [name.internal, name]))
  for (const { internal, external } of names) {
    if (patterns.matches(external)) continue
    for (let at = internal.lastIndexOf('.'); at > 0; at = internal.lastIndexOf('.', at - 1)) {
      const level = internal.slice(0, at)
      const above = session.namespace!.toExternal(level)
      // below INBOX in the store is not below it for the client with the alternative namespace
      if (!external.startsWith(above + session.namespace!.separator) || !patterns.matches(above)) continue
      childinfo.add(level)
      if (!known.has(level))
        known.set(level, { internal: level, external: above, found: lookUp(session, level), subscribed: false })
    }
  }
  return { names: inListOrder(session, [...known.values()]), childinfo }
}

async function answer(session: Session, asked: ListArguments): Promise<undefined> {
  const { separator } = session.namespace!
  const { patterns: texts, select, returns } = asked
  const patterns = new ListPatterns(session, asked.reference, texts)
  if (texts.length === 1 && texts[0] === '' && !asked.extended) {
    session.reply.untagged(`LIST (\\Noselect) "${separator}" ""`)
    return undefined
  }
  if (texts.every((text) => text === '')) return undefined
  const selecting = select.has('SUBSCRIBED') || select.has('SPECIAL-USE')
  const choice = selecting ? await selected(session, asked, patterns) : undefined
  const showsUses =
    select.has('SPECIAL-USE') || returns.has('SPECIAL-USE') || session.imapd.config.switch('specialusealways')
  await answerNames(session, choice?.names ?? existing(session, patterns, returns.has('SUBSCRIBED')), {
    word: 'LIST',
    patterns,
    missing: selecting ? undefined : asked.extended ? '\\NonExistent' : '\\Noselect',
    attributes: (name) => [
      ...(name.found === undefined ? ['\\NonExistent'] : []),
      ...(name.subscribed ? ['\\Subscribed'] : []),
      ...(showsUses ? useAttributes(session, name) : []),
    ],
    hasChildren: childrenOf(session, selecting),
    extended: ({ internal }) => (choice?.childinfo.has(internal) ? ' (CHILDINFO ("SUBSCRIBED"))' : ''),
    after: (name) => tellMore(session, asked, name),
  })
  return undefined
}

/** @param selecting names that come next are not all there are */
function childrenOf(session: Session, selecting: boolean) {
  const inbox = inboxOf(session.user!)
  return (name: ListedName, next: ListedName | undefined): boolean => {
    // by internal names: a domain that is shown stands behind what is below
    if (!selecting && name.internal !== inbox) return next !== undefined && isWithin(next.internal, name.internal)
    return hasVisibleChild(session, name.internal)
  }
}

function tellMore(
  session: Session,
  { returns, status, metadata }: ListArguments,
  { external, found }: ListedName,
): void {
  const { header, rights } = found!
  if (returns.has('STATUS') && rights.has('r')) tellStatus(session, header, status)
  if (returns.has('MYRIGHTS')) session.reply.untagged(`MYRIGHTS ${astring(external)} ${rights.letters}`)
  if (returns.has('METADATA')) {
    const read = readMetadata(session, found, { entries: metadata, depth: 0, maxSize: Infinity })
    if (read !== undefined) tellMetadata(session, astring(external), read.values)
  }
}

export const list = define<ListArguments>({
  name: 'LIST',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: parseList,
  run: ({ session }, asked) => answer(session, asked),
})

export const xlist = define<{ reference: string; pattern: string }>({
  name: 'XLIST',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: parseListArguments,
  async run({ session }, { reference, pattern }) {
    const inbox = inboxOf(session.user!)
    const patterns = new ListPatterns(session, reference, [pattern])
    await answerNames(session, existing(session, patterns, false), {
      word: 'XLIST',
      patterns,
      missing: '\\Noselect',
      attributes: (name) => [...(name.internal === inbox ? ['\\Inbox'] : []), ...useAttributes(session, name)],
      hasChildren: childrenOf(session, false),
    })
    return undefined
  },
})
