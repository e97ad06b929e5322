/** SETMETADATA (RFC 5464 §4.3): all values or none. The administrator's notices are files, which is why the server's are set one by one. */
import { mayStoreAnnotation } from '../../../lib/mailbox/annotation_access.js'
import { type AnnotationScope, canonicalValue, settableEntry } from '../../../lib/mailbox/annotation_entries.js'
import { type AnnotationChange, setMailboxAnnotations, setServerAnnotations } from '../../../lib/mailbox/annotations.js'
import { canonicalUses, SPECIAL_USE } from '../../../lib/mailbox/special_use.js'
import { writeNotice } from '../../../lib/process/notices.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { type Found, mustFind } from '../mailboxes.js'
import { changeKey } from '../notify/notifier.js'
import type { Session } from '../session.js'
import { parseEntry } from './getmetadata.js'

/** A name with `/private` or `/shared` and its value; undefined for NIL. */
export type MetadataPair = readonly [name: string, value: Buffer | undefined]

const MOST_ENTRIES = 64

/** What is to be set of one thing. @throws {No}; {AnnotationValueError}; {SpecialUseError}; {SpecialUseConflictError} */
function changesOf(session: Session, pairs: readonly MetadataPair[], found: Found | undefined): AnnotationChange[] {
  const { config, store } = session.imapd
  const scope: AnnotationScope = found === undefined ? 'server' : 'mailbox'
  return pairs.map(([name, value]) => {
    const shared = name.startsWith('/shared')
    const entry = settableEntry(config, scope, name.slice(shared ? 7 : 8))
    if (entry === undefined || !mayStoreAnnotation(scope, entry, shared, found?.rights, session.isAdmin))
      throw new No(`[NOPERM] ${DENIED}`)
    let kept = value === undefined || value.length === 0 ? undefined : canonicalValue(entry, value)
    if (kept !== undefined && entry.name === SPECIAL_USE && found !== undefined)
      kept = Buffer.from(canonicalUses(store, session.user!, kept.toString('latin1'), found.header.name))
    return { entry: entry.name, userid: shared ? '' : session.user!, value: kept }
  })
}

export const setmetadata = define<{ mailbox: string; pairs: readonly MetadataPair[] }>({
  name: 'SETMETADATA',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const mailbox = args.mailbox()
    args.space()
    if (args.peek() !== '(') args.fail('Missing metadata entry list')
    const pairs = args.list((): MetadataPair => {
      const name = parseEntry(args)
      if (!args.tryChar(' ')) args.fail('Missing metadata entry')
      const start = args.peek()
      if (start === '"' || start === '{') return [name, args.astring()]
      if (args.atom().toUpperCase() !== 'NIL') args.fail('Missing metadata value')
      return [name, undefined]
    })
    if (pairs.length === 0) args.fail('Missing metadata entry')
    if (pairs.length > MOST_ENTRIES) args.fail('Too many metadata entries')
    args.end()
    return { mailbox, pairs }
  },
  async run({ session }, { mailbox, pairs }) {
    await storeMetadata(session, mailbox, pairs)
    return undefined
  },
})

/** Sets values of a mailbox, or of the server for ''. @throws {No} and what changesOf throws */
export async function storeMetadata(session: Session, mailbox: string, pairs: readonly MetadataPair[]): Promise<void> {
  const { store, config } = session.imapd
  const causes = (name: string): void =>
    session.notifier?.causes(...pairs.map(([entry]) => changeKey('metadata', `${name} ${entry}`)))
  if (mailbox !== '') {
    const found = mustFind(session, mailbox, '')
    causes(found.header.name)
    await setMailboxAnnotations(store, found.header, changesOf(session, pairs, found))
    return
  }
  causes('')
  const changes = changesOf(session, pairs, undefined)
  const notices = changes.filter(({ entry }) => noticeOf(entry) !== undefined)
  await setServerAnnotations(
    store,
    changes.filter((change) => !notices.includes(change)),
  )
  if (notices.length === 0) return
  for (const { entry, value } of notices) writeNotice(config, noticeOf(entry)!, value?.toString('latin1'))
  await store.write((txn) => {
    for (const { entry, userid } of notices) txn.note({ kind: 'annotation', id: 0, entry, userid })
  })
}

function noticeOf(entry: string): 'motd' | 'shutdown' | undefined {
  if (entry === '/motd') return 'motd'
  return entry.endsWith('/cyrus-imapd/shutdown') ? 'shutdown' : undefined
}
