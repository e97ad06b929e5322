/**
 * The grammar of cyrus.conf: sections of entries of `key=value` arguments, with the line of each. Knows no section's meaning.
 * Accepts what Cyrus 3.6.1 reads and 2.3.8's STARTUP (reference: master.md §1); what Cyrus skips without a word is warned about.
 */
import { readFileSync } from 'node:fs'
import { ConfigError } from './grammar.js'

/** One line of a section. */
export interface Entry {
  readonly name: string
  /** counted from 1 */
  readonly line: number
  /** the first of two equal keys counts */
  readonly args: ReadonlyMap<string, string>
}

/** The sections that there are; STARTUP is START. */
export const SECTIONS = ['START', 'SERVICES', 'EVENTS', 'DAEMON'] as const
export type SectionName = (typeof SECTIONS)[number]

/** A file read: entries by section, in order. */
export interface CyrusConf {
  readonly path: string
  readonly sections: ReadonlyMap<SectionName, readonly Entry[]>
}

const LONGEST_LINE = 4095
const MOST_ARGS = 64

/**
 * Reads a file.
 * @param warn told `FILE:LINE: …` of what is skipped
 * @throws {ConfigError} naming file and line; for a file that cannot be read, line 0
 */
export function readCyrusConf(path: string, warn: (message: string) => void): CyrusConf {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError(path, 0, `cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  return parseCyrusConf(text, path, warn)
}

/** The same from a text. */
export function parseCyrusConf(text: string, path: string, warn: (message: string) => void): CyrusConf {
  const sections = new Map<SectionName, Entry[]>()
  const lines = text.split('\n')
  let open: { name: string; line: number; entries: Entry[] | undefined } | undefined
  let depth = 0

  for (const [index, raw] of lines.entries()) {
    const line = index + 1
    const complain = (message: string): void => warn(`${path}:${line}: ${message}`)
    if (Buffer.byteLength(raw) > LONGEST_LINE) {
      throw new ConfigError(path, line, `line is longer than ${LONGEST_LINE} bytes`)
    }
    if (raw.includes('\0')) throw new ConfigError(path, line, 'line has a NUL character')
    const content = raw.replace(/#.*/, '').trim()
    if (content === '') continue

    if (open?.entries !== undefined) {
      if (content.startsWith('}')) {
        open = undefined
        continue
      }
      const { entry, closed } = parseEntry(content, path, line)
      open.entries.push(entry)
      if (closed === 'quoted') complain('a } inside quotes ends the section here, as it does for Cyrus')
      if (closed !== undefined) open = undefined
      continue
    }

    if (open === undefined) {
      const name = /^[A-Za-z0-9]*/.exec(content)![0]
      const known = knownSection(name)
      depth = braces(content)
      if (known !== undefined && depth === 1) {
        const rest = content.slice(name.length).trim()
        if (rest !== '{')
          complain(`entries begin on the line after "${name} {"; skipped: ${rest.replace('{', '').trim()}`)
        if (sections.has(known)) {
          complain(`a second section ${name}: only the first counts`)
          open = { name, line, entries: undefined }
        } else {
          const entries: Entry[] = []
          sections.set(known, entries)
          open = { name, line, entries }
        }
        continue
      }
      if (depth > 0) {
        complain(`unknown section "${name || content}", skipped (the sections are ${SECTIONS.join(', ')})`)
        open = { name, line, entries: undefined }
      } else if (depth < 0) {
        throw new ConfigError(path, line, 'a } without a section')
      } else if (known === undefined) {
        complain(`text outside of all sections, skipped: ${content}`)
      } else if (!sections.has(known)) {
        if (!content.includes('{')) {
          complain(`"{" must stand on the same line as ${name}; the section is skipped`)
          continue
        }
        if (!/^\w+\s*\{\s*\}$/.test(content)) complain(`entries begin on the line after "${name} {"; skipped`)
        sections.set(known, [])
      }
      continue
    }

    // inside a section that is skipped
    depth += braces(content)
    if (depth <= 0) open = undefined
  }
  if (open !== undefined) warn(`${path}:${open.line}: section ${open.name} is not closed with }`)
  return { path, sections }
}

/** Section names are compared without case except for the first letter, as Cyrus does. */
function knownSection(name: string): SectionName | undefined {
  if (!/^[A-Z]/.test(name)) return undefined
  const upper = name.toUpperCase()
  if (upper === 'STARTUP') return 'START'
  return SECTIONS.find((section) => section === upper)
}

function braces(text: string): number {
  let depth = 0
  for (const c of text) depth += c === '{' ? 1 : c === '}' ? -1 : 0
  return depth
}

/** One entry line, without comment and surrounding blanks. */
function parseEntry(content: string, path: string, line: number): { entry: Entry; closed?: 'bare' | 'quoted' } {
  const fail = (problem: string): never => {
    throw new ConfigError(path, line, problem)
  }
  const name = /^\w*/.exec(content)![0]
  const after = content[name.length]
  if (name === '' || (after !== undefined && !/[\s}]/.test(after))) {
    fail(`bad character '${after ?? content[0]}' in name; a name is made of letters, digits and _`)
  }
  const args = new Map<string, string>()
  let at = name.length
  let closed: 'bare' | 'quoted' | undefined
  let count = 0
  for (;;) {
    while (/\s/.test(content[at] ?? '')) at++
    if (at >= content.length) break
    if (content[at] === '}') {
      closed = 'bare'
      break
    }
    const key = /^\w*/.exec(content.slice(at))![0]
    at += key.length
    if (key === '' || content[at] !== '=') {
      const c = content[at]
      fail(c === undefined ? `"=" is missing after "${key}"` : `bad character '${c}' in argument`)
    }
    at++
    let value: string
    if (content[at] === '"') {
      const end = content.indexOf('"', at + 1)
      if (end < 0) fail('missing "')
      value = content.slice(at + 1, end)
      at = end + 1
      if (value.includes('}')) closed = 'quoted'
    } else {
      value = /^\S*/.exec(content.slice(at))![0]
      at += value.length
      if (value.endsWith('}')) {
        closed = 'bare'
        value = value.slice(0, -1)
      }
    }
    if (++count > MOST_ARGS) fail('too many arguments')
    if (!args.has(key)) args.set(key, value)
  }
  return { entry: { name, line, args }, closed }
}
