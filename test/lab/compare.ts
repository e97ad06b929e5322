/** Two instances compared over IMAP as their users see them: mailboxes, rights, quota, annotations, subscriptions, UIDs, flags, dates, the bytes of every message. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ImapClient, Value } from './imap_client.js'
import type { Instance } from './instance.js'
import type { Lab } from './lab.js'

/** Everything that must be the same, in a form that prints well: path → value. */
export type View = Map<string, string>

const text = (value: Value | undefined): string =>
  Buffer.isBuffer(value) ? value.toString('latin1') : value === null ? 'NIL' : ''

/** What one user sees. */
export async function viewOf(client: ImapClient): Promise<View> {
  const view: View = new Map()
  const names: string[] = []
  for (const { raw, values } of listLines(await client.ok('LIST "" "*"'), 'LIST')) {
    const name = text(values[3])
    names.push(name)
    view.set(`${name} exists`, raw.includes('Noselect') ? 'as a parent' : 'yes')
    if (raw.includes('Noselect')) names.pop()
  }
  for (const { values } of listLines(await client.ok('LSUB "" "*"'), 'LSUB'))
    view.set(`${text(values[3])} subscribed`, 'yes')
  for (const name of names) {
    await viewMailbox(client, name, view)
    await viewProperties(client, name, view)
  }
  return view
}

/** What else there is to know of a mailbox, as far as its user may ask for it. */
async function viewProperties(client: ImapClient, name: string, view: View): Promise<void> {
  const note = async (what: string, command: string, kind: string, read: (values: Value[]) => string[]) => {
    const { status, untagged } = await client.command(command)
    const facts = untagged
      .filter((response) => response.text.startsWith(`* ${kind} `))
      .flatMap((response) => read(response.values()))
    // without the right to ask, or with nothing to tell, there is nothing
    if (status === 'OK' && facts.length > 0) view.set(`${name} ${what}`, facts.sort().join(' '))
  }
  const letters = (rights: string): string => [...rights].sort().join('')
  await note('rights', `GETACL ${quote(name)}`, 'ACL', ([, , ...words]) =>
    words.flatMap((who, n) => (n % 2 === 0 ? [`${text(who)}:${letters(text(words[n + 1]))}`] : [])),
  )
  await note('quota', `GETQUOTAROOT ${quote(name)}`, 'QUOTA', ([, root, resources]) => {
    const words = (resources as Value[]).map(text)
    return words.flatMap((resource, n) =>
      n % 3 === 0 ? [`${text(root)}:${resource}:${words[n + 1]}/${words[n + 2]}`] : [],
    )
  })
  await note('comments', `GETMETADATA ${quote(name)} (/shared/comment /private/comment)`, 'METADATA', ([, , list]) => {
    const words = (list as Value[]).map(text)
    return words.flatMap((entry, n) => (n % 2 === 0 ? [`${entry}:${words[n + 1]}`] : []))
  })
}

const quote = (name: string): string => `"${name.replace(/[\\"]/g, '\\$&')}"`

function listLines(
  { untagged }: { untagged: { text: string; values(): Value[] }[] },
  kind: string,
): { raw: string; values: Value[] }[] {
  return untagged
    .filter((response) => response.text.startsWith(`* ${kind} `))
    .map((response) => ({ raw: response.text, values: response.values() }))
}

async function viewMailbox(client: ImapClient, name: string, view: View): Promise<void> {
  const { untagged } = await client.ok(`EXAMINE ${quote(name)}`)
  for (const response of untagged) {
    const code = /\[(UIDVALIDITY|UIDNEXT) (\d+)\]/.exec(response.text)
    if (code !== null) view.set(`${name} ${code[1]}`, code[2]!)
    const exists = /^\* (\d+) EXISTS/.exec(response.text)
    if (exists !== null) view.set(`${name} EXISTS`, exists[1]!)
  }
  if (view.get(`${name} EXISTS`) === '0') return
  const fetched = await client.ok('UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])')
  for (const response of fetched.untagged) {
    const [, kind, items] = response.values()
    if (text(kind) !== 'FETCH' || !Array.isArray(items)) continue
    const item = new Map<string, Value>()
    for (let n = 0; n + 1 < items.length; n += 2) item.set(text(items[n]).toUpperCase(), items[n + 1]!)
    const uid = text(item.get('UID'))
    const flags = (item.get('FLAGS') as Value[]).map(text).filter((flag) => flag !== '\\Recent')
    const body = item.get('BODY[]') as Buffer
    view.set(
      `${name} ${uid} flags`,
      flags
        .map((flag) => flag.toLowerCase())
        .sort()
        .join(' '),
    )
    view.set(`${name} ${uid} internaldate`, text(item.get('INTERNALDATE')).trim())
    view.set(`${name} ${uid} size`, text(item.get('RFC822.SIZE')))
    view.set(`${name} ${uid} sha1`, createHash('sha1').update(body).digest('hex'))
  }
}

/** What differs, a line each; `same` counts what does not. */
export interface Comparison {
  differences: string[]
  mailboxes: number
  messages: number
}

export function compareViews(user: string, a: View, b: View): Comparison {
  const differences: string[] = []
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const [left, right] = [a.get(key), b.get(key)]
    if (left !== right)
      differences.push(`${user}: ${key}: ${left ?? 'absent'} on the master, ${right ?? 'absent'} on the replica`)
  }
  const count = (suffix: string) => [...a.keys()].filter((key) => key.endsWith(suffix)).length
  return { differences, mailboxes: count(' UIDVALIDITY'), messages: count(' sha1') }
}

/** Compares all users once. */
export async function compare(
  lab: Lab,
  users: readonly string[] = lab.topology.users,
  from: Instance = lab.master,
  to: Instance = lab.replica,
): Promise<Comparison> {
  const total: Comparison = { differences: [], mailboxes: 0, messages: 0 }
  for (const user of users) {
    const [left, right] = await Promise.all([from, to].map((instance) => viewFrom(lab, user, instance)))
    const one = compareViews(user, left!, right!)
    total.differences.push(...one.differences)
    total.mailboxes += one.mailboxes
    total.messages += one.messages
  }
  return total
}

async function viewFrom(lab: Lab, user: string, instance: Instance): Promise<View> {
  const client = await lab.login(user, instance)
  try {
    return await viewOf(client)
  } finally {
    client.close()
  }
}

/** Compares until both are equal. @returns the last comparison, with its differences if `seconds` did not suffice */
export async function compareUntilEqual(lab: Lab, seconds = 30, users?: readonly string[]): Promise<Comparison> {
  const end = Date.now() + seconds * 1000
  for (;;) {
    let last: Comparison
    try {
      last = await compare(lab, users)
    } catch (error) {
      last = { differences: [(error as Error).message], mailboxes: 0, messages: 0 }
    }
    if (last.differences.length === 0 || Date.now() > end) return last
    await sleep(50)
  }
}
