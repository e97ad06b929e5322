/**
 * What two servers' answers are compared by: what they may choose freely is taken out. Free are the wording of texts for
 * people, UIDVALIDITY, identifiers of mailboxes and sessions, the values (not the order) of mod-sequences, and times that are now.
 */
import type { Answers } from './player.js'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MODSEQ = /\b(HIGHESTMODSEQ|MODSEQ|CREATEDMODSEQ)( \(?)(\d+)/gi

function isNow(text: string): boolean {
  const match = /^ ?(\d+)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text)
  if (!match) return false
  const [, day, month, year, hour, minute, second, sign, zoneHour, zoneMinute] = match
  const at = Date.UTC(
    Number(year),
    MONTHS.indexOf(month!),
    Number(day),
    Number(hour),
    Number(minute) - (Number(zoneHour) * 60 + Number(zoneMinute)) * (sign === '-' ? -1 : 1),
    Number(second),
  )
  return Math.abs(Date.now() - at) < 24 * 3600_000
}

/** All answers of one conversation made comparable. */
export function normalize(steps: readonly Answers[], unordered: readonly boolean[], user: string): Answers[] {
  // mod-sequences by rank: the smallest that was shown is m0
  const shown = new Set<number>()
  for (const answers of steps)
    for (const answer of answers) for (const match of answer.matchAll(MODSEQ)) shown.add(Number(match[3]))
  const ranks = new Map([...shown].sort((a, b) => a - b).map((value, rank) => [value, rank]))
  const ids = new Map<string, string>()
  const idOf = (kind: string, id: string): string => {
    if (!ids.has(id)) ids.set(id, `${kind}${ids.size}`)
    return ids.get(id)!
  }
  return steps.map((answers, at) => {
    const lines = answers.map((answer) =>
      withoutWording(answer)
        .replaceAll(user, 'USER')
        .replace(
          MODSEQ,
          (_, name: string, between: string, value: string) => `${name}${between}m${ranks.get(Number(value))}`,
        )
        .replace(/"( ?\d+-\w{3}-\d{4} [\d:]{8} [+-]\d{4})"/g, (whole, time: string) => (isNow(time) ? '"NOW"' : whole))
        .replace(/\b(UIDVALIDITY) \d+/g, '$1 V')
        .replace(/\b(APPENDUID|COPYUID) \d+/g, '$1 V')
        .replace(/\bMAILBOXID \(([\w-]+)\)/g, (_, id: string) => `MAILBOXID (${idOf('box', id)})`),
    )
    if (unordered[at]) {
      const tagged = lines.pop()!
      lines.sort().push(tagged)
    }
    return lines
  })
}

/** Status and response code stay, the text for people goes. */
function withoutWording(answer: string): string {
  const match = /^(tag|\*) (OK|NO|BAD|BYE|PREAUTH)(?: (\[[^\]]*\]+))?/.exec(answer)
  if (match) {
    // the code may hold brackets itself, as in [PERMANENTFLAGS (…)] or [URLMECH …]
    const code = match[3] ? ` ${wholeCode(answer.slice(answer.indexOf('[')))}` : ''
    return `${match[1]} ${match[2]}${code}`
  }
  return answer.startsWith('+') ? '+' : answer
}

function wholeCode(text: string): string {
  const end = text.indexOf(']')
  return text.slice(0, end + 1)
}

/** A code with which ours says more of a refusal than Cyrus' bare NO or BAD is no difference. */
export function sameLine(ours: string, cyrus: string): boolean {
  if (ours === cyrus) return true
  const refusal = /^tag (?:NO|BAD)$/.exec(cyrus)
  return refusal !== null && ours.startsWith(`${cyrus} [`)
}
