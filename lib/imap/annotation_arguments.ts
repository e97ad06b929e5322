/** Message annotations in the grammar of FETCH, STORE, APPEND and SEARCH (RFC 5257 §9). Pure. */
import type { ArgumentReader } from './argument_reader.js'
import { ListPattern } from './list_pattern.js'

/** What of an annotation is asked for: its value or its size, shared or one's own. */
export type AnnotationAttribute = 'value.shared' | 'value.priv' | 'size.shared' | 'size.priv'

/** `(/comment value)` of FETCH. */
export interface AnnotationRequest {
  /** lower case; `*` and `%` match as in LIST */
  readonly entries: readonly string[]
  readonly attributes: readonly AnnotationAttribute[]
}

/** One attribute to be set: undefined for NIL. */
export interface AnnotationSetting {
  readonly entry: string
  readonly shared: boolean
  readonly value: Buffer | undefined
  /** an attribute that cannot be set was named: `value`, `size.priv` */
  readonly forbidden: boolean
}

const MOST = 32
const LONGEST_NAME = 256

const ATTRIBUTES: Readonly<Record<string, readonly AnnotationAttribute[]>> = {
  value: ['value.shared', 'value.priv'],
  'value.shared': ['value.shared'],
  'value.priv': ['value.priv'],
  size: ['size.shared', 'size.priv'],
  'size.shared': ['size.shared'],
  'size.priv': ['size.priv'],
}

function entry(args: ArgumentReader): string {
  const name = args.listMailbox()
  if (name.length > LONGEST_NAME) args.fail('annotation entry too long')
  return name.toString('latin1').toLowerCase()
}

/** One or, in parentheses, several. */
function oneOrMore(args: ArgumentReader, read: () => string): string[] {
  if (args.peek() !== '(') return [read()]
  const found = args.list(read)
  if (found.length > MOST) args.fail('Too many annotations')
  return found
}

/** Behind `ANNOTATION `. @throws {ImapSyntaxError} */
export function parseAnnotationRequest(args: ArgumentReader): AnnotationRequest {
  if (!args.tryChar('(')) args.fail('invalid Annotation')
  const entries = oneOrMore(args, () => entry(args))
  if (!args.tryChar(' ')) args.fail('invalid Annotation')
  const names = oneOrMore(args, () => args.astring().toString('latin1').toLowerCase())
  if (!args.tryChar(')')) args.fail('invalid Annotation')
  if (entries.length === 0 || names.length === 0) args.fail('invalid Annotation')
  const wanted = new Set(
    names.flatMap((name) => ATTRIBUTES[name] ?? args.fail(`Invalid annotation attribute ${name.slice(0, 40)}`)),
  )
  const attributes = (['value.shared', 'size.shared', 'value.priv', 'size.priv'] as const).filter((each) =>
    wanted.has(each),
  )
  return { entries, attributes }
}

/** `(/comment (value.priv "x" value.shared NIL) …)` of STORE and APPEND. @throws {ImapSyntaxError} */
export function parseAnnotationSettings(args: ArgumentReader): AnnotationSetting[] {
  if (args.peek() !== '(') args.fail('Missing paren for annotation entry')
  const settings: AnnotationSetting[] = []
  args.list(() => {
    const name = entry(args)
    if (!args.tryChar(' ') || args.peek() !== '(') args.fail('Missing annotation attribute-values list')
    const values = args.list(() => {
      const attribute = args.astring().toString('latin1').toLowerCase()
      if (!args.tryChar(' ')) args.fail('Missing annotation value')
      const value = nstring(args)
      settings.push({
        entry: name,
        shared: attribute === 'value.shared',
        value,
        forbidden: attribute !== 'value.shared' && attribute !== 'value.priv',
      })
    })
    if (values.length === 0) args.fail('Missing annotation attribute')
  })
  if (settings.length === 0) args.fail('Missing annotation entry')
  if (settings.length > MOST) args.fail('Too many annotations')
  return settings
}

/** A string, or undefined for NIL. @throws {ImapSyntaxError} */
export function nstring(args: ArgumentReader): Buffer | undefined {
  const start = args.peek()
  if (start === '"' || start === '{') return args.astring()
  if (args.atom().toUpperCase() !== 'NIL') args.fail('Missing annotation value')
  return undefined
}

/** Whether an entry's name is what a pattern with `*` and `%` says. */
export function matchesEntry(pattern: string, name: string): boolean {
  return /[*%]/.test(pattern) ? new ListPattern(pattern, '/').matches(name) : pattern === name
}
