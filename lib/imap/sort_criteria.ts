/** What SORT orders by (RFC 5256 §3, RFC 5257 §4.6, RFC 5957, and Cyrus' own) from its text. Pure. */
import type { ArgumentReader } from './argument_reader.js'

const KEYS = [
  'ARRIVAL',
  'CC',
  'DATE',
  'DISPLAYFROM',
  'DISPLAYTO',
  'FROM',
  'SIZE',
  'SUBJECT',
  'TO',
  'MODSEQ',
  'UID',
  'SAVEDATE',
  'ANNOTATION',
  'FOLDER',
  'HASFLAG',
  'SPAMSCORE',
] as const

export type SortKey = (typeof KEYS)[number]

export interface SortCriterion {
  readonly key: SortKey
  readonly reverse: boolean
  /** of ANNOTATION: whose value of which entry (RFC 5257 §4.6) */
  readonly annotation?: { readonly entry: string; readonly shared: boolean }
  /** of HASFLAG: `\Seen` or a keyword */
  readonly flag?: string
}

const IS_KEY: ReadonlySet<string> = new Set(KEYS)
const MOST = 50

/** `(REVERSE DATE SUBJECT)`. @throws {ImapSyntaxError} */
export function parseSortCriteria(args: ArgumentReader): SortCriterion[] {
  if (!args.tryChar('(')) args.fail('Missing Sort criteria')
  const criteria: SortCriterion[] = []
  do {
    const first = args.keyword()
    const reverse = first === 'REVERSE'
    if (reverse && !args.tryChar(' ')) args.fail('Missing Sort criterion to reverse')
    const key = reverse ? args.keyword() : first
    if (key === '') args.fail('Missing Sort criteria')
    if (!IS_KEY.has(key)) args.fail(`Invalid Sort criterion ${key.toLowerCase().slice(0, 40)}`)
    if (criteria.length >= MOST) args.fail('Too many Sort criteria')
    criteria.push({
      key: key as SortKey,
      reverse,
      ...(key === 'ANNOTATION' && { annotation: parseAnnotation(args) }),
      ...(key === 'HASFLAG' && { flag: parseFlag(args) }),
    })
  } while (args.tryChar(' '))
  if (!args.tryChar(')')) args.fail('Missing close parenthesis in Sort')
  return criteria
}

/** ` \Flagged` */
function parseFlag(args: ArgumentReader): string {
  if (!args.tryChar(' ')) args.fail('Missing argument to Sort criterion hasflag')
  return args.flag('Missing argument to Sort criterion hasflag')
}

/** ` /comment value.priv` */
function parseAnnotation(args: ArgumentReader): { entry: string; shared: boolean } {
  args.space()
  const entry = args.astring().toString('latin1').toLowerCase()
  args.space()
  const attribute = args.astring().toString('latin1').toLowerCase()
  if (attribute !== 'value.shared' && attribute !== 'value.priv') args.fail('Invalid Sort criterion annotation')
  return { entry, shared: attribute === 'value.shared' }
}
