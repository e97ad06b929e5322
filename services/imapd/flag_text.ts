/** Flags of messages as the client sees them, in Cyrus' order. */
import { Flag, type MailboxHeader, type MailboxIndex } from '../../lib/store/store.js'

/** Names and bits in the order in which FETCH shows them. */
const SHOWN: readonly (readonly [string, number])[] = [
  ['\\Answered', Flag.Answered],
  ['\\Flagged', Flag.Flagged],
  ['\\Draft', Flag.Draft],
  ['\\Deleted', Flag.Deleted],
]

const BITS = new Map<string, number>([
  ...SHOWN.map(([name, bit]) => [name.toLowerCase(), bit] as const),
  ['\\seen', Flag.Seen],
])

/** The bit of a system flag in any case; undefined for what is none. */
export function systemFlag(name: string): number | undefined {
  return BITS.get(name.toLowerCase())
}

/** Texts of all combinations of system flags, made when first wanted. */
const combinations = new Map<number, string>()

function systemText(flags: number, seen: boolean, recent: boolean): string {
  const known = flags & (Flag.Answered | Flag.Flagged | Flag.Draft | Flag.Deleted)
  const key = known | (seen ? 1 << 10 : 0) | (recent ? 1 << 11 : 0)
  let text = combinations.get(key)
  if (text === undefined) {
    const names = SHOWN.filter(([, bit]) => known & bit).map(([name]) => name)
    if (recent) names.unshift('\\Recent')
    if (seen) names.push('\\Seen')
    text = names.join(' ')
    combinations.set(key, text)
  }
  return text
}

/** `(\Answered \Seen word)` of a row. */
export function flagList(index: MailboxIndex, row: number, seen: boolean, recent: boolean): string {
  let text = systemText(index.flags(row), seen, recent)
  const { userFlags } = index.header
  for (let word = 0; word * 32 < userFlags.length; word += 1) {
    let bits = index.userFlagWord(row, word)
    for (let slot = word * 32; bits !== 0; slot += 1, bits >>>= 1) {
      const name = bits & 1 ? userFlags[slot] : undefined
      if (name) text += text === '' ? name : ` ${name}`
    }
  }
  return `(${text})`
}

/** All keywords of a mailbox, each with a space before it. */
export function keywordList(header: MailboxHeader): string {
  return header.userFlags.map((name) => (name === null ? '' : ` ${name}`)).join('')
}
