/** One part's structure cut out of a whole BODYSTRUCTURE. Pure. */

/**
 * @param path part numbers, [] for the message itself
 * @returns its text, latin1; undefined when there is no such part
 */
export function parsedStructure(bodystructure: Buffer, path: readonly number[]): string | undefined {
  let text = bodystructure.toString('latin1')
  let container = true
  for (const number of path) {
    if (!container && /^\("MESSAGE" "RFC822"/i.test(text)) {
      // type, subtype, parameters, id, description, encoding, size, envelope, structure
      text = values(text)[8] ?? ''
      container = true
    }
    if (text.startsWith('((')) {
      const parts = values(text).filter((value) => value.startsWith('('))
      // what follows the subtype may be in parentheses too
      const count = values(text).findIndex((value) => !value.startsWith('('))
      if (number < 1 || number > count) return undefined
      text = parts[number - 1]!
    } else if (!container || number !== 1) {
      return undefined
    }
    container = false
  }
  return text
}

/** The values directly within a parenthesised list. */
function values(list: string): string[] {
  const found: string[] = []
  let at = 1
  while (at < list.length && list[at] !== ')') {
    if (list[at] === ' ') {
      at += 1
      continue
    }
    const end = endOf(list, at)
    found.push(list.slice(at, end))
    at = end
  }
  return found
}

/** Where the value that begins here ends. */
function endOf(text: string, from: number): number {
  let depth = 0
  let at = from
  while (at < text.length) {
    const char = text[at]
    if (char === '"') {
      at = text.indexOf('"', at + 1) + 1
      if (at === 0) return text.length
    } else if (char === '{') {
      const brace = text.indexOf('}', at)
      at = brace + 3 + Number(text.slice(at + 1, brace))
    } else if (char === '(') {
      depth += 1
      at += 1
    } else if (char === ')') {
      if (depth === 0) return at
      depth -= 1
      at += 1
    } else if (char === ' ' && depth === 0) {
      return at
    } else {
      at += 1
      while (depth === 0 && at < text.length && !' ()'.includes(text[at]!)) at += 1
    }
    if (depth === 0) return at
  }
  return text.length
}
