/**
 * APPLY, GET and RESTORE, the commands with a value (csync.md §1.3, §5, §6, §16): read from the wire, run, and turned into their final line. The same on the
 * csync port and inside IMAP. Answers OK only when what was asked is on disk.
 */
import { ConnectionClosedError, TimeoutError } from '../../net/connection.js'
import { DlistFieldError } from '../dlist.js'
import { DlistSyntaxError } from '../dlist_parser.js'
import type { WireReader } from '../wire_reader.js'
import { APPLIES } from './apply.js'
import type { SessionContext } from './context.js'
import { GETS } from './get.js'
import { Refusal, Refused } from './refusal.js'
import { RESTORES } from './restore.js'

const COMMANDS = { APPLY: APPLIES, GET: GETS, RESTORE: RESTORES }

/**
 * Reads the rest of the command's line, with its literals, and does it.
 * @param reader right behind the command's name
 * @returns the final line without tag and line end; null at the end of the stream
 * @throws {ConnectionClosedError}, {TimeoutError}, {DlistTooBigError}: the conversation is over
 */
export async function runDlistCommand(
  name: 'APPLY' | 'GET' | 'RESTORE',
  reader: WireReader,
  context: SessionContext,
): Promise<string | null> {
  const { staging, log } = context
  const failed = `BAD IMAP_PROTOCOL_ERROR Failed to parse ${name} line`
  if (!(await reader.blank())) return (await reader.line()) === null ? null : failed
  let item: Awaited<ReturnType<WireReader['item']>>
  try {
    item = await reader.item((partition, guid, size) => staging.sink(partition, guid, size))
  } catch (error) {
    if (!(error instanceof DlistSyntaxError)) throw error
    log.notice(`IOERROR: cannot parse ${name} line: ${error.message}`)
    return failed
  }
  const key = item.key.toUpperCase()
  try {
    const command = COMMANDS[name].get(key)
    if (command === undefined) throw new Refusal(Refused.protocol)
    // other processes may have changed the store since
    context.store.refresh()
    await command(context, item.value)
    return 'OK success'
  } catch (error) {
    if (error instanceof DlistFieldError) {
      log.notice(`SYNCERROR: ${name} ${key}: ${error.message}`)
      return `NO ${Refused.badParameters}`
    }
    if (error instanceof Refusal) {
      if (error.message !== '') log.error(`SYNCERROR: ${name} ${key}: ${error.message}`)
      return `NO ${error.line}`
    }
    if (error instanceof ConnectionClosedError || error instanceof TimeoutError) throw error
    // a full disk, a damaged mailbox: this item fails, the session goes on
    log.error(`IOERROR: ${name} ${key}: ${(error as Error).stack ?? error}`)
    return `NO ${Refused.unknown}`
  }
}
