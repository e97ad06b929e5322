/** STORE and UID STORE (RFC 3501 §6.4.6). */
import { type AnnotationSetting, parseAnnotationSettings } from '../../../lib/imap/annotation_arguments.js'
import { formatNumbers, type SequenceSet } from '../../../lib/imap/sequence_set.js'
import { setMessageAnnotations } from '../../../lib/mailbox/annotations.js'
import { type FlagChange, storeFlags } from '../../../lib/mailbox/messages.js'
import { Flag, type MailboxIndex, SYSTEM_FLAGS } from '../../../lib/store/store.js'
import { type CommandContext, define, SELECTED, selectedOf } from '../command.js'
import { DENIED, No } from '../errors.js'
import { enableCondstore } from '../features.js'
import { parseFlags } from '../flag_arguments.js'
import { annotationChanges } from '../message_annotations.js'
import { pauseIfLong } from '../pace.js'
import { settableBits } from '../rights.js'
import type { Selected } from '../selected.js'
import { changedRows } from '../views.js'

interface Arguments {
  set: SequenceSet
  change: FlagChange
  silent: boolean
  /** message annotations instead of flags (RFC 5257 §4.2) */
  annotations?: readonly AnnotationSetting[]
}

const NO_CHANGE: FlagChange = { mode: 'add', flags: 0, keywords: [] }

/**
 * The changes to make: one, or where rights are wanting for replacing all, what may be added and what may be removed.
 * @throws {No} when a named flag may not be changed
 */
function permitted({ rights, readOnly, header }: Selected, change: FlagChange): FlagChange[] {
  if (readOnly) throw new No(DENIED)
  const bits = settableBits(rights)
  if (change.flags & ~bits || (change.keywords.length > 0 && !rights.has('w')) || bits === 0)
    throw new No(`[NOPERM] ${DENIED}`)
  if (change.mode !== 'replace' || bits === SYSTEM_FLAGS) return [change]
  const named = new Set(change.keywords.map((name) => name.toLowerCase()))
  const others = header.userFlags.filter((name): name is string => name !== null && !named.has(name.toLowerCase()))
  return [
    { ...change, mode: 'add' },
    // what the first has changed is meant to be changed
    { mode: 'remove', flags: bits & ~change.flags, keywords: rights.has('w') ? others : [] },
  ]
}

/** Flags and keywords of a row after changes, as a text to compare; a guest's \\Seen stands elsewhere. */
function afterwards(index: MailboxIndex, row: number, changes: readonly FlagChange[], mask: number): string {
  let flags = index.flags(row)
  let keywords = new Set<string>()
  for (const [slot, name] of index.header.userFlags.entries())
    if (name !== null && index.userFlag(row, slot)) keywords.add(name.toLowerCase())
  for (const { mode, flags: bits, keywords: names } of changes) {
    if (mode === 'replace') {
      flags &= ~SYSTEM_FLAGS
      keywords = new Set()
    }
    flags = mode === 'remove' ? flags & ~bits : flags | bits
    for (const name of names)
      if (mode === 'remove') keywords.delete(name.toLowerCase())
      else keywords.add(name.toLowerCase())
  }
  return `${flags & mask} ${[...keywords].sort().join(' ')}`
}

/** .SILENT says nothing of the client's own changes; of what others did to the same messages it is told (RFC 3501 §6.4.6). */
function tellOthersChanges(
  { session, uid }: CommandContext,
  changes: readonly FlagChange[],
  uids: readonly number[],
  outdated: readonly number[],
): void {
  const selected = session.selected!
  const { index, indexBefore } = selected
  const mask = selected.guestSeen ? SYSTEM_FLAGS & ~Flag.Seen : SYSTEM_FLAGS
  for (const each of outdated) {
    const row = index.findUid(each)
    const sequence = selected.sequenceOf(each)
    if (row >= 0 && sequence > 0) selected.tellMessageFlags(session.reply, row, sequence, uid)
  }
  const named = new Set(uids)
  for (const each of outdated) named.delete(each)
  for (const row of changedRows(indexBefore, index)) {
    const sequence = selected.sequenceOf(index.uid(row))
    const before = indexBefore.findUid(index.uid(row))
    if (sequence === 0 || before < 0 || !named.has(index.uid(row))) continue
    if (afterwards(index, row, [], mask) !== afterwards(indexBefore, before, changes, mask))
      selected.tellMessageFlags(session.reply, row, sequence, uid)
  }
}

/** `[MODIFIED set]`: messages left alone because they had changed since. */
function modifiedCode(selected: Selected, modified: readonly number[], uid: boolean): string {
  const numbers = uid ? modified : modified.map((each) => selected.sequenceOf(each)).filter((each) => each > 0)
  return `[MODIFIED ${formatNumbers(numbers)}] Completed`
}

