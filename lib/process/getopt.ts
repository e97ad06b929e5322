/**
 * getopt(3) as the Cyrus programs use it: single letters, merged or apart, values merged or apart, `--` ends the options.
 * Besides that `--help` and `--version` are known, and what words a program names. Decides nothing about the options' meaning.
 */

/** What stands on a command line. A letter given twice keeps its last value; `repeated` has them all, in order. */
export interface ParsedOptions {
  /** Letter → its value, or true for a letter without one. `--help` is under 'help', `--version` under 'version'. */
  readonly options: Map<string, string | true>
  /** Every option in order of appearance, for letters that may come several times. */
  readonly repeated: readonly (readonly [letter: string, value: string | true])[]
  /** What follows the options. */
  readonly args: string[]
}

/** A command line that a program does not understand; its exit status is 64. */
export class UsageError extends Error {
  readonly exitStatus = 64
  constructor(message: string) {
    super(message)
    this.name = 'UsageError'
  }
}

/**
 * @param letters getopt's: `'C:vu'`, a colon after each letter that takes a value
 * @param argv without the interpreter and the script
 * @param words options of whole words without a value, without their dashes
 * @throws {UsageError} on an unknown letter or a missing value
 */
export function parseOptions(letters: string, argv: readonly string[], words: readonly string[] = []): ParsedOptions {
  const options = new Map<string, string | true>()
  const repeated: [string, string | true][] = []
  const set = (letter: string, value: string | true): void => {
    options.set(letter, value)
    repeated.push([letter, value])
  }
  let next = 0
  for (; next < argv.length; next++) {
    const word = argv[next]!
    if (word === '--') {
      next++
      break
    }
    if (!word.startsWith('-') || word === '-') break
    if (word === '--help' || word === '--version' || (word.startsWith('--') && words.includes(word.slice(2)))) {
      set(word.slice(2), true)
      continue
    }
    if (word.startsWith('--')) throw new UsageError(`unknown option ${word}`)
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!
      const known = letter === ':' ? -1 : letters.indexOf(letter)
      if (known < 0) throw new UsageError(`unknown option -${letter}`)
      if (letters[known + 1] !== ':') {
        set(letter, true)
        continue
      }
      if (at + 1 < word.length) set(letter, word.slice(at + 1))
      else if (next + 1 < argv.length) set(letter, argv[++next]!)
      else throw new UsageError(`option -${letter} needs a value`)
      break
    }
  }
  return { options, repeated, args: argv.slice(next) }
}
