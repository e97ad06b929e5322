/**
 * Files of a user's Sieve directory (csync-2.3.md §4.12): `NAME.script` and its byte code `NAME.bc`, opaque. They are kept as they come; a script is
 * also put where the rest of the suite has scripts (lib/mailbox/sieve_scripts.ts), so that it goes on to replicas of later generations.
 */
import {
  activateSieveScript,
  isScriptName,
  putSieveScript,
  removeSieveScript,
  sieveScripts,
} from '../../../mailbox/sieve_scripts.js'
import { MailboxGoneError, type MailStore, syncLogLine } from '../../../store/store.js'
import { bytesOf, textOf } from '../../dlist.js'
import { number32Of, quoted } from '../text.js'
import { ArgumentFault, argumentsOf, type Command, Reason, reasonOf } from './context.js'

/** A file as it is listed. */
export interface ListedFile {
  readonly name: string
  readonly mtime: number
  readonly active: boolean
}

const SOURCE = '.script'
const CODE = '.bc'

/** A user's files: those that a peer told, in the order in which they came, and scripts that came otherwise. */
export async function listFiles(store: MailStore, userid: string): Promise<ListedFile[]> {
  const files = store.sieveFiles(userid)
  const found: ListedFile[] = files
    .filter(([name]) => isFileName(name))
    .map(([name, { mtime, active }]) => ({ name, mtime, active }))
  const known = new Set(found.map(({ name }) => name))
  for (const { name, lastUpdate } of await sieveScripts(store, userid))
    if (!known.has(name + SOURCE)) found.push({ name: name + SOURCE, mtime: lastUpdate, active: false })
  return found
}

/** What a file name may be: nothing that leaves a directory. */
function isFileName(name: string): boolean {
  return name.length <= 520 && name !== '.' && name !== '..' && isScriptName(name)
}

const scriptOf = (name: string): string | undefined =>
  name.endsWith(SOURCE) ? name.slice(0, -SOURCE.length) : undefined

/** LIST_SIEVE. */
export const listSieve: Command = async (context, line) => {
  const [userid = ''] = (await argumentsOf(line, 1)).map(textOf)
  for (const { name, mtime, active } of await listFiles(context.store, userid))
    await context.send(`* ${quoted(bytesOf(name))} ${mtime}${active ? ' *' : ''}\r\n`)
  return 'OK List_sieve completed'
}

/** GET_SIEVE: the bytes stand on the last line. */
export const getSieve: Command = async ({ store }, line) => {
  const [userid = '', name = ''] = (await argumentsOf(line, 2)).map(textOf)
  const file = store.sieveFiles(userid).find(([each]) => each === name)?.[1]
  const script = scriptOf(name)
  const content = file?.content ?? (await sieveScripts(store, userid)).find((each) => each.name === script)?.content
  return content === undefined ? 'NO No such sieve file' : `OK {${content.length}+}\r\n${content.toString('latin1')}`
}

/** UPLOAD_SIEVE. */
export const uploadSieve: Command = async (context, line) => {
  const [user = '', file = '', number = '', data = ''] = await argumentsOf(line, 4)
  const mtime = number32Of(number)
  if (mtime === undefined) throw new ArgumentFault('invalid')
  const [userid, name, content] = [textOf(user), textOf(file), Buffer.from(data, 'latin1')]
  if (userid === '' || userid.length > 512 || !isFileName(name)) return `NO Upload_sieve failed: ${Reason.badName}`
  const { store } = context
  try {
    await context.write((txn) => {
      const files = [...txn.tables.sieveFiles.getRange({ start: [userid, ''], end: [userid, '\uffff'] })]
      const before = files.find(({ key }) => key[1] === name)?.value
      const order = before?.order ?? 1 + Math.max(0, ...files.map(({ value }) => value.order))
      txn.setSieveFile(userid, name, { mtime, content, order, active: before?.active ?? false })
      txn.log(syncLogLine('META', userid))
    })
    const script = scriptOf(name)
    if (script !== undefined && isScriptName(script)) {
      const there = (await sieveScripts(store, userid)).find((each) => each.name === script)
      if (there === undefined || !there.content.equals(content)) await putSieveScript(store, userid, script, content)
    }
  } catch (error) {
    // scripts of a user without INBOX are kept as files only
    if (!(error instanceof MailboxGoneError)) return `NO Upload_sieve failed: ${reasonOf(context, error)}`
  }
  return 'OK Upload_sieve completed'
}

async function activate(context: Parameters<Command>[0], userid: string, name: string | undefined): Promise<void> {
  await context.write((txn) => {
    const files = [...txn.tables.sieveFiles.getRange({ start: [userid, ''], end: [userid, '\uffff'] })]
    for (const { key, value } of files) {
      const active = key[1] === name
      if (value.active !== active) txn.setSieveFile(userid, key[1], { ...value, active })
    }
    txn.log(syncLogLine('META', userid))
  })
  const script = name?.endsWith(CODE) ? name.slice(0, -CODE.length) : name
  await activateSieveScript(context.store, userid, script)
}

/** ACTIVATE_SIEVE. Whether there is such a file does not matter; one that is not here is not run. */
export const activateSieve: Command = async (context, line) => {
  const [userid = '', name = ''] = (await argumentsOf(line, 2)).map(textOf)
  await activate(context, userid, name)
  return 'OK Activate_sieve completed'
}

/** DEACTIVATE_SIEVE. */
export const deactivateSieve: Command = async (context, line) => {
  const [userid = ''] = (await argumentsOf(line, 1)).map(textOf)
  await activate(context, userid, undefined)
  return 'OK Deactivate_sieve completed'
}

/** DELETE_SIEVE. Deleting what is not there is no error, unless the user has nothing at all. */
export const deleteSieve: Command = async (context, line) => {
  const [user = '', file = ''] = await argumentsOf(line, 2)
  const [userid, name] = [textOf(user), textOf(file)]
  const { store } = context
  const files = await listFiles(store, userid)
  if (files.length === 0) return `NO Delete_sieve ${user} failed: ${Reason.io}`
  if (files.find((each) => each.name === name)?.active) await activate(context, userid, undefined)
  await context.write((txn) => {
    txn.setSieveFile(userid, name, undefined)
    txn.log(syncLogLine('META', userid))
  })
  const script = scriptOf(name)
  if (script !== undefined) await removeSieveScript(store, userid, script)
  return 'OK Delete_sieve completed'
}
