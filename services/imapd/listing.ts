/** What LIST and LSUB have in common: their arguments, and answering for names that match, with the levels above them. */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import type { ListPattern } from '../../lib/imap/list_pattern.js'
import { astring } from '../../lib/imap/wire_text.js'
import type { Session } from './session.js'

/** @throws {ImapSyntaxError} */
export function parseListArguments(args: ArgumentReader): { reference: string; pattern: string } {
  args.space()
  const reference = args.astring().toString('latin1')
  args.space()
  if (args.atEnd) args.fail(`Missing required argument to ${args.command}: mailbox pattern`)
  const pattern = args.listMailbox().toString('latin1')
  args.end()
  return { reference, pattern }
}

/** Reference and pattern together; INBOX at its beginning in any case is INBOX. */
export function patternOf(reference: string, pattern: string, separator: string): string {
  const rooted = pattern.startsWith(separator) && reference.endsWith(separator) ? pattern.slice(1) : pattern
  const whole = reference + rooted
  return /^inbox(?:$|[./*%])/i.test(whole) ? `INBOX${whole.slice(5)}` : whole
}

export interface AnswerOptions {
  /** Whether levels that are no mailbox themselves are shown when they match. */
  parents: boolean
  attributes(name: string, hasChildren: boolean): string
}

const FLUSH_EVERY = 1000

/** Answers for the names that match, in their order, a parent level before what is below it. */
export async function answerNames(
  session: Session,
  word: 'LIST' | 'LSUB',
  names: readonly string[],
  pattern: ListPattern,
  { parents, attributes }: AnswerOptions,
): Promise<void> {
  const { separator } = pattern
  const exists = new Set(names)
  const withChildren = new Set<string>()
  for (const name of names)
    for (let at = name.lastIndexOf(separator); at > 0; at = name.lastIndexOf(separator, at - 1))
      withChildren.add(name.slice(0, at))
  const told = new Set<string>()
  const tell = (name: string, text: string): void => {
    if (told.has(name)) return
    told.add(name)
    session.reply.untagged(`${word} (${text}) "${separator}" ${astring(name)}`)
  }
  let count = 0
  for (const name of names) {
    if (parents) {
      for (let at = name.indexOf(separator); at > 0; at = name.indexOf(separator, at + 1)) {
        const parent = name.slice(0, at)
        if (!exists.has(parent) && !told.has(parent) && pattern.matches(parent))
          tell(parent, '\\Noselect \\HasChildren')
      }
    }
    if (pattern.matches(name)) tell(name, attributes(name, withChildren.has(name)))
    count += 1
    if (count % FLUSH_EVERY === 0) await session.connection.flush()
  }
}
