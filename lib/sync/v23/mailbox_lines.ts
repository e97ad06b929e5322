/**
 * The lists of mailboxes and messages that STATUS, USER and MAILBOXES answer with (csync-2.3.md §4.4, §14), and the bits of a mailbox's
 * options. Pure.
 */
import { type Annotation, Flag, type MailboxHeader, type MailboxIndex, VENDOR } from '../../store/store.js'
import { bytesOf } from '../dlist.js'
import type { Release } from './release.js'
import { astring, flagList, nameArgument } from './text.js'

/** In 2.3 a mailbox has mod-sequences only if this is set; ours always have them, and remember what a peer was told. */
export const CONDSTORE = `${VENDOR}condstore`

/** The annotations that set options, with their bits, in the order in which 2.3.14 says them. */
export const OPTION_ANNOTATIONS: readonly (readonly [entry: string, bit: number])[] = [
  [`${VENDOR}pop3newuidl`, 1],
  [`${VENDOR}duplicatedeliver`, 8],
  [`${VENDOR}sharedseen`, 4],
  [CONDSTORE, 2],
]

/** Letters of our options and the bits of 2.3; CONDSTORE, bit 2, is an annotation. */
const OPTION_BITS: readonly (readonly [letter: string, bit: number])[] = [
  ['P', 1],
  ['S', 4],
  ['D', 8],
]
const CONDSTORE_BIT = 2

/** Our letters for a peer's bits. */
export function optionLetters(bits: number): string {
  return OPTION_BITS.filter(([, bit]) => bits & bit)
    .map(([letter]) => letter)
    .join('')
}

/** Whether a peer's bits say CONDSTORE. */
export function hasCondstore(bits: number): boolean {
  return (bits & CONDSTORE_BIT) !== 0
}

/** A mailbox's options as a peer of that release knows them. */
export function optionBits(options: string, annotations: readonly Annotation[], release: Release): number {
  let bits = 0
  for (const [letter, bit] of OPTION_BITS) if (options.includes(letter)) bits |= bit
  if (
    annotations.some(({ entry, userid, value }) => entry === CONDSTORE && userid === '' && value.toString() === 'true')
  )
    bits |= CONDSTORE_BIT
  return bits & release.optionBits
}

/** `** id name acl … options[ quota]`. @param limit of the quota root that the mailbox is, KiB, -1 for none; undefined if it is no root */
export function mailboxLine(
  header: MailboxHeader,
  annotations: readonly Annotation[],
  limit: number | undefined,
  release: Release,
): string {
  const { uniqueid, name, acl, uidvalidity, lastUid, highestModseq, options } = header
  const fields = [astring(uniqueid), nameArgument(name), astring(bytesOf(acl))]
  if (release.guids) fields.push(`${uidvalidity}`)
  fields.push(`${lastUid}`)
  if (release.modseqs) fields.push(`${highestModseq}`)
  fields.push(`${optionBits(options, annotations, release)}`)
  if (limit !== undefined) fields.push(`${limit}`)
  return `** ${fields.join(' ')}\r\n`
}

/** Messages in one piece of text: a millisecond's work. */
const LINES = 500

/** `* uid uuid (flags)` of every message, some hundreds at a time, so that a large mailbox is neither one string nor one turn of the event loop. */
export function* messageLines(index: MailboxIndex, release: Release): Generator<string> {
  const keywords = index.header.userFlags
  let text = ''
  let lines = 0
  for (let row = 0; row < index.length; row++) {
    if (index.flags(row) & (Flag.Expunged | Flag.Unlinked)) continue
    const record = index.record(row)
    const id = release.guids ? record.guid : record.uuid
    const modseq = release.modseqs ? ` ${record.modseq}` : ''
    text += `* ${record.uid}${modseq} ${id} ${flagList(record, keywords)}\r\n`
    if (++lines % LINES !== 0) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}
