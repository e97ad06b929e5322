/** LIST_ANNOTATIONS and SETANNOTATION (csync-2.3.md §4.9). */

import { canonicalValue, settableEntry } from '../../../mailbox/annotation_entries.js'
import { annotateMailbox, setServerAnnotations } from '../../../mailbox/annotations.js'
import { MailboxGoneError, type MailboxHeader, syncLogLine } from '../../../store/store.js'
import { bytesOf, textOf } from '../../dlist.js'
import { listedAnnotations } from '../listed_annotations.js'
import { CONDSTORE } from '../mailbox_lines.js'
import { shownMailbox } from '../shown.js'
import { astring, nameArgument } from '../text.js'
import { argumentsOf, type Command, type Context, Reason } from './context.js'

/** LIST_ANNOTATIONS. A mailbox that is not here has none. */
export const listAnnotations: Command = async (context, line) => {
  const [name = ''] = (await argumentsOf(line, 1)).map(textOf)
  for (const { entry, userid, value } of listedAnnotations(context.store, name))
    await context.send(`* ${nameArgument(entry)} ${nameArgument(userid)} ${astring(value.toString('latin1'))}\r\n`)
  return 'OK List_annotations completed'
}

/** SETANNOTATION; `NIL` removes. Userid '' is the shared value. Only what we know can be set, or what `annotation_definitions` tells. */
export const setAnnotation: Command = async (context, line) => {
  const [bytes = '', entryBytes = '', user = '', text = ''] = await argumentsOf(line, 4)
  const [name, entry, userid] = [textOf(bytes), textOf(entryBytes).toLowerCase(), textOf(user)]
  const failed = (why: string): string =>
    `NO Setannotation ${bytes} failed: ${entryBytes} ${user} ${text.slice(0, 100).replace(/[\r\n]/g, ' ')} ${why}`
  const mailbox = name === '' ? undefined : shownMailbox(context.store, name)
  if (name !== '' && mailbox === undefined) return failed(Reason.nonexistent)
  const value =
    text.toUpperCase() === 'NIL' ? undefined : storedValue(context, mailbox, entry, Buffer.from(text, 'latin1'))
  if (value === null || userid.length > 512) return failed(Reason.denied)
  const change = { entry, userid, value }
  try {
    if (mailbox === undefined) await setServerAnnotations(context.store, [change])
    else
      await context.write((txn) => {
        const writer = txn.mustMailbox(mailbox.id)
        annotateMailbox(txn, writer, [change])
        txn.log(syncLogLine('ANNOTATION', writer.header.name))
      })
  } catch (error) {
    if (error instanceof MailboxGoneError) return failed(Reason.nonexistent)
    throw error
  }
  return 'OK Setannotation completed'
}

/** @returns the value as it is kept; null if there is no such annotation */
function storedValue(
  { config }: Context,
  mailbox: MailboxHeader | undefined,
  entry: string,
  value: Buffer,
): Buffer | null {
  if (mailbox !== undefined && entry === CONDSTORE) return Buffer.from(bytesOf(value.toString().toLowerCase()))
  const known = settableEntry(config, mailbox === undefined ? 'server' : 'mailbox', entry)
  if (known === undefined) return null
  try {
    return canonicalValue(known, value)
  } catch {
    // the master has it so
    return value
  }
}
