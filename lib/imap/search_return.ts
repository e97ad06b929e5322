/** `RETURN (…)` of SEARCH and SORT (RFC 4731, 5182, 5267, 6203, 9394) from its text. Pure. */
import type { ArgumentReader } from './argument_reader.js'
import { type FetchRequest, parseFetchAttributes } from './fetch_items.js'
import { type PartialRange, parsePartialRange } from './partial_range.js'

export interface ReturnOptions {
  readonly names: ReadonlySet<ReturnName>
  readonly partial: PartialRange | undefined
  /** what UPDATE has told of new messages (RFC 5465 §7) */
  readonly update: FetchRequest | undefined
}

export type ReturnName = 'MIN' | 'MAX' | 'ALL' | 'COUNT' | 'SAVE' | 'RELEVANCY' | 'PARTIAL' | 'CONTEXT' | 'UPDATE'

const NAMES: ReadonlySet<string> = new Set<ReturnName>([
  'MIN',
  'MAX',
  'ALL',
  'COUNT',
  'SAVE',
  'RELEVANCY',
  'PARTIAL',
  'CONTEXT',
  'UPDATE',
])

/**
 * @returns undefined when the arguments do not begin with RETURN; an empty list means ALL. The space behind is taken.
 * @throws {ImapSyntaxError}
 */
export function parseReturn(args: ArgumentReader): ReturnOptions | undefined {
  if (!/^return[ (]/i.test(args.bytes.toString('latin1', args.offset, args.offset + 7))) return undefined
  args.keyword()
  args.space()
  if (args.peek() !== '(') args.fail(`Missing return options in ${args.command}`)
  const names = new Set<ReturnName>()
  let partial: PartialRange | undefined
  let update: FetchRequest | undefined
  args.list(() => {
    const name = args.keyword()
    if (!NAMES.has(name)) args.fail(`Invalid ${args.command} return option ${name.toLowerCase().slice(0, 40)}`)
    names.add(name as ReturnName)
    if (name === 'UPDATE' && args.bytes.toString('latin1', args.offset, args.offset + 2) === ' (') {
      args.space()
      update = parseFetchAttributes(args)
    }
    if (name !== 'PARTIAL') return
    args.space()
    partial = parsePartialRange(args)
  })
  if (names.size === 0) names.add('ALL')
  if (names.has('ALL') && names.has('PARTIAL'))
    args.fail(`Invalid ${args.command} return option`, 'ALL excludes PARTIAL')
  args.space()
  return { names, partial, update }
}
