/** A record that a peer tells, added to a mailbox with its message, which must be ready. */
import { Flag, type MailboxWriter, type MessageRecord } from '../../store/store.js'
import type { StoreParts } from '../record_codec.js'
import type { SessionContext } from './context.js'
import { Refusal, Refused } from './refusal.js'
import type { ReadyMessage } from './staging.js'

/**
 * Adds it behind all others. An expunged one comes without its message.
 * @returns whether a message was added
 * @throws {Refusal} if the message was not sent, or is another one; {TooManyFlagsError}
 */
export function appendRecord({ staging, log }: SessionContext, writer: MailboxWriter, parts: StoreParts): boolean {
  const { fields, keywords, annotations } = parts
  const { header } = writer
  const expunged = (fields.flags & Flag.Expunged) !== 0
  let source: ReadyMessage | undefined
  if (!expunged) {
    source = staging.find(header.partition, fields.guid)
    if (source === undefined) {
      log.error(
        `${header.name}: message ${fields.uid} (${fields.guid}) was not uploaded to partition ${header.partition}`,
      )
      throw new Refusal(Refused.unknown)
    }
    if (source.guid !== fields.guid) {
      log.error(
        `IOERROR: ${header.name}: message ${fields.uid}: uploaded as ${fields.guid}, but its bytes are ${source.guid}`,
      )
      throw new Refusal(Refused.unknown)
    }
  }
  const record: MessageRecord = {
    ...fields,
    flags: expunged ? fields.flags | Flag.Unlinked : fields.flags,
    // what readers are promised is what the file has, whatever was announced
    size: source?.size ?? fields.size,
    headerSize: source?.headerSize ?? 0,
    sentdate: source?.sentdate ?? 0,
    userFlags: writer.flagBits(keywords),
  }
  writer.append(record, source?.source, source && staging.cacheOf(source), annotations)
  return source !== undefined
}