/** Sets annotations; who has the mailbox selected hears of it by the messages' flags and mod-sequences, as in Cyrus. */
async function storeAnnotations(
  { session, uid }: CommandContext,
  named: readonly number[],
  settings: readonly AnnotationSetting[],
  unchangedSince: number | undefined,
): Promise<string | undefined> {
  const selected = session.selected!
  if (selected.readOnly) throw new No(DENIED)
  if (unchangedSince !== undefined) enableCondstore(session, 'UNCHANGEDSINCE')
  const changes = annotationChanges(session, selected.rights, settings)
  const { modified } = await setMessageAnnotations(session.imapd.store, selected.header, named, changes, unchangedSince)
  const uids = named.filter((each) => !modified.includes(each))
  selected.sync(session.reply, { expunges: uid, withUid: uid, silent: new Set(uids) })
  for (const each of uids) {
    const row = selected.index.findUid(each)
    const sequence = selected.sequenceOf(each)
    if (row >= 0 && sequence > 0) selected.tellMessageFlags(session.reply, row, sequence, uid)
  }
  return modified.length === 0 ? undefined : modifiedCode(selected, modified, uid)
}

export const store = define<Arguments>({
  name: 'STORE',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  parse(args) {
    args.space()
    const set = args.sequenceSet()
    args.space()
    let unchangedSince: number | undefined
    if (args.peek() === '(') {
      args.list(() => {
        const name = args.keyword()
        if (name !== 'UNCHANGEDSINCE') args.fail(`Invalid Store modifier ${name.slice(0, 40)}`)
        args.space()
        unchangedSince = args.modseq('Invalid argument to Store UNCHANGEDSINCE')
      })
      args.space()
    }
    if (/^ANNOTATION(?:\.SILENT)?$/i.test(/^[\w.]*/.exec(args.bytes.toString('latin1', args.offset))![0])) {
      args.keyword()
      args.space()
      const annotations = parseAnnotationSettings(args)
      args.end()
      return { set, change: { ...NO_CHANGE, unchangedSince }, silent: false, annotations }
    }
    const sign = args.tryChar('+') ? 'add' : args.tryChar('-') ? 'remove' : 'replace'
    const word = args.keyword()
    if (word !== 'FLAGS' && word !== 'FLAGS.SILENT') args.fail('Invalid Store attribute')
    args.space()
    const { flags, keywords } = parseFlags(args, 'Invalid system flag in Store command')
    args.end()
    const change = { mode: sign, flags, keywords, ...(unchangedSince !== undefined && { unchangedSince }) } as const
    return { set, change, silent: word === 'FLAGS.SILENT' }
  },
  async run(context, { set, change, silent, annotations }) {
    const selected = selectedOf(context)
    if (annotations)
      return storeAnnotations(context, selected.uids(set, context.uid), annotations, change.unchangedSince)
    const { session, uid } = context
    const changes = permitted(selected, change)
    if (change.unchangedSince !== undefined) enableCondstore(session, 'UNCHANGEDSINCE')
    const named = selected.uids(set, uid)
    const [first, ...others] = changes as [FlagChange, ...FlagChange[]]
    const { modified } = await storeFlags(session.imapd.store, selected.header, named, first, session.user!)
    const left = new Set(modified)
    const uids = left.size === 0 ? named : named.filter((each) => !left.has(each))
    // flags told before the change would be taken for those after it
    const outdated = uids.filter((each) => selected.toldFlags.has(each))
    for (const each of others) await storeFlags(session.imapd.store, selected.header, uids, each, session.user!)
    selected.reloadSeen()
    selected.sync(session.reply, { expunges: uid, withUid: uid, silent: new Set(uids) })
    // who knows mod-sequences is told the new ones, .SILENT or not (RFC 7162 §3.1.3)
    const quiet = silent && !session.features.condstore
    if (quiet) tellOthersChanges(context, changes, uids, outdated)
    const answer = modified.length === 0 ? undefined : modifiedCode(selected, modified, uid)
    if (quiet || (change.mode !== 'replace' && change.flags === 0 && change.keywords.length === 0)) return answer
    const pace = { since: performance.now() }
    for (const each of uids) {
      const row = selected.index.findUid(each)
      const sequence = selected.sequenceOf(each)
      if (row < 0 || sequence === 0) continue
      selected.tellMessageFlags(session.reply, row, sequence, uid)
      await pauseIfLong(session.connection, pace)
    }
    return answer
  },
})
