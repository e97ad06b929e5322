/**
 * What two servers' answers are compared by: what they may choose freely is taken out. Free are the wording of texts for
 * people, UIDVALIDITY, identifiers of mailboxes and sessions, and times that are now. Mod-sequences are taken out too and
 * compared apart: what is larger for the one must be larger for the other.
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
  const ids = new Map<string, string>()
  const idOf = (kind: string, id: string): string => {
    if (!ids.has(id)) ids.set(id, `${kind}${ids.size}`)
    return ids.get(id)!
  }
  return steps.map((answers, at) => {
    const lines = answers.map((answer) =>
      withoutWording(answer)
        .replaceAll(user, 'USER')
        .replace(MODSEQ, '$1$2#')
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

/** The mod-sequences that one step's answers show, in their order. */
export function modseqsOf(answers: Answers): number[] {
  return answers.flatMap((answer) => [...answer.matchAll(MODSEQ)].map((match) => Number(match[3])))
}

/** Whether two servers' mod-sequences tell the same story: pairs of what stood at the same place. */
export class ModseqOrder {
  readonly #pairs: [ours: number, cyrus: number][] = []

  /** @returns false, and nothing is kept, when these contradict each other or what came before */
  agrees(ours: readonly number[], cyrus: readonly number[]): boolean {
    const all = [...this.#pairs, ...ours.map((value, n): [number, number] => [value, cyrus[n]!])]
    all.sort((a, b) => a[0] - b[0] || a[1] - b[1])
    for (let n = 1; n < all.length; n += 1)
      if (Math.sign(all[n]![0] - all[n - 1]![0]) !== Math.sign(all[n]![1] - all[n - 1]![1])) return false
    this.#pairs.splice(0, Number.POSITIVE_INFINITY, ...all)
    return true
  }
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
