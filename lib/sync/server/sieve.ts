/**
 * Sieve scripts with peers that do not know SIEVE-MAILBOX (csync.md §4.5, §5.11): scripts by name, `NAME.script`, and which is active, `NAME.bc`.
 */
import {
  activateSieveScript,
  isScriptName,
  putSieveScript,
  removeSieveScript,
  sieveScripts,
} from '../../mailbox/sieve_scripts.js'
import { MailboxGoneError } from '../../store/store.js'
import { type Dlist, DlistFieldError, DlistMap, field } from '../dlist.js'
import { writeSieve } from '../user_codec.js'
import type { SessionContext } from './context.js'
import { Refusal, Refused } from './refusal.js'

const NULL_GUID = '0'.repeat(40)

function mapOf(value: Dlist): DlistMap {
  if (!(value instanceof DlistMap)) throw new DlistFieldError('a list of keys is needed')
  return value
}

/** FILENAME without its suffix; undefined if it has another one. @throws {DlistFieldError} */
function scriptIn(map: DlistMap, suffix: '.script' | '.bc'): string | undefined {
  const filename = field.string(map, 'FILENAME')
  if (!filename.endsWith(suffix)) return undefined
  const name = filename.slice(0, -suffix.length)
  if (!isScriptName(name)) throw new DlistFieldError('FILENAME cannot name a script')
  return name
}

/** APPLY SIEVE. Compiled scripts (`.bc`) and anything else are not kept. */
export async function applySieve({ store }: SessionContext, value: Dlist): Promise<void> {
  const map = mapOf(value)
  const userid = field.string(map, 'USERID')
  field.number(map, 'LAST_UPDATE')
  const content = field.bytes(map, 'CONTENT')
  const name = scriptIn(map, '.script')
  if (name === undefined) return
  try {
    await putSieveScript(store, userid, name, content)
  } catch (error) {
    if (error instanceof MailboxGoneError) throw new Refusal(Refused.nonexistent)
    throw error
  }
}

/** APPLY UNSIEVE. That of the active `.bc` ends its being active: a real client says so when nothing is active any more (captured 19c). */
export async function applyUnsieve({ store }: SessionContext, value: Dlist): Promise<void> {
  const map = mapOf(value)
  const userid = field.string(map, 'USERID')
  const compiled = scriptIn(map, '.bc')
  if (compiled !== undefined) {
    const active = (await sieveScripts(store, userid)).find((script) => script.active)
    if (active?.name === compiled) await activateSieveScript(store, userid, undefined)
    return
  }
  const name = scriptIn(map, '.script')
  if (name !== undefined && !(await removeSieveScript(store, userid, name))) throw new Refusal(Refused.unknown)
}

/** APPLY ACTIVATE_SIEVE. */
export async function applyActivateSieve({ store }: SessionContext, value: Dlist): Promise<void> {
  const map = mapOf(value)
  const name = scriptIn(map, '.bc')
  if (name === undefined || !(await activateSieveScript(store, field.string(map, 'USERID'), name)))
    throw new Refusal(Refused.unknown)
}

/** APPLY UNACTIVATE_SIEVE. */
export async function applyUnactivateSieve({ store }: SessionContext, value: Dlist): Promise<void> {
  await activateSieveScript(store, field.string(mapOf(value), 'USERID'), undefined)
}

/** `* SIEVE` lines of GET USER and GET META. */
export async function sendSieve({ store, sieveMailbox, send }: SessionContext, userid: string): Promise<void> {
  if (sieveMailbox) return
  for (const { name, lastUpdate, guid, active } of await sieveScripts(store, userid)) {
    await send(`* SIEVE ${writeSieve({ filename: `${name}.script`, lastUpdate, guid, active: false }, 'server')}\r\n`)
    if (active)
      await send(
        `* SIEVE ${writeSieve({ filename: `${name}.bc`, lastUpdate: 0, guid: NULL_GUID, active }, 'server')}\r\n`,
      )
  }
}
