/** Making a user's INBOX, and what goes with it, when they first log in or get mail (Cyrus' autocreate_* options). */
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Config } from '../config/config.js'
import type { MailStore } from '../store/store.js'
import { changedAcl, setAcl } from './access.js'
import { rightsOf } from './acl.js'
import { createMailbox } from './folders.js'
import { inboxOf, isPersonal, nameProblem } from './names.js'
import { setQuota } from './quota.js'
import { activateSieveScript, isScriptName, putSieveScript } from './sieve_scripts.js'
import { canonicalUses, SPECIAL_USE } from './special_use.js'
import { setSubscribed } from './subscriptions.js'

/** `a | b` as its parts. */
const partsOf = (text: string | undefined): string[] =>
  (text ?? '').split('|').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))

/** A folder of the options below a user's INBOX. */
function folderName(config: Config, userid: string, folder: string): string {
  const inward = config.switch('unixhierarchysep') ? folder.replaceAll('.', '^').replaceAll('/', '.') : folder
  return `${inboxOf(userid)}.${inward}`
}

/** Whether an INBOX is to be made for users who have none, when they log in. */
export function autocreates(config: Config): boolean {
  return config.size('autocreate_quota') >= 0
}

/**
 * Makes a user's INBOX with quota, folders, rights and subscriptions. What cannot be made is logged and left out.
 * @param exempt an administrator or proxy, who gets none
 * @returns whether there is an INBOX now
 */
export async function autocreate(store: MailStore, userid: string, exempt: boolean): Promise<boolean> {
  const { config, log } = store
  const inbox = inboxOf(userid)
  if (store.mailbox(inbox) !== undefined) return true
  const users = config.list('autocreate_users')
  const isMeant = users.includes('anyone') || users.includes(userid)
  if (exempt || !isMeant || userid === 'anonymous' || nameProblem(inbox) !== undefined) return false
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      log.warning(`autocreateinbox: user ${userid}: ${what}: ${(error as Error).message}`)
      return false
    }
  }
  if (!(await attempt('INBOX', () => createMailbox(store, inbox)))) return store.mailbox(inbox) !== undefined
  await setSubscribed(store, userid, inbox, true)
  const bytes = config.size('autocreate_quota')
  const messages = config.int('autocreate_quota_messages')
  if (bytes >= 0 || messages >= 0)
    await attempt('quota', () =>
      setQuota(store, inbox, {
        ...(bytes > 0 && { STORAGE: Math.floor(bytes / 1024) }),
        ...(messages > 0 && { MESSAGE: messages }),
      }),
    )
  log.notice(`autocreateinbox: user ${userid}: INBOX was made`)
  const subscribed = partsOf(config.string('autocreate_subscribe_folders'))
  for (const folder of partsOf(config.string('autocreate_inbox_folders'))) {
    const name = folderName(config, userid, folder)
    const made = await attempt(`folder ${folder}`, async () => {
      const uses = usesOf(config, folder)
      const value = uses === '' ? undefined : Buffer.from(canonicalUses(store, userid, uses, name))
      const annotations = value === undefined ? [] : [{ entry: SPECIAL_USE, userid, value }]
      const mailbox = await createMailbox(store, name, { annotations })
      for (const [identifier, rights] of rightsFor(config, folder))
        await setAcl(store, mailbox, (acl) => changedAcl(acl, identifier, { mode: 'add', rights }))
    })
    if (made && subscribed.includes(folder)) await setSubscribed(store, userid, name, true)
  }
  const script = config.string('autocreate_sieve_script')
  if (script) await attempt(script, () => giveScript(store, userid, script))
  await subscribeShared(store, userid)
  return true
}

/** The active Sieve script of a new user, from a file. */
async function giveScript(store: MailStore, userid: string, path: string): Promise<void> {
  const name = basename(path).replace(/\.(?:script|siv|sieve)$/, '')
  if (!isScriptName(name)) throw new Error('the file has no name that a script could have')
  await putSieveScript(store, userid, name, await readFile(path))
  await activateSieveScript(store, userid, name)
}

/** `xlist-junk: Spam` makes Spam `\Junk`. */
function usesOf(config: Config, folder: string): string {
  return config
    .names()
    .filter((name) => name.startsWith('xlist-') && config.overflow(name) === folder)
    .map((name) => name.slice('xlist-'.length))
    .join(' ')
}

/** `autocreate_acl: FOLDER IDENTIFIER RIGHTS, …`. */
function rightsFor(config: Config, folder: string): [identifier: string, rights: string][] {
  return (config.string('autocreate_acl') ?? '').split(',').flatMap((one) => {
    const words = /^\s*(.+?)\s+(\S+)\s+(\S+)\s*$/.exec(one)
    return words !== null && words[1] === folder ? [[words[2]!, words[3]!] as [string, string]] : []
  })
}

async function subscribeShared(store: MailStore, userid: string): Promise<void> {
  const { config } = store
  const all = config.switch('autocreate_subscribe_sharedfolders_all')
  const named = partsOf(config.string('autocreate_subscribe_sharedfolders')).map((name) =>
    config.switch('unixhierarchysep') ? name.replaceAll('.', '^').replaceAll('/', '.') : name,
  )
  const candidates = all ? [...['anyone', userid].flatMap((identifier) => listed(store, identifier))] : named
  for (const name of new Set(candidates)) {
    const mailbox = isPersonal(name) ? undefined : store.mailbox(name)
    if (mailbox !== undefined && rightsOf(mailbox, userid, false).has('l'))
      await setSubscribed(store, userid, name, true)
  }
}

function listed(store: MailStore, identifier: string): string[] {
  const names: string[] = []
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page = store.mailboxPage(from, '', identifier)
    names.push(...page.found.map(({ name }) => name))
    from = page.next
  }
  return names
}
