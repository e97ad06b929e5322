/**
 * What SORT and THREAD need to know of messages beyond their records, worked out once a process (memo.ts).
 */

import { spamScore } from '../../../lib/imap/search_keys.js'
import { readable } from '../../../lib/mailbox/message_source.js'
import { baseSubject } from '../../../lib/message/base_subject.js'
import { sentInstant } from '../../../lib/message/date.js'
import { decodeHeader } from '../../../lib/message/encoded_words.js'
import { type EnvelopeAddress, type EnvelopeFields, readEnvelope } from '../../../lib/message/envelope_text.js'
import { messageIds } from '../../../lib/message/message_ids.js'
import { searchForm } from '../../../lib/message/search_text.js'
import { type MessageCache, summarize } from '../../../lib/message/summary.js'
import { type MailStore, MessageFileError } from '../../../lib/store/store.js'
import { memoTables } from '../memo.js'
import { pauseIfLong } from '../pace.js'
import type { Selected } from '../selected.js'
import type { Session } from '../session.js'

/** Values of one kind by UID. */
interface Values {
  /** the Date field's time, unix seconds; 0 if it cannot be read */
  sent: number
  subject: { text: string; isReply: boolean }
  from: string
  to: string
  cc: string
  displayfrom: string
  displayto: string
  ids: { id: string; references: readonly string[] }
  /** X-Spam-Score in hundredths, 0 without */
  spam: number
}

export type Fact = keyof Values
export type Facts = { readonly [F in Fact]?: ReadonlyMap<number, Values[F]> }

type Table = { [F in Fact]?: Map<number, Values[F]> }

const BATCH = 64

const form = (text: string | null | undefined): string =>
  searchForm(decodeHeader(text ?? ''))
    .trim()
    .toUpperCase()

const MAKE: { readonly [F in Exclude<Fact, 'ids' | 'spam'>]: (envelope: EnvelopeFields) => Values[F] } = {
  sent: ({ date }) => sentInstant(date ?? ''),
  subject({ subject }) {
    const { base, isReply } = baseSubject(searchForm(decodeHeader(subject ?? '')))
    return { text: base.toUpperCase(), isReply }
  },
  from: ({ from }) => form(from?.mailbox),
  to: ({ to }) => form(to?.mailbox),
  cc: ({ cc }) => form(cc?.mailbox),
  displayfrom: ({ from }) => displayName(from),
  displayto: ({ to }) => displayName(to),
}

/** RFC 5957 §3: the display name, or the address where there is none. */
function displayName(address: EnvelopeAddress | undefined): string {
  if (!address) return ''
  if (address.name) return form(address.name)
  return form(address.host ? `${address.mailbox ?? ''}@${address.host}` : address.mailbox)
}

/** The facts wanted of the messages at some positions of the selected mailbox. A message that cannot be read counts as empty. */
export async function factsOf(
  session: Session,
  selected: Selected,
  positions: readonly number[],
  wanted: readonly Fact[],
): Promise<Facts> {
  const { store } = session.imapd
  const table = memoTables(store, selected.header) as Table
  for (const fact of wanted) table[fact] ??= new Map() as never
  const { view } = selected
  const missing = positions.filter((position) => wanted.some((fact) => !table[fact]!.has(view[position]!)))
  const pace = { since: performance.now() }
  for (let from = 0; from < missing.length; from += BATCH) {
    const batch = missing.slice(from, from + BATCH)
    const low = view[Math.min(...batch)]!
    const high = view[Math.max(...batch)]!
    // far apart, they are read one by one
    const together = high - low < 8 * BATCH
    const caches = new Map(together ? store.readCaches(selected.id, low, high) : [])
    for (const position of batch) {
      const uid = view[position]!
      const bytes = caches.get(uid) ?? store.readCache(selected.id, uid)
      const cache = (bytes && readable(bytes)) ?? (await rebuilt(store, selected, uid))
      await learn(store, selected, table, uid, cache, wanted)
    }
    const pause = pauseIfLong(session.connection, pace)
    if (pause) await pause
  }
  return table as Facts
}

async function learn(
  store: MailStore,
  selected: Selected,
  table: Table,
  uid: number,
  cache: MessageCache | undefined,
  wanted: readonly Fact[],
): Promise<void> {
  const envelope = cache ? readEnvelope(cache.envelope) : EMPTY
  for (const fact of wanted) {
    if (table[fact]!.has(uid)) continue
    if (fact === 'ids') table.ids!.set(uid, await idsOf(store, selected, uid, envelope, cache))
    else if (fact === 'spam') table.spam!.set(uid, await spamOf(store, selected, uid, cache))
    else table[fact]!.set(uid, MAKE[fact](envelope) as never)
  }
}

const EMPTY: EnvelopeFields = {
  date: null,
  subject: null,
  from: undefined,
  to: undefined,
  cc: undefined,
  inReplyTo: null,
  messageId: null,
}

/** References, or In-Reply-To where there are none (RFC 5256 §3). */
async function idsOf(
  store: MailStore,
  selected: Selected,
  uid: number,
  { messageId, inReplyTo }: EnvelopeFields,
  cache: MessageCache | undefined,
): Promise<Values['ids']> {
  const id = messageIds(messageId ?? '')[0] ?? ''
  let values = cache?.headerValues('references')
  if (!values && cache) {
    // more header than the summary keeps
    const message = await bytesOf(store, selected, uid)
    values = [/^references:((?:.*\r?\n)(?:[ \t].*\r?\n)*)/im.exec(message.toString('latin1', 0, 256 * 1024))?.[1] ?? '']
  }
  const references = messageIds(values?.at(-1) ?? '')
  return { id, references: references.length > 0 ? references : messageIds(inReplyTo ?? '').slice(0, 1) }
}

async function spamOf(
  store: MailStore,
  selected: Selected,
  uid: number,
  cache: MessageCache | undefined,
): Promise<number> {
  const values = cache?.headerValues('x-spam-score')
  if (values) return spamScore(values[0]?.trim() ?? '')
  const header = (await bytesOf(store, selected, uid)).toString('latin1', 0, 256 * 1024).split(/\r?\n\r?\n/, 1)[0]!
  return spamScore(/^x-spam-score:\s*(.*)$/im.exec(header)?.[1] ?? '')
}

async function bytesOf(store: MailStore, selected: Selected, uid: number): Promise<Buffer> {
  try {
    return await store.readMessage(selected.header, uid)
  } catch (error) {
    if (!(error instanceof MessageFileError)) throw error
    store.log.error(`SORT: ${error.message}`)
    return Buffer.alloc(0)
  }
}

async function rebuilt(store: MailStore, selected: Selected, uid: number): Promise<MessageCache | undefined> {
  const bytes = await bytesOf(store, selected, uid)
  return bytes.length === 0 ? undefined : readable(summarize(bytes).cache)
}
