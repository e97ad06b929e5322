/** What tells an administrator which message one is: its addresses and subject, readable, one line each. */
import { decodeHeader } from '../../lib/message/encoded_words.js'
import { headerFields, unfolded } from '../../lib/message/header_fields.js'
import type { MailboxHeader, MailStore, MessageRecord } from '../../lib/store/store.js'

const SHOWN: readonly (readonly [label: string, field: string])[] = [
  ['From', 'from'],
  ['To', 'to'],
  ['Cc', 'cc'],
  ['Bcc', 'bcc'],
  ['Subj', 'subject'],
]
const LONGEST = 500

/** @returns labels and values; a message that cannot be read says why */
export async function mimeSummary(
  store: MailStore,
  mailbox: MailboxHeader,
  { uid, size, headerSize }: MessageRecord,
): Promise<(readonly [label: string, value: string])[]> {
  let text: string
  try {
    text = (await store.readMessage(mailbox, uid, size)).toString('latin1', 0, headerSize)
  } catch (error) {
    return [['ERROR', (error as Error).message]]
  }
  const fields = headerFields(text)
  return SHOWN.map(([label, name]) => {
    const field = fields.find((each) => each.name === name)
    const value = field === undefined ? '' : decodeHeader(unfolded(text, field).trim())
    return [label, value.replace(/[\p{Cc}]/gu, ' ').slice(0, LONGEST)]
  })
}
