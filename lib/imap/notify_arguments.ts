/** The arguments of NOTIFY (RFC 5465 §8) from their text. Pure. */
import type { ArgumentReader } from './argument_reader.js'
import { type FetchRequest, parseFetchAttributes } from './fetch_items.js'

/** What a server can tell of, as the RFC spells it. */
export const NOTIFY_EVENTS = [
  'MessageNew',
  'MessageExpunge',
  'FlagChange',
  'AnnotationChange',
  'MailboxName',
  'SubscriptionChange',
  'MailboxMetadataChange',
  'ServerMetadataChange',
] as const
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number]

/** Events of messages: the only ones that the selected mailbox is watched for. */
export const MESSAGE_EVENTS: ReadonlySet<NotifyEvent> = new Set<NotifyEvent>([
  'MessageNew',
  'MessageExpunge',
  'FlagChange',
  'AnnotationChange',
])

const FILTERS = ['selected', 'selected-delayed', 'inboxes', 'personal', 'subscribed', 'subtree', 'mailboxes'] as const

/** Some mailboxes, and what is to be told of them. */
export interface EventGroup {
  readonly filter: (typeof FILTERS)[number]
  /** names as the client wrote them, latin1, of `subtree` and `mailboxes` */
  readonly names: readonly string[]
  /** none: NONE */
  readonly events: ReadonlySet<NotifyEvent>
  /** what is to be told of new messages, of the selected mailbox only */
  readonly attributes: FetchRequest | undefined
}

export interface NotifyRequest {
  /** STATUS of the mailboxes is wanted at once */
  readonly status: boolean
  /** undefined for NOTIFY NONE */
  readonly groups: readonly EventGroup[] | undefined
  /** a word that should be an event and is none of those above: the command is refused with BADEVENT */
  readonly unknownEvent: string | undefined
}

const MOST_GROUPS = 64
const MOST_NAMES = 1000

const known = new Map(NOTIFY_EVENTS.map((event) => [event.toUpperCase(), event]))

/** `SET [STATUS] (…) (…)` or `NONE`, with the space before. @throws {ImapSyntaxError} */
export function parseNotify(args: ArgumentReader): NotifyRequest {
  args.space()
  const word = args.keyword()
  if (word === 'NONE') {
    args.end()
    return { status: false, groups: undefined, unknownEvent: undefined }
  }
  if (word !== 'SET') args.fail('Invalid argument to Notify', 'SET or NONE is wanted')
  args.space()
  let status = false
  if (args.peek() !== '(') {
    if (args.keyword() !== 'STATUS') args.fail('Invalid argument to Notify', 'STATUS or an event group is wanted')
    status = true
    args.space()
  }
  const groups: EventGroup[] = []
  const unknown: string[] = []
  do {
    if (groups.length >= MOST_GROUPS) args.fail('Too many event groups in Notify')
    groups.push(eventGroup(args, unknown))
  } while (args.tryChar(' '))
  args.end()
  if (groups.filter(({ filter }) => filter.startsWith('selected')).length > 1)
    args.fail('Invalid argument to Notify', 'the selected mailbox is named twice')
  return { status, groups, unknownEvent: unknown[0] }
}

function eventGroup(args: ArgumentReader, unknown: string[]): EventGroup {
  args.open()
  const word = args.keyword().toLowerCase()
  const filter = FILTERS.find((each) => each === word)
  if (filter === undefined) return args.fail(`Invalid mailbox filter ${word.slice(0, 40)} in Notify`)
  args.space()
  const names = filter === 'subtree' || filter === 'mailboxes' ? mailboxNames(args) : []
  const events = new Set<NotifyEvent>()
  let attributes: FetchRequest | undefined
  const ofSelected = filter.startsWith('selected')
  if (args.peek() === '(') {
    const found = args.list(() => {
      const name = args.keyword()
      if (name === '') args.fail('Missing event in Notify')
      const event = known.get(name)
      if (event === undefined) unknown.push(name)
      else events.add(event)
      if (event === 'MessageNew' && args.bytes.toString('latin1', args.offset, args.offset + 2) === ' (') {
        if (!ofSelected) args.fail('Invalid argument to Notify', 'attributes are told of the selected mailbox only')
        args.space()
        attributes = parseFetchAttributes(args)
      }
    })
    if (found.length === 0) args.fail('Missing event in Notify')
  } else if (args.keyword() !== 'NONE') args.fail('Invalid argument to Notify', 'events or NONE are wanted')
  args.close()
  checkEvents(args, events, ofSelected)
  return { filter, names, events, attributes }
}

function mailboxNames(args: ArgumentReader): string[] {
  const names = args.peek() === '(' ? args.list(() => args.mailbox()) : [args.mailbox()]
  if (names.length === 0) args.fail('Missing mailbox in Notify')
  if (names.length > MOST_NAMES) args.fail('Too many mailboxes in Notify')
  args.space()
  return names
}

/** Which events go together (RFC 5465 §5, §6.1). @throws {ImapSyntaxError} */
function checkEvents(args: ArgumentReader, events: ReadonlySet<NotifyEvent>, ofSelected: boolean): void {
  const fails = (why: string): never => args.fail('Invalid events in Notify', why)
  if (ofSelected && [...events].some((event) => !MESSAGE_EVENTS.has(event)))
    fails('the selected mailbox is watched for events of messages only')
  if (events.has('MessageNew') !== events.has('MessageExpunge')) fails('MessageNew and MessageExpunge go together')
  if ((events.has('FlagChange') || events.has('AnnotationChange')) && !events.has('MessageNew'))
    fails('FlagChange and AnnotationChange want MessageNew and MessageExpunge')
}
