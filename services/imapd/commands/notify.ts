/** NOTIFY (RFC 5465): what a client is told without asking. */
import { type EventGroup, NOTIFY_EVENTS, type NotifyRequest, parseNotify } from '../../../lib/imap/notify_arguments.js'
import { define, LOGGED_IN } from '../command.js'
import { No } from '../errors.js'
import { enableCondstore, NOTHING, type SelectedEvents } from '../features.js'
import { AnnotationMemory } from '../notify/annotation_memory.js'
import { Interests } from '../notify/interests.js'
import { Notifier } from '../notify/notifier.js'
import type { Session } from '../session.js'

function ofSelected(groups: readonly EventGroup[]): SelectedEvents {
  const group = groups.find(({ filter }) => filter.startsWith('selected'))
  if (!group || group.events.size === 0) return NOTHING
  return {
    live: true,
    messages: group.events.has('MessageNew'),
    delayed: group.filter === 'selected-delayed',
    flags: group.events.has('FlagChange'),
    annotations: group.events.has('AnnotationChange'),
    attributes: group.attributes,
  }
}

async function watch(session: Session, groups: readonly EventGroup[], status: boolean): Promise<void> {
  const events = ofSelected(groups)
  const { selected } = session
  if (events.annotations && selected && !AnnotationMemory.of(session.imapd.store, selected.id, session.user!))
    throw new No('[NOTIFICATIONOVERFLOW] Too many annotations to watch')
  if (events.attributes?.metadata.has('MODSEQ')) enableCondstore(session, 'MODSEQ fetch')
  const notifier = new Notifier(session, new Interests(session, groups), () => session.wake())
  await notifier.start(status)
  session.notify(notifier, events)
}

export const notify = define<NotifyRequest>({
  name: 'NOTIFY',
  states: LOGGED_IN,
  // NOTIFY SET is a NOOP as well (RFC 5465 §3.1)
  tellsExpunged: true,
  parse: parseNotify,
  async run({ session }, { status, groups, unknownEvent }) {
    if (unknownEvent !== undefined)
      throw new No(`[BADEVENT (${NOTIFY_EVENTS.join(' ')})] Unsupported event in Notify: ${unknownEvent.slice(0, 40)}`)
    if (groups) await watch(session, groups, status)
    else session.notify(undefined, NOTHING)
    return undefined
  },
})
