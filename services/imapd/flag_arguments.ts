/** Flags that a client names in STORE and APPEND. */
import type { ArgumentReader } from '../../lib/imap/argument_reader.js'
import { systemFlag } from './flag_text.js'

const MOST_FLAGS = 200
const LONGEST_KEYWORD = 255

/** A list in parentheses, or flags one after the other to the end. @throws {ImapSyntaxError} on a system flag that cannot be set */
export function parseFlags(args: ArgumentReader, problem: string): { flags: number; keywords: string[] } {
  let flags = 0
  const keywords = new Map<string, string>()
  const one = (): void => {
    const name = args.flag(problem)
    const bit = systemFlag(name)
    if (bit !== undefined) flags |= bit
    else if (name.startsWith('\\') || name.length > LONGEST_KEYWORD) args.fail(problem)
    else keywords.set(name.toLowerCase(), name)
    if (keywords.size > MOST_FLAGS) args.fail(problem, 'too many flags')
  }
  if (args.peek() === '(') args.list(one)
  else
    do {
      one()
    } while (args.tryChar(' '))
  return { flags, keywords: [...keywords.values()] }
}
