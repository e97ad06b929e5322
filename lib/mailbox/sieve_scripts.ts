/**
 * Sieve scripts of a user, kept as Cyrus 3.6 keeps them: messages of the mailbox `user.NAME.#sieve` (type `f`), the script's name as Subject, the
 * script as body; the active one is \Flagged. Scripts are kept and replicated; nothing of ours runs them.
 */
import { createHash, randomBytes } from 'node:crypto'
import { decodeHeader } from '../message/encoded_words.js'
import { headerFields } from '../message/header_fields.js'
import { Flag, MailboxExistsError, type MailboxHeader, type MailStore } from '../store/store.js'
import { createMailbox } from './folders.js'
import { appendMessages, expungeMessages, storeFlags } from './messages.js'
import { inboxOf } from './names.js'

/** One script. */
export interface SieveScript {
  readonly name: string
  /** SHA-1 of the script, 40 lower-case hex digits */
  readonly guid: string
  /** unix seconds */
  readonly lastUpdate: number
  readonly active: boolean
  /** of the message that holds it */
  readonly uid: number
  readonly content: Buffer
}

const SEPARATOR = Buffer.from('\r\n\r\n')

/** Whether a text can name a script: 1 to 512 characters without controls and slashes (RFC 5804 §1.6). */
export function isScriptName(name: string): boolean {
  return name.length > 0 && name.length <= 512 && !/[\x00-\x1f\x7f-\x9f/\u2028\u2029]/.test(name)
}

function mailboxOf(store: MailStore, userid: string): MailboxHeader | undefined {
  return store.mailbox(`${inboxOf(userid)}.#sieve`)
}

/** A user's scripts, by the order in which they came; of two with one name the later. */
export async function sieveScripts(store: MailStore, userid: string): Promise<SieveScript[]> {
  const mailbox = mailboxOf(store, userid)
  const index = mailbox && store.index(mailbox.id)
  if (index === undefined) return []
  const scripts = new Map<string, SieveScript>()
  for (let row = 0; row < index.length; row++) {
    if (index.flags(row) & (Flag.Expunged | Flag.Unlinked)) continue
    const { uid, internaldate, flags } = index.record(row)
    const message = await store.readMessage(index.header, uid)
    const end = message.indexOf(SEPARATOR)
    if (end < 0) continue
    const text = message.toString('latin1', 0, end + 2)
    const subject = headerFields(text).find((field) => field.name === 'subject')
    if (subject === undefined) continue
    const name = decodeHeader(text.slice(subject.valueStart, subject.end).replace(/\r?\n/g, '')).trim()
    const content = message.subarray(end + SEPARATOR.length)
    scripts.delete(name)
    scripts.set(name, {
      name,
      guid: createHash('sha1').update(content).digest('hex'),
      lastUpdate: internaldate,
      active: (flags & Flag.Flagged) !== 0,
      uid,
      content,
    })
  }
  return [...scripts.values()]
}

/** Stores a script, in the place of one of the same name, whose being active it takes over. @throws {MailboxGoneError} if there is no such user */
export async function putSieveScript(store: MailStore, userid: string, name: string, content: Buffer): Promise<void> {
  const before = (await sieveScripts(store, userid)).find((script) => script.name === name)
  const mailbox = mailboxOf(store, userid) ?? (await makeMailbox(store, userid))
  const message = Buffer.concat([header(store, userid, name, content), content])
  const staged = await store.stageBuffer(mailbox.partition, message)
  try {
    const flags = before?.active ? Flag.Flagged : 0
    const replaces = before === undefined ? undefined : { mailbox, uid: before.uid }
    await appendMessages(store, mailbox, [{ staged, flags, keywords: [] }], { replaces })
  } finally {
    store.unstage(staged)
  }
}

/** @returns whether there was such a script */
export async function removeSieveScript(store: MailStore, userid: string, name: string): Promise<boolean> {
  const mailbox = mailboxOf(store, userid)
  const script = (await sieveScripts(store, userid)).find((each) => each.name === name)
  if (mailbox === undefined || script === undefined) return false
  await expungeMessages(store, mailbox, [script.uid])
  return true
}

/** Makes one script the active one, or with undefined none. @returns false if there is no such script, and nothing was changed */
export async function activateSieveScript(
  store: MailStore,
  userid: string,
  name: string | undefined,
): Promise<boolean> {
  const mailbox = mailboxOf(store, userid)
  const scripts = await sieveScripts(store, userid)
  const wanted = scripts.find((script) => script.name === name)
  if (mailbox === undefined || (name !== undefined && wanted === undefined)) return name === undefined
  const others = scripts.filter((script) => script.active && script !== wanted).map(({ uid }) => uid)
  const change = { flags: Flag.Flagged, keywords: [] }
  if (wanted !== undefined && !wanted.active)
    await storeFlags(store, mailbox, [wanted.uid], { mode: 'add', ...change }, userid)
  if (others.length > 0) await storeFlags(store, mailbox, others, { mode: 'remove', ...change }, userid)
  return true
}

async function makeMailbox(store: MailStore, userid: string): Promise<MailboxHeader> {
  const name = `${inboxOf(userid)}.#sieve`
  try {
    return await createMailbox(store, name, { mbtype: 'f' })
  } catch (error) {
    if (error instanceof MailboxExistsError) return store.mailbox(name)!
    throw error
  }
}

function header(store: MailStore, userid: string, name: string, content: Buffer): Buffer {
  const host = store.config.string('servername') || 'localhost'
  const address = userid.includes('@') ? userid : `${userid}@${host}`
  const subject = /^[\x20-\x7e]*$/.test(name) ? name : `=?UTF-8?B?${Buffer.from(name).toString('base64')}?=`
  const date = new Date().toUTCString().replace('GMT', '+0000')
  return Buffer.from(
    `From: <${address}>\r\nSubject: ${subject}\r\nDate: ${date}\r\n` +
      `Message-ID: <${createHash('sha1').update(content).digest('hex')}@${host}>\r\n` +
      `Content-Type: application/sieve; charset=utf-8\r\nContent-Length: ${content.length}\r\n` +
      `Content-Disposition: attachment;\r\n\tfilename="${randomBytes(12).toString('hex')}.sieve"\r\nMIME-Version: 1.0\r\n\r\n`,
  )
}
